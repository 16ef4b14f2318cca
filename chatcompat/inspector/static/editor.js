// The chat request on the left: a text area, in front of lines that carry the colours of the fates.

import { find, make } from "./dom.js";
import { nearest, positionsIn } from "./positions.js";

const MAX_COLOURED = 200_000; // characters; a longer text has no coloured lines

const request = find("request");
const backdrop = find("backdrop");
let positions = new Map();
let rows = [];

export const text = () => request.value;

export function setText(value) {
  request.value = value;
  redraw();
}

export function redraw() {
  const value = request.value;
  const isShort = value.length <= MAX_COLOURED;
  positions = isShort ? positionsIn(value) : new Map();
  rows = (isShort ? value.split("\n") : [value]).map((line) => make("div", "", line || " "));
  backdrop.replaceChildren(...rows);
}

export function colour(fields) {
  for (const row of rows) row.className = "";
  for (const { fate, places } of fields) {
    if (fate === "mapped" || fate === "neutral") continue;
    for (const place of places) each(place, (row) => row.classList.add(fate));
  }
}

export function point(sources) {
  for (const row of rows) row.classList.remove("source");
  for (const source of sources) each(source, (row) => row.classList.add("source"));
  backdrop.querySelector(".source")?.scrollIntoView({ block: "nearest" });
}

function each(path, call) {
  const [first, last] = nearest(positions, path) ?? [0, -1];
  rows.slice(first, last + 1).forEach(call);
}
