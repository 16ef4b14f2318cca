// multi-llm-ts, with its engine for compatible services.

import multi from "multi-llm-ts";
import { z } from "zod";

import * as s from "./support.js";

const { Attachment, Message, Plugin, defaultCapabilities, igniteEngine } = multi;
const config = { apiKey: s.key, baseURL: s.url };

class Weather extends Plugin {
  getName = () => "get_weather";
  getDescription = () => "Get the weather of a city.";
  getParameters = () => [{ name: "city", type: "string", description: "The name of the city.", required: true }];
  execute = async (_, { city }) => ({ result: `the weather of ${city} is fine` });
}

const model = {
  id: s.model,
  name: s.model,
  capabilities: { ...defaultCapabilities.capabilities, tools: true, vision: true, reasoning: true },
};
const hello = () => [new Message("system", s.SYSTEM), new Message("user", s.USER)];
const engine = (plugin) => {
  const made = igniteEngine("openai", config);
  if (plugin) made.addPlugin(new Weather());
  return made;
};
const useTools = () => [new Message("system", s.SYSTEM), new Message("user", "Use get_weather.")];
const describe = () => [new Message("system", s.SYSTEM), new Message("user", s.DESCRIBE, new Attachment(s.PIXEL, "image/png"))];
const options = { useResponsesApi: false };

await s.run({
  plain: () => engine().complete(model, hello(), options),
  history: () =>
    engine().complete(model, [...hello(), new Message("assistant", "Hello!"), new Message("user", s.LAST_USER)], options),
  streamed: () => s.all(engine().generate(model, hello(), options)),
  "tool loop": () => engine(true).complete(model, useTools(), options),
  schema: () => engine().complete(model, hello(), { ...options, structuredOutput: { name: "answer", structure: s.answerOf(z) } }),
  image: () => engine().complete(model, describe(), options),
  reasoning: () => engine(true).complete(model, useTools(), { ...options, reasoningEffort: "low" }),
  settings: () => engine().complete(model, hello(), { ...options, temperature: 0.2, top_p: 0.9, maxTokens: 256 }),
});
