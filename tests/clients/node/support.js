// What the tests of both clients say, and what becomes of a stream whose client left.

import { randomUUID as newName } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

export { newName };

export const model = "caicaini/auto";
export const SYSTEM = "You are concise.";
export const USER = "Say hello to Zo\u00eb \u{1f44b}";
export const PIXEL =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==";

/** What became of the stream, as the service saw it, once it has ended. */
export async function fateOf(name) {
  for (;;) {
    const seen = await (await fetch(`${process.env.CHATCOMPAT_OBSERVED_URL}/observed/${name}`)).json();
    if (seen.end !== null) return seen;
    await sleep(20);
  }
}
