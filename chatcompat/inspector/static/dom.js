// Elements are made here, and only here. Text becomes text: nothing is ever parsed as HTML.

export const find = (id) => document.getElementById(id);

export function make(tag, classes = "", ...children) {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  element.append(...children.map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))));
  return element;
}

export function draw(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export function later(milliseconds, call) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(call, milliseconds);
  };
}

export const milliseconds = (seconds) =>
  seconds === null
    ? "\u2013"
    : seconds >= 10
      ? `${seconds.toFixed(1)} s`
      : `${(seconds * 1000).toFixed(seconds < 0.1 ? 1 : 0)} ms`;

// Controls and marks that change the order of text are shown as escapes.
export const visible = (text) =>
  text.replace(/[\p{Cc}\p{Cf}]/gu, (char) =>
    char === "\n" || char === "\t" ? char : `\\u${char.codePointAt(0).toString(16).padStart(4, "0")}`,
  );
