// pi-ai, the client of a coding agent, for compatible services.

import { Type, complete, stream } from "@mariozechner/pi-ai";

import * as s from "./support.js";

const model = {
  id: s.model,
  name: s.model,
  api: "openai-completions",
  provider: "ours",
  baseUrl: s.url,
  reasoning: true,
  input: ["text", "image"],
  cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
  contextWindow: 200000,
  maxTokens: 8192,
};
const options = { apiKey: s.key };
const user = (content) => ({ role: "user", content, timestamp: 0 });
const tools = [
  { name: "get_weather", description: "Get the weather of a city.", parameters: Type.Object({ city: Type.String() }) },
  { name: "get_time", description: "Get the time in a zone.", parameters: Type.Object({ zone: Type.String() }) },
];

async function loop(more) {
  const messages = [user(s.USE_TOOLS)];
  for (;;) {
    const reply = await complete(model, { systemPrompt: s.SYSTEM, messages, tools }, { ...options, ...more });
    messages.push(reply);
    const calls = reply.content.filter(({ type }) => type === "toolCall");
    if (!calls.length) break;
    for (const { id, name } of calls)
      messages.push({
        role: "toolResult",
        toolCallId: id,
        toolName: name,
        content: [{ type: "text", text: `${name} is fine` }],
        isError: false,
        timestamp: 0,
      });
  }
  messages.push(user(s.LAST_USER));
  await complete(model, { systemPrompt: s.SYSTEM, messages, tools }, { ...options, ...more });
}

await s.run({
  streamed: () => s.all(stream(model, { systemPrompt: s.SYSTEM, messages: [user(s.USER)] }, options)),
  "streamed tool loop": () => loop(),
  image: () =>
    complete(model, {
      messages: [user([{ type: "text", text: s.DESCRIBE }, { type: "image", data: s.PIXEL, mimeType: "image/png" }])],
    }, options),
  reasoning: () => loop({ reasoningEffort: "low" }),
  settings: () => complete(model, { messages: [user(s.USER)] }, { ...options, temperature: 0.2, maxTokens: 256 }),
});
