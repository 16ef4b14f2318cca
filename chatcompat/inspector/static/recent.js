// The last exchanges of the server, with a line of their durations.

import { draw, find, make, milliseconds, visible } from "./dom.js";

const INTERVAL = 4_000; // milliseconds
const SHOWN = 15;
let newest = -1;

export async function refresh() {
  const reply = await fetch("inspect/recent").catch(() => null);
  if (!reply?.ok) return;
  const { exchanges } = await reply.json();
  const last = exchanges.at(-1)?.number ?? 0;
  if (last === newest) return;
  newest = last;
  find("none").hidden = exchanges.length > 0;
  find("exchanges").replaceChildren(...exchanges.slice(-SHOWN).reverse().map(toRow));
  showLatency(exchanges);
}

function toRow(record) {
  const tokens =
    record.completion_tokens === null
      ? "\u2013"
      : `${record.prompt_tokens ?? "\u2013"} \u2192 ${record.completion_tokens}`;
  const end = record.finish_reason ?? record.error_code ?? record.error_type ?? "\u2013";
  return make(
    "tr",
    "",
    make("td", "", new Date(record.at * 1000).toLocaleTimeString("en-GB")),
    make("td", "", visible(record.model ?? "\u2013")),
    make("td", record.error_type ? "wide failed" : "wide", record.status ?? "\u2013"),
    make("td", record.error_type ? "failed" : "", end),
    make("td", "number", tokens),
    make("td", "number wide", record.credits ?? "\u2013"),
    make("td", "number wide", milliseconds(record.first_byte)),
    make("td", "number", milliseconds(record.duration)),
  );
}

function showLatency(exchanges) {
  const durations = exchanges.map((record) => record.duration);
  if (durations.length < 2) {
    find("latency").replaceChildren();
    return;
  }
  const most = Math.max(...durations);
  const x = (index) => (100 * index) / (durations.length - 1);
  const y = (seconds) => 28 - (26 * seconds) / most;
  const svg = draw("svg", { viewBox: "0 0 100 29", preserveAspectRatio: "none", role: "img" });
  const summary = `${durations.length} exchanges, ${milliseconds(Math.min(...durations))} to ${milliseconds(most)}`;
  svg.setAttribute("aria-label", `Latency: ${summary}`);
  svg.append(
    draw("polyline", {
      points: durations.map((value, index) => `${x(index).toFixed(2)},${y(value).toFixed(2)}`).join(" "),
    }),
  );
  find("latency").replaceChildren(svg, make("figcaption", "", summary));
}

export function follow() {
  refresh();
  setInterval(() => {
    if (document.visibilityState === "visible") refresh();
  }, INTERVAL);
  document.addEventListener("visibilitychange", refresh);
}
