"""What an agent session reads from the prompt cache: not cached, in automatic mode, and with our own breakpoints.

    python benchmarks/caching.py

A chat client runs sessions of 30 turns through the middleware, in front of the simulator, which models the cache as the
native service documents it. In each turn the user asks, the model calls two tools at once, and answers from their
results. Nothing is measured in time, so the figures are the same on every machine. "Price" is what the input costs,
compared with the same session without a cache: a token that is read costs 0.1, one that is written 1.25, or 2 for an
hour.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.asgi import exchange
from benchmarks.report import markdown
from chatcompat import ChatCompatMiddleware, Dialect
from chatcompat.simulator import create_app

TURNS = 30
MODES = ("off", "automatic", "breakpoints")
READ, WRITTEN, WRITTEN_1H = 0.1, 1.25, 2.0

NAMES = ("search", "read_file", "list_files", "write_file", "run_tests", "open_page", "query", "diff", "plan", "notify")
SYSTEM = "You are an agent that works on a repository. Read before you write, and run the tests. " * 60
RESULT = "one line of the file that the tool has read, as it is in the repository\n" * 20

Json = dict[str, Any]


@dataclass(frozen=True)
class Session:
    """How a client and its user behave."""

    name: str
    parts: int = 1  # text parts in each message of the user
    kept: int = 0  # messages that the client sends; 0 for all
    pause: float = 30.0  # seconds between two turns
    ttl: str | None = None  # `prompt_cache_options.ttl`


SESSIONS = (
    Session("30 turns"),
    Session("messages of 25 parts", parts=25),
    Session("the client sends its last 20 messages only", kept=20),
    Session("pauses of 10 minutes", pause=600.0),
    Session('pauses of 10 minutes, with `prompt_cache_options: {"ttl": "30m"}`', pause=600.0, ttl="30m"),
)


@dataclass
class Tokens:
    """The input of a session."""

    requests: int = 0
    all: int = 0
    read: int = 0
    written: int = 0
    written_1h: int = 0

    @property
    def share(self) -> float:
        """The part of the input that was read from the cache."""
        return self.read / self.all

    @property
    def price(self) -> float:
        """The price of the input, compared with the price without a cache."""
        short = self.written - self.written_1h
        plain = self.all - self.read - self.written
        return (plain + self.read * READ + short * WRITTEN + self.written_1h * WRITTEN_1H) / self.all

    def add(self, usage: Json) -> None:
        """Count one request."""
        cached = usage.get("prompt_tokens_details") or {}
        self.requests += 1
        self.all += usage["prompt_tokens"]
        self.read += cached.get("cached_tokens", 0)
        self.written += cached.get("cache_write_tokens", 0)
        self.written_1h += usage["cache_creation"]["ephemeral_1h_input_tokens"]


def tool(name: str) -> Json:
    """A tool as agents have them."""
    properties = {f"{name}_{field}": {"type": "string", "description": f"The {field} to use."} for field in "abcdef"}
    parameters = {"type": "object", "properties": properties}
    return {
        "type": "function",
        "function": {"name": name, "description": f"Use {name}. " * 8, "parameters": parameters},
    }


def questions(session: Session, turns: int) -> Iterator[Json]:
    """The messages of the user. Each names the two tools that the model is to call."""
    for turn in range(turns):
        named = f"{NAMES[turn % len(NAMES)]} and {NAMES[(turn + 3) % len(NAMES)]}"
        parts = [{"type": "text", "text": f"Step {turn}, note {part}."} for part in range(session.parts - 1)]
        yield {"role": "user", "content": [*parts, {"type": "text", "text": f"Step {turn}: call {named}."}]}


def sent(messages: list[Json], kept: int) -> list[Json]:
    """The messages that a client sends: all, or the last ones from a user's message on."""
    start = max(1, len(messages) - kept) if kept else 1
    while messages[start]["role"] != "user":
        start += 1
    return [messages[0], *messages[start:]]


async def run(session: Session, mode: str, turns: int = TURNS) -> Tokens:
    """Run one session, and count its input."""
    now = 0.0
    dialect = Dialect(caching=mode)  # type: ignore[arg-type]
    app = ChatCompatMiddleware(create_app(clock=lambda: now), dialect=dialect)
    tokens = Tokens()
    messages: list[Json] = [{"role": "system", "content": SYSTEM}]
    fixed: Json = {"model": "sim-1", "max_tokens": 1_024, "tools": [tool(name) for name in NAMES]}
    if session.ttl is not None:
        fixed["prompt_cache_options"] = {"ttl": session.ttl}
    for question in questions(session, turns):
        messages.append(question)
        finish = "tool_calls"
        while finish == "tool_calls":
            pieces: list[bytes] = []
            await exchange(app, json.dumps({**fixed, "messages": sent(messages, session.kept)}).encode(), pieces.append)
            reply = json.loads(b"".join(pieces))
            tokens.add(reply["usage"])
            message, finish = reply["choices"][0]["message"], reply["choices"][0]["finish_reason"]
            messages.append(message)
            messages += [
                {"role": "tool", "tool_call_id": call["id"], "content": RESULT}
                for call in message.get("tool_calls") or ()
            ]
            now += 5.0
        now += session.pause
    return tokens


def row(session: Session, modes: dict[str, Tokens]) -> list[str]:
    """The row of a session in the table."""
    figures = [f"{modes[mode].share:.1%} ({modes[mode].price:.2f})" for mode in MODES]
    return [session.name, str(modes["off"].requests), f"{modes['off'].all:,}", *figures]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=TURNS, help="turns of each session (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args()
    results = {
        session: {mode: asyncio.run(run(session, mode, options.turns)) for mode in MODES} for session in SESSIONS
    }
    head = ["session", "requests", "input tokens", *(f"{mode}: read (price)" for mode in MODES)]
    print(markdown(head, [row(session, modes) for session, modes in results.items()]))
    if options.json is not None:
        plain = {one.name: {mode: vars(tokens) for mode, tokens in modes.items()} for one, modes in results.items()}
        options.json.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
