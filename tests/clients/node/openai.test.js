// The official `openai` package for Node against a real server. One test a scenario of the matrix; `test_node.py` starts
// each by its name, with CHATCOMPAT_URL and, for what becomes of a stream whose client left, CHATCOMPAT_OBSERVED_URL.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

import { PIXEL, SYSTEM, USER, fateOf, model, newName } from "./support.js";

const messages = [
  { role: "system", content: SYSTEM },
  { role: "user", content: USER },
];
const open = (url) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "cai_api_test", maxRetries: 0 });
const client = open(process.env.CHATCOMPAT_URL);
const completions = client.chat.completions;

test("plain", async () => {
  const completion = await completions.create({ model, messages, max_tokens: 256 });
  assert.match(completion.id, /^chatcmpl_/);
  assert.equal(completion.choices[0].finish_reason, "stop");
  assert.match(completion.choices[0].message.content, /Zo\u00eb \u{1f44b}/u);
  assert.equal(completion.usage.total_tokens, completion.usage.prompt_tokens + completion.usage.completion_tokens);
  assert.ok(completion.usage.credits_consumed > 0);
  assert.match(completion._request_id, /^req_/);
});

test("streamed", async () => {
  const plain = await completions.create({ model, messages });
  const asked = { model, messages, stream: true, stream_options: { include_usage: true } };
  const texts = [];
  let last;
  for await (const chunk of await completions.create(asked)) {
    texts.push(chunk.choices[0]?.delta.content ?? "");
    last = chunk;
  }
  assert.ok(texts.filter(Boolean).length > 1);
  assert.equal(texts.join(""), plain.choices[0].message.content);
  assert.deepEqual(last.usage, plain.usage);

  const told = [];
  const stream = completions.stream(asked);
  stream.on("content", (_, snapshot) => told.push(snapshot));
  stream.on("content.done", ({ content }) => told.push(content));
  const final = await stream.finalChatCompletion();
  assert.equal(told.at(-1), plain.choices[0].message.content);
  assert.equal(told.at(-2), told.at(-1));
  assert.equal(final.choices[0].finish_reason, "stop");
  assert.deepEqual(final.usage, plain.usage);
});

test("tool loop", async () => {
  for (const stream of [false, true]) {
    const called = [];
    const tool = (name, parameters) =>
      zodFunction({
        name,
        parameters,
        function: (given) => {
          called.push(name);
          return `${name} of ${Object.keys(given)} is fine`;
        },
      });
    const runner = completions.runTools({
      model,
      stream,
      messages: [{ role: "user", content: "Use get_weather and get_time." }],
      tools: [
        tool("get_weather", z.object({ city: z.string(), days: z.number().int() })),
        tool("get_time", z.object({ zone: z.enum(["utc", "local"]) })),
      ],
    });
    const said = await runner.finalContent();
    assert.deepEqual(called, ["get_weather", "get_time"]);
    assert.match(said, /get_weather of city,days is fine/);
    assert.match(said, /get_time of zone is fine/);
    assert.deepEqual(
      runner.messages.map((message) => message.role),
      ["user", "assistant", "tool", "tool", "assistant"],
    );
  }
});

test("structured output", async () => {
  const Solution = z.object({
    steps: z.array(z.object({ explanation: z.string(), output: z.number().int() })),
    answer: z.string(),
  });
  const asked = { model, messages, response_format: zodResponseFormat(Solution, "solution") };
  const plain = (await completions.parse(asked)).choices[0];
  Solution.parse(plain.message.parsed);
  assert.equal(plain.finish_reason, "stop");

  const stream = completions.stream(asked);
  const done = stream.emitted("content.done");
  const streamed = (await stream.finalChatCompletion()).choices[0];
  assert.deepEqual(streamed.message.parsed, plain.message.parsed);
  assert.deepEqual((await done).parsed, plain.message.parsed);

  const free = await completions.create({ model, messages, response_format: { type: "json_object" } });
  assert.equal(typeof JSON.parse(free.choices[0].message.content), "object");
});

test("images", async () => {
  const content = [
    { type: "text", text: "What is this?" },
    { type: "image_url", image_url: { url: PIXEL, detail: "low" } },
  ];
  const completion = await completions.create({ model, messages: [{ role: "user", content }] });
  assert.match(completion.choices[0].message.content, /image\/png/);
});

const ERRORS = [
  ["invalid_request_error", OpenAI.BadRequestError, 400],
  ["authentication_error", OpenAI.AuthenticationError, 401],
  ["permission_error", OpenAI.PermissionDeniedError, 403],
  ["not_found_error", OpenAI.NotFoundError, 404],
  ["conflict_error", OpenAI.ConflictError, 409],
  ["rate_limit_error", OpenAI.RateLimitError, 429],
  ["api_error", OpenAI.InternalServerError, 500],
  ["overloaded_error", OpenAI.InternalServerError, 529],
];

async function raised(kind, doing) {
  const error = await doing().then(
    () => assert.fail("nothing was thrown"),
    (thrown) => thrown,
  );
  assert.ok(error instanceof kind, `${error}`);
  return error;
}

async function drained(fault) {
  const stream = await completions.create({ model, messages, stream: true }, { headers: { "x-simulate": fault } });
  for await (const _ of stream);
}

test("errors", async () => {
  for (const [type, kind, status] of ERRORS) {
    for (const stream of [false, true]) {
      const options = { headers: { "x-simulate": `error=${type}` } };
      const error = await raised(kind, () => completions.create({ model, messages, stream }, options));
      assert.equal(error.status, status);
      assert.match(error.requestID, /^req_/);
      assert.deepEqual(Object.keys(error.error).sort(), ["code", "message", "param", "type"]);
    }
  }
  const refused = await raised(OpenAI.BadRequestError, () => completions.create({ model, messages, temperature: 3 }));
  assert.equal(refused.param, "temperature");
  const unknown = await raised(OpenAI.NotFoundError, () => completions.create({ model: "nope", messages }));
  assert.equal(unknown.code, "model_not_found");
  const late = await raised(OpenAI.APIError, () => drained("error=overloaded_error; after=5"));
  assert.equal(late.code, "overloaded_error");
  for (const cut of ["cut=1", "cut=5", "cut-inside=5"]) {
    assert.equal((await raised(OpenAI.APIError, () => drained(cut))).code, "incomplete_stream");
  }
});

/** Read a stream without an end until its first text, and do with it what `leave` does. */
async function leftBy(leave) {
  const name = newName();
  const controller = new AbortController();
  const options = { headers: { "x-observe": name }, signal: controller.signal };
  const endless = open(process.env.CHATCOMPAT_OBSERVED_URL).chat.completions;
  await leave(() => endless.create({ model, messages, stream: true }, options), controller);
  assert.deepEqual(await fateOf(name), { told: true, end: "cancelled" });
}

test("abort", async () => {
  await leftBy(async (create, controller) => {
    for await (const chunk of await create()) if (chunk.choices[0]?.delta.content) controller.abort();
  });
  await leftBy(async (create) => {
    const stream = await create();
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) stream.controller.abort();
  });
  await leftBy(async (create) => {
    for await (const chunk of await create()) if (chunk.choices[0]?.delta.content) break;
  });
});
