// A run: native events and chunks side by side as they stream, and what they come to.

import { find, make, milliseconds, visible } from "./dom.js";
import { Answer } from "./answer.js";
import * as editor from "./editor.js";
import { cost } from "./translation.js";

const MAX_ROWS = 400;
const MAX_FRAMES = 2_000; // in these rows
const MAX_SHOWN = 4_000; // characters of one event
const timeline = find("timeline");
let running = null;

export async function run(done) {
  running?.abort();
  const own = new AbortController();
  running = own;
  const view = new View(own);
  find("stop").disabled = false;
  find("run-status").textContent = "running";
  let outcome = "";
  try {
    const key = find("key").value.trim();
    const headers = { "content-type": "application/json", ...(key ? { authorization: `Bearer ${key}` } : {}) };
    const reply = await fetch("inspect/run", { method: "POST", headers, body: editor.text(), signal: own.signal });
    if (!reply.ok) throw new Error((await reply.json()).error.message);
    for await (const frame of frames(reply.body)) view.take(frame);
    outcome = view.ended ? "done" : "the connection broke";
  } catch (error) {
    outcome = own.signal.aborted ? "stopped" : `failed: ${error.message}`;
  }
  if (running !== own) return; // another run has taken its place
  view.draw();
  find("run-status").textContent = outcome;
  find("stop").disabled = true;
  done();
  setTimeout(done, 1_000); // a run that was stopped is on the list a moment later
}

export const stop = () => running?.abort();

async function* frames(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part.slice("data: ".length));
  }
}

class View {
  constructor(own) {
    this.own = own;
    this.rows = new Map();
    this.starts = new Map();
    this.leftOut = 0;
    this.ended = false;
    this.answer = new Answer();
    this.isDrawing = false;
    this.frames = 0;
    timeline.replaceChildren();
    find("facts").replaceChildren();
    find("left-out").textContent = "";
    find("reply").hidden = false;
    this.draw();
  }

  take(frame) {
    if (frame.side === "end") this.end(frame);
    else this.add(this.row(frame.piece, frame.t), frame.side === "native" ? 1 : 2, frame);
    if (frame.side === "chat") this.answer.take(frame);
    if (!this.isDrawing) {
      this.isDrawing = true;
      requestAnimationFrame(() => running === this.own && this.draw());
    }
  }

  draw() {
    this.isDrawing = false;
    this.answer.draw(find("answer"));
    find("left-out").textContent = this.leftOut
      ? `${this.leftOut.toLocaleString("en")} further frames are not shown.`
      : "";
  }

  // A row is one piece that the inner app sent, and what the client got for it.
  row(number, time) {
    let row = this.rows.get(number);
    if (row === undefined && this.rows.size < MAX_ROWS) {
      row = make(
        "li",
        "row",
        make("span", "at", (time / 1000).toFixed(1)),
        make("div", "native"),
        make("div", "chunks"),
      );
      this.rows.set(number, row);
      this.starts.set(number, time);
      timeline.append(row);
    }
    return row;
  }

  add(row, column, frame) {
    this.frames += 1;
    if (row === undefined || this.frames > MAX_FRAMES) {
      this.leftOut += 1;
      return;
    }
    const [title, short] = describe(frame);
    const summary = make("summary", "", make("span", "short", make("b", "", title), title ? " " : "", visible(short)));
    if (column === 2 && frame.piece) {
      summary.append(
        make("span", "after", `+${(frame.t - this.starts.get(frame.piece)).toLocaleString("en")} \u00b5s`),
      );
    }
    const whole = frame.data ?? JSON.stringify({ status: frame.status, ignored: frame.ignored }, null, 1);
    const cut = whole.length > MAX_SHOWN || frame.cut ? "\n\u2026 the rest is not shown" : "";
    row.children[column].append(
      make("details", "", summary, make("pre", "", visible(whole.slice(0, MAX_SHOWN)) + cut)),
    );
  }

  end({ record, request_us: request, reply_us: reply }) {
    this.ended = true;
    const figures = [
      ["status", record?.status],
      ["end", record?.finish_reason ?? record?.error_type],
      ["first byte", record?.first_byte == null ? null : milliseconds(record.first_byte)],
      ["first token", record?.first_token == null ? null : milliseconds(record.first_token)],
      ["duration", record ? milliseconds(record.duration) : null],
      ["tokens in", record?.prompt_tokens],
      ["of these cached", record?.cached_tokens || null],
      ["tokens out", record?.completion_tokens],
      ["of these thinking", record?.reasoning_tokens || null],
      ["tokens a second", record?.tokens_per_second?.toLocaleString("en", { maximumSignificantDigits: 3 })],
      ["credits", record?.credits],
      ["translation", cost === null ? null : `${cost} \u00b5s`],
      ["middleware, request", request === null ? null : `${Math.round(request)} \u00b5s`],
      ["middleware, reply", reply === null ? null : `${Math.round(reply)} \u00b5s`],
    ];
    const known = figures.filter(([, value]) => value !== null && value !== undefined);
    find("facts").replaceChildren(
      ...known.map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value))),
    );
  }
}

function describe({ status, stream, data }) {
  if (status !== undefined) return [`HTTP ${status}`, stream ? "event stream" : "whole"];
  let parsed = null;
  try {
    parsed = JSON.parse(data);
  } catch {
    return ["", data.slice(0, 300)];
  }
  if (typeof parsed !== "object" || parsed === null) return ["", data.slice(0, 300)];
  const delta =
    parsed.delta ?? parsed.content_block ?? parsed.choices?.[0]?.delta ?? parsed.error ?? parsed.usage ?? {};
  const title = parsed.type ?? (parsed.error ? "error" : (parsed.choices?.[0]?.finish_reason ?? ""));
  const fields = Object.entries(delta).filter(([name]) => name !== "type");
  const short = fields.map(([name, value]) => `${name} ${JSON.stringify(value)}`).join("  ");
  return [String(title).slice(0, 60), short.slice(0, 300)];
}
