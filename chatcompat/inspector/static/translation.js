// The messages request on the right, line by line beside where each line comes from.

import { find, make } from "./dom.js";
import * as editor from "./editor.js";

const lines = find("lines");
const NAMES = { added: "default", neutral: "neutral" };
let shown = [];
let current = -1;
let asked = null;

export let cost = null; // microseconds of the last translation

export async function translate() {
  asked?.abort();
  asked = new AbortController();
  try {
    const answer = await fetch("inspect/translate", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: editor.text(),
      signal: asked.signal,
    });
    const body = await answer.json();
    show(answer.ok ? body : { refusal: { status: answer.status, ...body.error, why: "" } });
  } catch (error) {
    if (error.name !== "AbortError") show({ refusal: { status: 0, message: "The server does not answer.", why: "" } });
  }
}

function show({ refusal, request, report }) {
  find("refusal").hidden = !refusal;
  lines.classList.toggle("stale", Boolean(refusal));
  if (refusal) {
    showRefusal(refusal);
    return;
  }
  cost = request.microseconds < 100 ? request.microseconds.toFixed(1) : String(Math.round(request.microseconds));
  find("translated").textContent = `${request.bytes.toLocaleString("en")} bytes \u00b7 translated in ${cost} \u00b5s`;
  showLines(report);
  showUnsent(report.fields.filter((field) => !field.sent));
  editor.colour(report.fields);
}

function showRefusal({ status, message, param, code, why }) {
  const place = param ? [" at ", make("code", "", param)] : [];
  const head = make("strong", "", `refused${status ? ` ${status}` : ""}`);
  const reason = why && !message.includes(why) ? make("p", "", why) : "";
  find("refusal").replaceChildren(head, " \u00b7 ", message ?? "", ...place, code ? ` (${code})` : "", reason);
  find("translated").textContent = "nothing is sent; below is the last request that was";
  find("unsent").replaceChildren();
  cost = null;
  editor.colour(param ? [{ fate: "refused", places: [param] }] : []);
}

function showLines(report) {
  shown = report.lines;
  let before = null;
  const rows = shown.map((line, index) => {
    const from = line.sources.join(", ") || (line.fate === "added" ? line.why : "");
    const isEnd = /^[\]}]/.test(line.text); // its beginning has the source
    const isSame = !isEnd && from !== "" && from === before;
    before = isEnd ? before : from;
    const source = make(
      "span",
      isSame || isEnd ? "from same" : "from",
      make("bdi", "", isEnd ? "" : isSame ? "\u2033" : from),
    );
    source.title = from;
    const row = make("div", `line ${line.fate} d${Math.min(line.depth, 8)}`, source, make("span", "json", line.text));
    row.id = `line-${index}`;
    row.setAttribute("role", "option");
    row.setAttribute("aria-label", `${line.text}, ${NAMES[line.fate] ?? line.fate}, from ${from || "nothing"}`);
    row.setAttribute("aria-selected", "false");
    row.dataset.index = index;
    return row;
  });
  if (report.more) rows.push(make("p", "facts", "Further lines are not shown."));
  lines.replaceChildren(...rows);
  select(Math.min(current, shown.length - 1), { quietly: true });
}

function showUnsent(fields) {
  const rows = fields.map(({ path, fate, why, places }) => {
    const name = make("button", "from", path);
    name.type = "button";
    name.addEventListener("click", () => editor.point(places));
    return make("div", fate, name, make("span", "", fate), make("span", "why", why));
  });
  if (rows.length) rows.unshift(make("h3", "", "Not in the messages request"));
  find("unsent").replaceChildren(...rows);
}

function select(index, { quietly = false } = {}) {
  const before = lines.querySelector(".current");
  before?.classList.remove("current");
  before?.setAttribute("aria-selected", "false");
  current = index;
  const row = find(`line-${index}`);
  if (!row) return;
  row.classList.add("current");
  row.setAttribute("aria-selected", "true");
  lines.setAttribute("aria-activedescendant", row.id);
  const { path, sources, fate, why } = shown[index];
  const name = NAMES[fate] ?? fate;
  find("detail").textContent =
    `${path || "the whole request"} \u2190 ${sources.join(", ") || "added"} \u00b7 ${name}${why ? `: ${why}` : ""}`;
  if (quietly) return;
  row.scrollIntoView({ block: "nearest" });
  editor.point(sources);
}

lines.addEventListener("click", (event) => {
  const row = event.target.closest(".line");
  if (row) select(Number(row.dataset.index));
});
lines.addEventListener("keydown", (event) => {
  const last = shown.length - 1;
  const next = {
    ArrowDown: Math.min(current + 1, last),
    ArrowUp: Math.max(current - 1, 0),
    Home: 0,
    End: last,
    PageDown: Math.min(current + 10, last),
    PageUp: Math.max(current - 10, 0),
  }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  select(next);
});
