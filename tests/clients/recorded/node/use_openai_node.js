// The official `openai` package.

import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

import * as s from "./support.js";

const { completions } = new OpenAI({ baseURL: s.url, apiKey: s.key, maxRetries: 0 }).chat;
const { model, HELLO, TOOLS: tools } = s;
const create = (more = {}, messages = HELLO) => completions.create({ model, messages, ...more });
const describe = (part) => create({}, [{ role: "user", content: [{ type: "text", text: s.DESCRIBE }, part] }]);
const zodTools = [
  zodFunction({
    name: "get_weather",
    parameters: z.object({ city: z.string(), days: z.number().int() }),
    function: ({ city }) => `the weather of ${city} is fine`,
  }),
  zodFunction({
    name: "get_time",
    parameters: z.object({ zone: z.enum(["utc", "local"]) }),
    function: ({ zone }) => `it is noon in ${zone}`,
  }),
];
const loop = (more) =>
  completions.runTools({ model, messages: [{ role: "user", content: s.USE_TOOLS }], tools: zodTools, ...more }).finalContent();

async function schema() {
  const asked = { model, response_format: zodResponseFormat(s.answerOf(z), "answer") };
  const completion = await completions.parse({ ...asked, messages: HELLO });
  const again = [...HELLO, completion.choices[0].message, { role: "user", content: s.LAST_USER }];
  await completions.parse({ ...asked, messages: again });
}

async function reasoning() {
  const message = (await create({ reasoning_effort: "low" })).choices[0].message;
  await create({ reasoning_effort: "low" }, [...HELLO, message, { role: "user", content: s.LAST_USER }]);
  await loop({ reasoning_effort: "low" });
}

await s.run({
  plain: create,
  history: () => create({}, s.HISTORY),
  streamed: async () => {
    await s.all(await create({ stream: true, stream_options: { include_usage: true } }));
    await completions.stream({ model, messages: HELLO }).finalChatCompletion();
  },
  "tool loop": () => loop(),
  "streamed tool loop": () => loop({ stream: true }),
  "forced tool": async () => {
    await create({ tools, tool_choice: "required" });
    await create({ tools, tool_choice: { type: "function", function: { name: "get_time" } } });
  },
  "one call at a time": () => create({ tools, parallel_tool_calls: false }),
  schema,
  json: () => create({ response_format: { type: "json_object" } }, [...HELLO, { role: "user", content: s.JSON_PROMPT }]),
  image: async () => {
    await describe({ type: "image_url", image_url: { url: s.PIXEL_URL } });
    await describe({ type: "image_url", image_url: { url: s.IMAGE_URL, detail: "auto" } });
  },
  file: () => describe({ type: "file", file: { filename: "a.pdf", file_data: s.PDF_URL } }),
  reasoning,
  settings: () => create({ max_completion_tokens: 256, temperature: 0.2, top_p: 0.9, stop: ["END"], user: "user-1", n: 1 }),
  hints: () => create({ seed: 7, verbosity: "low" }),
});
