// The AI SDK with its provider for chat-completions services, against a real server: the scenarios of `openai.test.js`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, Output, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

import { PIXEL, SYSTEM, USER, fateOf, model as name, newName } from "./support.js";

function open(url, headers = {}, id = name) {
  const options = { name: "chatcompat", baseURL: `${url}/v1`, apiKey: "cai_api_test", headers };
  return createOpenAICompatible({ ...options, includeUsage: true, supportsStructuredOutputs: true })(id);
}

const model = open(process.env.CHATCOMPAT_URL);
const simulating = (fault) => open(process.env.CHATCOMPAT_URL, { "x-simulate": fault });
const said = { model, system: SYSTEM, prompt: USER };

test("plain", async () => {
  const { text, finishReason, usage, response, warnings } = await generateText(said);
  assert.match(text, /Zo\u00eb \u{1f44b}/u);
  assert.equal(finishReason, "stop");
  assert.equal(usage.totalTokens, usage.inputTokens + usage.outputTokens);
  assert.ok(usage.raw.credits_consumed > 0);
  assert.match(response.id, /^chatcmpl_/);
  assert.deepEqual(warnings, []);
});

test("streamed", async () => {
  const plain = await generateText(said);
  const stream = streamText(said);
  const texts = [];
  for await (const text of stream.textStream) texts.push(text);
  assert.ok(texts.length > 1);
  assert.equal(texts.join(""), plain.text);
  assert.equal(await stream.finishReason, "stop");
  assert.deepEqual(await stream.usage, plain.usage);
});

test("tool loop", async () => {
  const called = [];
  const does = (name, inputSchema) =>
    tool({
      description: `Does ${name}.`,
      inputSchema,
      execute: (given) => {
        called.push(name);
        return `${name} of ${Object.keys(given)} is fine`;
      },
    });
  const asked = {
    model,
    prompt: "Use get_weather and get_time.",
    tools: {
      get_weather: does("get_weather", z.object({ city: z.string(), days: z.number().int() })),
      get_time: does("get_time", z.object({ zone: z.enum(["utc", "local"]) })),
    },
    stopWhen: stepCountIs(4),
    providerOptions: { chatcompat: { reasoningEffort: "medium" } },
  };
  for (const run of [generateText, streamText]) {
    called.length = 0;
    const result = await run(asked);
    await result.consumeStream?.();
    const steps = await result.steps;
    assert.deepEqual(called, ["get_weather", "get_time"]);
    assert.deepEqual(
      steps.map((step) => step.finishReason),
      ["tool-calls", "stop"],
    );
    assert.match(steps[1].text, /get_weather of city,days is fine/);
    assert.match(steps[1].text, /get_time of zone is fine/);
    assert.ok(steps.every((step) => step.reasoningText.length > 0));
  }
});

test("structured output", async () => {
  const schema = z.object({
    steps: z.array(z.object({ explanation: z.string(), output: z.number().int() })),
    answer: z.string(),
  });
  const asked = { ...said, output: Output.object({ schema }) };
  const plain = await generateText(asked);
  schema.parse(plain.output);
  assert.equal(plain.finishReason, "stop");
  assert.deepEqual(plain.warnings, []);

  const stream = streamText(asked);
  const partial = [];
  for await (const part of stream.partialOutputStream) partial.push(part);
  assert.ok(partial.length > 1);
  assert.deepEqual(await stream.output, plain.output);

  const free = await generateText({ ...said, output: Output.json() });
  assert.equal(typeof free.output, "object");
});

test("images", async () => {
  const content = [
    { type: "text", text: "What is this?" },
    { type: "image", image: Buffer.from(PIXEL.split(",")[1], "base64") },
  ];
  const { text } = await generateText({ model, messages: [{ role: "user", content }] });
  assert.match(text, /image\/png/);
});

const ERRORS = {
  invalid_request_error: 400,
  authentication_error: 401,
  permission_error: 403,
  not_found_error: 404,
  conflict_error: 409,
  rate_limit_error: 429,
  api_error: 500,
  overloaded_error: 529,
};

async function thrownBy(asked) {
  const error = await generateText({ ...asked, maxRetries: 0 }).then(
    () => assert.fail("nothing was thrown"),
    (thrown) => thrown,
  );
  assert.ok(APICallError.isInstance(error), `${error}`);
  return error;
}

/** The error parts of a stream. */
async function toldBy(asked) {
  const stream = streamText({ ...asked, maxRetries: 0, onError: () => {} });
  const parts = [];
  for await (const part of stream.fullStream) parts.push(part);
  assert.equal(parts.filter((part) => part.type === "finish" && part.finishReason === "stop").length, 0);
  return parts.filter((part) => part.type === "error").map((part) => part.error);
}

test("errors", async () => {
  for (const [type, status] of Object.entries(ERRORS)) {
    const asked = { ...said, model: simulating(`error=${type}`) };
    const error = await thrownBy(asked);
    assert.equal(error.statusCode, status);
    assert.equal(error.isRetryable, [409, 429, 500, 529].includes(status));
    assert.match(error.responseHeaders["x-request-id"], /^req_/);
    const [streamed] = await toldBy(asked);
    assert.equal(streamed.statusCode, status);
    assert.equal(streamed.message, error.message);
  }
  const refused = await thrownBy({ ...said, temperature: 3 });
  assert.equal(refused.data.error.param, "temperature");
  const unknown = await thrownBy({ ...said, model: open(process.env.CHATCOMPAT_URL, {}, "nope") });
  assert.equal(unknown.data.error.code, "model_not_found");
  for (const fault of ["error=overloaded_error; after=5", "cut=1", "cut=5", "cut-inside=5"]) {
    assert.equal((await toldBy({ ...said, model: simulating(fault) })).length, 1, fault);
  }
});

test("abort", async () => {
  const watched = newName();
  const controller = new AbortController();
  const endless = open(process.env.CHATCOMPAT_OBSERVED_URL, { "x-observe": watched });
  const stream = streamText({ model: endless, prompt: USER, abortSignal: controller.signal });
  for await (const part of stream.fullStream) if (part.type === "text-delta") controller.abort();
  assert.deepEqual(await fateOf(watched), { told: true, end: "cancelled" });
});
