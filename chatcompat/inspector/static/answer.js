// The joined answer of a run: its text, thinking, calls and error, from chunks or from a whole completion.

import { make } from "./dom.js";

const MAX_JOINED = 200_000; // characters of each text

export class Answer {
  constructor() {
    this.choices = new Map();
    this.problem = "";
  }

  take({ data }) {
    let body = null;
    try {
      body = JSON.parse(data ?? "null");
    } catch {
      return; // [DONE], or a piece of a reply that is too long to show
    }
    if (body?.error) this.problem = `${body.error.message} (${body.error.code ?? body.error.type})`;
    for (const { index, delta, message } of body?.choices ?? []) this.join(index, delta ?? message ?? {});
  }

  join(index, delta) {
    if (!this.choices.has(index)) this.choices.set(index, { thought: "", text: "", calls: [] });
    const choice = this.choices.get(index);
    choice.thought = (choice.thought + (delta.reasoning_content ?? "")).slice(0, MAX_JOINED);
    choice.text = (choice.text + (delta.content ?? "") + (delta.refusal ?? "")).slice(0, MAX_JOINED);
    (delta.tool_calls ?? []).forEach((call, place) => {
      const at = call.index ?? place;
      choice.calls[at] ??= { name: "", input: "" };
      const said = call.function ?? call.custom ?? {};
      choice.calls[at].name += said.name ?? "";
      choice.calls[at].input = (choice.calls[at].input + (said.arguments ?? said.input ?? "")).slice(0, MAX_JOINED);
    });
  }

  draw(into) {
    const parts = [];
    for (const { thought, text, calls } of this.choices.values()) {
      if (thought) parts.push(make("p", "thought", thought));
      if (text) parts.push(make("p", "text", text));
      for (const call of calls.filter(Boolean)) parts.push(make("pre", "call", `${call.name}(${call.input})`));
    }
    if (this.problem) parts.push(make("p", "problem", this.problem));
    into.replaceChildren(...parts);
  }
}
