// The OpenAI Agents SDK for JavaScript, on chat completions.

import { Agent, OpenAIChatCompletionsModel, run, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";
import { z } from "zod";

import * as s from "./support.js";

setTracingDisabled(true);
const client = new OpenAI({ baseURL: s.url, apiKey: s.key, maxRetries: 0 });
const tools = [
  tool({
    name: "get_weather",
    description: "Get the weather of a city.",
    parameters: z.object({ city: z.string(), days: z.number().int() }),
    execute: ({ city }) => `the weather of ${city} is fine`,
  }),
  tool({
    name: "get_time",
    description: "Get the time in a zone.",
    parameters: z.object({ zone: z.enum(["utc", "local"]) }),
    execute: ({ zone }) => `it is noon in ${zone}`,
  }),
];
const newAgent = (more = {}) =>
  new Agent({ name: "helper", instructions: s.SYSTEM, model: new OpenAIChatCompletionsModel(client, s.model), ...more });
const again = async (prompt, more) => {
  const agent = newAgent(more);
  const result = await run(agent, prompt);
  await run(agent, [...result.history, { role: "user", content: s.LAST_USER }]);
};
const streamed = async (prompt, more) => {
  const result = await run(newAgent(more), prompt, { stream: true });
  await s.all(result);
};
const describe = (part) => run(newAgent(), [{ role: "user", content: [{ type: "input_text", text: s.DESCRIBE }, part] }]);

await s.run({
  plain: () => run(newAgent(), s.USER),
  history: () => again(s.USER),
  streamed: () => streamed(s.USER),
  "tool loop": () => again(s.USE_TOOLS, { tools }),
  "streamed tool loop": () => streamed(s.USE_TOOLS, { tools }),
  "forced tool": () => run(newAgent({ tools, modelSettings: { toolChoice: "required" } }), s.USE_TOOLS),
  "one call at a time": () => run(newAgent({ tools, modelSettings: { parallelToolCalls: false } }), s.USE_TOOLS),
  schema: () => again(s.USER, { outputType: s.answerOf(z) }),
  image: async () => {
    await describe({ type: "input_image", image: s.PIXEL_URL });
    await describe({ type: "input_image", image: s.IMAGE_URL });
  },
  file: () => describe({ type: "input_file", file: s.PDF_URL, filename: "a.pdf" }),
  reasoning: () => again(s.USE_TOOLS, { tools, modelSettings: { reasoning: { effort: "low" } } }),
  settings: () => run(newAgent({ modelSettings: { temperature: 0.2, topP: 0.9, maxTokens: 256, store: false } }), s.USER),
});
