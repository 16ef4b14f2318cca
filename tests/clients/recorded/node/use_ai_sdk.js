// The AI SDK, with its provider for compatible services.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

import * as s from "./support.js";

const provider = createOpenAICompatible({
  name: "ours",
  baseURL: s.url,
  apiKey: s.key,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const model = provider(s.model);
const hello = { model, system: s.SYSTEM, prompt: s.USER, maxRetries: 0 };
const tools = {
  get_weather: tool({
    description: "Get the weather of a city.",
    inputSchema: z.object({ city: z.string(), days: z.number().int().optional() }),
    execute: ({ city }) => `the weather of ${city} is fine`,
  }),
  get_time: tool({
    inputSchema: z.object({ zone: z.enum(["utc", "local"]) }),
    execute: ({ zone }) => ({ zone, time: "noon" }),
  }),
};
const looped = { ...hello, prompt: s.USE_TOOLS, tools, stopWhen: stepCountIs(4) };
const describe = (part) =>
  generateText({ model, messages: [{ role: "user", content: [{ type: "text", text: s.DESCRIBE }, part] }] });
const effort = { providerOptions: { ours: { reasoningEffort: "low" } } };

async function again(asked) {
  const { response } = await generateText({ ...asked, prompt: s.USE_TOOLS });
  const messages = [{ role: "user", content: s.USE_TOOLS }, ...response.messages, { role: "user", content: s.LAST_USER }];
  await generateText({ ...asked, prompt: undefined, messages });
}

await s.run({
  plain: () => generateText(hello),
  history: () => again(hello),
  streamed: () => streamText(hello).text,
  "tool loop": () => again(looped),
  "streamed tool loop": () => streamText(looped).text,
  "forced tool": async () => {
    await generateText({ ...hello, tools, toolChoice: "required" });
    await generateText({ ...hello, tools, toolChoice: { type: "tool", toolName: "get_time" } });
  },
  schema: async () => {
    await generateText({ ...hello, output: Output.object({ schema: s.answerOf(z) }) });
    await streamText({ ...hello, output: Output.array({ element: z.string() }) }).text;
  },
  json: () => generateText({ ...hello, prompt: s.JSON_PROMPT, output: Output.json() }),
  image: () => describe({ type: "image", image: Buffer.from(s.PIXEL, "base64") }),
  file: () => describe({ type: "file", data: Buffer.from(s.PDF, "base64"), mediaType: "application/pdf", filename: "a.pdf" }),
  reasoning: () => again({ ...looped, ...effort }),
  settings: () =>
    generateText({ ...hello, maxOutputTokens: 256, temperature: 0.2, topP: 0.9, stopSequences: ["END"], providerOptions: { ours: { user: "user-1" } } }),
  hints: () => generateText({ ...hello, seed: 7 }),
});
