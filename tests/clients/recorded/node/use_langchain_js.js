// LangChain.js: `ChatOpenAI`, and an agent.

import { HumanMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { createAgent, tool } from "langchain";
import { z } from "zod";

import * as s from "./support.js";

const newModel = (more = {}) =>
  new ChatOpenAI({ model: s.model, apiKey: s.key, configuration: { baseURL: s.url }, maxRetries: 0, ...more });
const model = newModel();
const hello = [["system", s.SYSTEM], ["user", s.USER]];
const tools = [
  tool(({ city }) => `the weather of ${city} is fine`, {
    name: "get_weather",
    description: "Get the weather of a city.",
    schema: z.object({ city: z.string(), days: z.number().int().optional() }),
  }),
  tool(({ zone }) => `it is noon in ${zone}`, {
    name: "get_time",
    description: "Get the time in a zone.",
    schema: z.object({ zone: z.enum(["utc", "local"]) }),
  }),
];
const describe = (part) =>
  model.invoke([new HumanMessage({ contentBlocks: [{ type: "text", text: s.DESCRIBE }, part] })]);
const loop = async (made, streamed) => {
  const agent = createAgent({ model: made, tools, systemPrompt: s.SYSTEM });
  const asked = { messages: [["user", s.USE_TOOLS]] };
  await (streamed ? s.all(await agent.stream(asked, { streamMode: "messages" })) : agent.invoke(asked));
};

await s.run({
  plain: () => model.invoke(hello),
  history: async () => model.invoke([...hello, await model.invoke(hello), ["user", s.LAST_USER]]),
  streamed: async () => s.all(await model.stream(hello)),
  "tool loop": () => loop(model),
  "streamed tool loop": () => loop(newModel({ streaming: true }), true),
  "forced tool": async () => {
    await model.bindTools(tools, { tool_choice: "any" }).invoke(hello);
    await model.bindTools(tools, { tool_choice: "get_time", strict: true }).invoke(hello);
  },
  "one call at a time": () => model.bindTools(tools, { parallel_tool_calls: false }).invoke(hello),
  schema: async () => {
    for (const method of ["jsonSchema", "functionCalling"])
      await model.withStructuredOutput(s.answerOf(z), { name: "answer", method }).invoke(hello);
  },
  json: () => newModel({ modelKwargs: { response_format: { type: "json_object" } } }).invoke([...hello, ["user", s.JSON_PROMPT]]),
  image: async () => {
    await describe({ type: "image", mimeType: "image/png", data: s.PIXEL });
    await describe({ type: "image", url: s.IMAGE_URL });
  },
  file: () => describe({ type: "file", mimeType: "application/pdf", data: s.PDF, metadata: { filename: "a.pdf" } }),
  reasoning: () => loop(newModel({ reasoning: { effort: "low" }, useResponsesApi: false })),
  settings: () => newModel({ temperature: 0.2, topP: 0.9, maxTokens: 256, stop: ["END"], user: "user-1", n: 1 }).invoke(hello),
  hints: () => newModel({ modelKwargs: { seed: 7 } }).invoke(hello),
});
