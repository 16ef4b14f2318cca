// The AI SDK, with OpenRouter's provider.

import { createOpenRouter } from "@openrouter/ai-sdk-provider";
import { Output, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

import * as s from "./support.js";

const provider = createOpenRouter({ baseURL: s.url, apiKey: s.key });
const model = provider.chat(s.model);
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

async function again(asked) {
  const { response } = await generateText(asked);
  const messages = [{ role: "user", content: asked.prompt }, ...response.messages, { role: "user", content: s.LAST_USER }];
  await generateText({ ...asked, prompt: undefined, messages });
}

await s.run({
  plain: () => generateText(hello),
  history: () => again(hello),
  streamed: () => streamText(hello).text,
  "tool loop": () => again(looped),
  "streamed tool loop": () => streamText(looped).text,
  "forced tool": () => generateText({ ...hello, tools, toolChoice: { type: "tool", toolName: "get_time" } }),
  schema: () => generateText({ ...hello, output: Output.object({ schema: s.answerOf(z) }) }),
  image: () => describe({ type: "image", image: Buffer.from(s.PIXEL, "base64") }),
  file: () => describe({ type: "file", data: Buffer.from(s.PDF, "base64"), mediaType: "application/pdf", filename: "a.pdf" }),
  reasoning: () => again({ ...looped, model: provider.chat(s.model, { reasoning: { effort: "low" } }) }),
  settings: () => generateText({ ...hello, maxOutputTokens: 256, temperature: 0.2, topP: 0.9, stopSequences: ["END"] }),
  hints: () => generateText({ ...hello, model: provider.chat(s.model, { usage: { include: true } }), seed: 7 }),
});
