// Continue's adapter for OpenAI-compatible services.

import { constructLlmApi } from "@continuedev/openai-adapters";

import * as s from "./support.js";

const api = constructLlmApi({ provider: "openai", apiBase: `${s.url}/`, apiKey: s.key });
const signal = () => new AbortController().signal;
const ask = (more = {}, messages = s.HELLO) =>
  api.chatCompletionNonStream({ model: s.model, messages, ...more }, signal());
const stream = (more = {}, messages = s.HELLO) =>
  s.all(api.chatCompletionStream({ model: s.model, messages, stream: true, ...more }, signal()));
const describe = (part) => ask({}, [{ role: "user", content: [{ type: "text", text: s.DESCRIBE }, part] }]);

async function loop(more) {
  const messages = [{ role: "user", content: s.USE_TOOLS }];
  for (;;) {
    const { message } = (await ask({ tools: s.TOOLS, ...more }, messages)).choices[0];
    if (!message.tool_calls) return;
    messages.push(message);
    for (const call of message.tool_calls)
      messages.push({ role: "tool", tool_call_id: call.id, content: `${call.function.name} is fine` });
  }
}

await s.run({
  plain: () => ask(),
  history: () => ask({}, s.HISTORY),
  streamed: () => stream({ stream_options: { include_usage: true } }),
  "tool loop": () => loop(),
  "forced tool": () => stream({ tools: s.TOOLS, tool_choice: { type: "function", function: { name: "get_time" } } }),
  "one call at a time": () => stream({ tools: s.TOOLS, parallel_tool_calls: false }),
  image: () => describe({ type: "image_url", image_url: { url: s.PIXEL_URL } }),
  reasoning: () => loop({ reasoning_effort: "low" }),
  settings: () => ask({ max_tokens: 256, temperature: 0.2, top_p: 0.9, stop: ["END"] }),
});
