// The page as a whole: examples, typing, keys.

import { find, later, make } from "./dom.js";
import * as editor from "./editor.js";
import { follow, refresh } from "./recent.js";
import { run, stop } from "./run.js";
import { translate } from "./translation.js";

const TYPING = 150; // milliseconds without a key before the text is translated

const translateSoon = later(TYPING, translate);
find("request").addEventListener("input", () => {
  editor.redraw();
  for (const button of find("examples").children) button.setAttribute("aria-pressed", "false");
  translateSoon();
});

find("run-form").addEventListener("submit", (event) => {
  event.preventDefault();
  run(refresh);
});
find("stop").addEventListener("click", stop);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run(refresh);
  }
  if (event.key === "Escape") stop();
});

function toText(value, indent = "") {
  const inside = `${indent}  `;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const isList = Array.isArray(value);
  const items = isList
    ? value.map((item) => toText(item, inside))
    : Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${toText(item, inside)}`);
  const short = `${isList ? "[" : "{"}${items.join(", ")}${isList ? "]" : "}"}`;
  if (short.length + indent.length <= 64 && !short.includes("\n")) return short;
  return `${isList ? "[" : "{"}\n${items.map((item) => inside + item).join(",\n")}\n${indent}${isList ? "]" : "}"}`;
}

function choose(button, request) {
  for (const other of find("examples").children) other.setAttribute("aria-pressed", String(other === button));
  editor.setText(toText(request));
  translate();
}

const examples = await (await fetch("inspect/examples.json")).json();
for (const { name, request } of examples) {
  const button = make("button", "", name);
  button.type = "button";
  button.addEventListener("click", () => choose(button, request));
  find("examples").append(button);
}
choose(find("examples").children[0], examples[0].request);
follow();
