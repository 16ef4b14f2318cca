"""The workloads: requests, whole replies and streams, as bytes."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

JSON = dict[str, Any]
Call = tuple[str, JSON]

MODEL = "claude-sonnet-4-5"  # the peers look it up in their model tables
EVENTS = 1_000
MIB = 1 << 20

PING = b'{"type":"ping"}'

VOCABULARY = (
    "the of and to in is that for it as with was on be by this are from at or an have not which you all can one file "
    'test value "quoted" request returns naïve line\n error: function path src/app.py (see below) change 42 retry — so'
)
WORDS = VOCABULARY.split(" ")


@dataclass(frozen=True)
class Expected:
    """What a translation must still say."""

    texts: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    thinking: str = ""
    images: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workload:
    """One thing to translate; `native` is what comes back, in the chunks that it comes in."""

    name: str
    kind: Literal["request", "reply", "stream", "session"]
    chat: bytes
    expected: Expected
    native: tuple[bytes, ...] = ()
    events: int = 1  # the time is given for each
    turns: tuple[Workload, ...] = ()  # of a session: each with its request and its stream

    @property
    def size(self) -> int:
        """How many bytes go in."""
        if self.turns:
            return sum(turn.size for turn in self.turns)
        return sum(map(len, self.native)) if self.native else len(self.chat)


def encode(value: Any) -> bytes:
    """JSON as the vendors' clients and servers write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def prose(size: int, seed: int = 0) -> str:
    """About so many characters of text, with what needs escapes in JSON and a little that is not ASCII."""
    pick = random.Random(seed)
    words: list[str] = []
    while size > 0:
        words.append(pick.choice(WORDS))
        size -= len(words[-1]) + 1
    return " ".join(words).strip()


def pieces(text: str, count: int) -> list[str]:
    """Text cut into so many pieces, none of them empty."""
    cuts = [len(text) * index // count for index in range(count + 1)]
    return [text[start:end] for start, end in pairwise(cuts)]


# ---------------------------------------------------------------- requests


def make_tool(index: int) -> JSON:
    """A function tool as an agent offers them."""
    properties: JSON = {
        f"argument_{number}": {
            "type": "string",
            "description": prose(60, number),
            "enum": ["a", "b", "c"][: number + 1],
        }
        for number in range(3)
    }
    properties |= {"limit": {"type": "integer", "minimum": 1}, "paths": {"type": "array", "items": {"type": "string"}}}
    schema = {"type": "object", "properties": properties, "required": ["argument_0"], "additionalProperties": False}
    function = {"name": f"tool_{index}", "description": prose(400, index), "parameters": schema}
    return {"type": "function", "function": function}


def make_call(index: int, size: int = 200) -> tuple[JSON, Call]:
    """A call in the history, and how it must be read."""
    name, arguments = f"tool_{index % 12}", {"argument_0": "a", "limit": index, "paths": [prose(size, index)]}
    function = {"name": name, "arguments": encode(arguments).decode()}
    return {"id": f"toolu_{index:024d}", "type": "function", "function": function}, (name, arguments)


def make_result(index: int, size: int = 1_320) -> JSON:
    """The result of a call."""
    return {"role": "tool", "tool_call_id": f"toolu_{index:024d}", "content": prose(size, index)}


def chat_request(messages: list[JSON], **more: Any) -> bytes:
    """The body of a chat request, in fields that every translator knows."""
    return encode({"model": MODEL, "messages": messages, "max_tokens": 4096, "temperature": 0.2, **more})


def small_request(**more: Any) -> tuple[bytes, Expected]:
    """A system message and a question."""
    system, question = prose(220, 1), prose(180, 2)
    messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    return chat_request(messages, **more), Expected(texts=(system, question))


def agent_request() -> tuple[bytes, Expected]:
    """An agent in the middle of its work: 41 messages, 12 tools."""
    system, task = prose(4_000, 1), prose(600, 2)
    messages: list[JSON] = [{"role": "system", "content": system}, {"role": "user", "content": task}]
    texts, calls, made = [system, task], [], 0
    for turn in range(19):
        text = prose(80, 100 + turn)
        count = 2 if turn == 9 else 1  # one turn calls two tools at once
        some = [make_call(made + more) for more in range(count)]
        results = [make_result(made + more) for more in range(count)]
        messages += [{"role": "assistant", "content": text, "tool_calls": [call for call, _ in some]}, *results]
        texts += [text, *(one["content"] for one in results)]
        calls += [read for _, read in some]
        made += count
    tools = [make_tool(index) for index in range(12)]
    names = tuple(tool["function"]["name"] for tool in tools)
    return chat_request(messages, tools=tools), Expected(tuple(texts), tuple(calls), tools=names)


def vision_request(size: int = MIB) -> tuple[bytes, Expected]:
    """A question about an image of so many base64 characters, a multiple of four."""
    data = base64.b64encode(random.Random(0).randbytes(size * 3 // 4)).decode()
    question = prose(100, 3)
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    message = {"role": "user", "content": [{"type": "text", "text": question}, image]}
    return chat_request([message]), Expected(texts=(question,), images=(data,))


# ---------------------------------------------------------------- replies


USAGE = {
    "input_tokens": 2_095,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 1_024,
    "output_tokens": 503,
    "service_tier": "standard",
}
HEAD = {"id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message", "role": "assistant", "model": MODEL}


def make_reply(content: list[JSON], stop_reason: str) -> bytes:
    """A whole native reply."""
    return encode({**HEAD, "content": content, "stop_reason": stop_reason, "stop_sequence": None, "usage": USAGE})


def text_reply(size: int = 2_000) -> tuple[bytes, Expected]:
    """A reply of so many characters of text."""
    text = prose(size, 4)
    return make_reply([{"type": "text", "text": text}], "end_turn"), Expected(texts=(text,))


def tools_reply() -> tuple[bytes, Expected]:
    """A reply that calls two tools."""
    text, calls = prose(120, 5), [make_call(index)[1] for index in range(2)]
    uses = [
        {"type": "tool_use", "id": f"toolu_{index:024d}", "name": name, "input": arguments}
        for index, (name, arguments) in enumerate(calls)
    ]
    return make_reply([{"type": "text", "text": text}, *uses], "tool_use"), Expected((text,), tuple(calls))


# ---------------------------------------------------------------- streams


def frame(event: JSON) -> bytes:
    """An event as real servers write it."""
    return f"event: {event['type']}\ndata: ".encode() + encode(event) + b"\n\n"


def make_block(index: int, start: JSON, deltas: Sequence[JSON]) -> list[JSON]:
    """The events of one content block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def make_frames(blocks: list[JSON], stop_reason: str) -> list[bytes]:
    """All frames of a stream."""
    message: JSON = {**HEAD, "content": [], "stop_reason": None, "stop_sequence": None, "usage": USAGE}
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    events = [
        {"type": "message_start", "message": message},
        blocks[0],
        {"type": "ping"},
        *blocks[1:],
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 503}},
        {"type": "message_stop"},
    ]
    return [frame(event) for event in events]


def text_frames(count: int = EVENTS) -> tuple[list[bytes], Expected]:
    """A stream of so many text events."""
    text = prose(count * 12, 6)
    deltas = [{"type": "text_delta", "text": piece} for piece in pieces(text, count)]
    return make_frames(make_block(0, {"type": "text", "text": ""}, deltas), "end_turn"), Expected(texts=(text,))


def tool_frames() -> tuple[list[bytes], Expected]:
    """A stream of the arguments of one call."""
    arguments = {"argument_0": "a", "paths": [prose(300, index) for index in range(40)]}
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces(json.dumps(arguments), EVENTS)]
    start = {"type": "tool_use", "id": f"toolu_{0:024d}", "name": "tool_0", "input": {}}
    return make_frames(make_block(0, start, deltas), "tool_use"), Expected(calls=(("tool_0", arguments),))


def thinking_frames() -> tuple[list[bytes], Expected]:
    """A stream of thinking, with a short answer behind it."""
    thinking, answer = prose(EVENTS * 12, 7), "So it is."
    deltas: list[JSON] = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(thinking, EVENTS)]
    deltas.append({"type": "signature_delta", "signature": base64.b64encode(bytes(300)).decode()})
    blocks = make_block(0, {"type": "thinking", "thinking": "", "signature": ""}, deltas)
    blocks += make_block(1, {"type": "text", "text": ""}, [{"type": "text_delta", "text": answer}])
    return make_frames(blocks, "end_turn"), Expected(texts=(answer,), thinking=thinking)


def agent_frames(rounds: int = 10) -> tuple[list[bytes], Expected]:
    """A stream of thinking, text and calls in turns. A quarter of it is thinking, a quarter text, half arguments."""
    count = EVENTS // rounds // 4
    events: list[JSON] = []
    texts, thoughts, calls = [], [], list[Call]()
    for number in range(rounds):
        thoughts.append(prose(count * 12, 3 * number))
        texts.append(prose(count * 12, 3 * number + 1))
        calls.append((f"tool_{number}", {"argument_0": "a", "paths": [prose(count * 22, 3 * number + 2)]}))
        thinking: list[JSON] = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(thoughts[-1], count)]
        signature = {"type": "signature_delta", "signature": base64.b64encode(bytes(300)).decode()}
        said = [{"type": "text_delta", "text": piece} for piece in pieces(texts[-1], count)]
        name, arguments = calls[-1]
        cut = pieces(json.dumps(arguments), 2 * count)
        use = {"type": "tool_use", "id": f"toolu_{number:024d}", "name": name, "input": {}}
        index = 3 * number
        events += make_block(index, {"type": "thinking", "thinking": "", "signature": ""}, [*thinking, signature])
        events += make_block(index + 1, {"type": "text", "text": ""}, said)
        events += make_block(index + 2, use, [{"type": "input_json_delta", "partial_json": piece} for piece in cut])
    return make_frames(events, "tool_use"), Expected(("".join(texts),), tuple(calls), "".join(thoughts))


def turn_frames(number: int) -> tuple[list[bytes], Expected]:
    """A turn of an agent: it thinks, says what it does, and calls a tool. A delta has 12 characters, as above."""
    thinking, text, call = prose(720, 3 * number), prose(360, 3 * number + 1), make_call(number, 660)[1]
    thoughts: list[JSON] = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(thinking, 60)]
    thoughts.append({"type": "signature_delta", "signature": base64.b64encode(bytes(300)).decode()})
    said = [{"type": "text_delta", "text": piece} for piece in pieces(text, 30)]
    cut = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces(encode(call[1]).decode(), 60)]
    use = {"type": "tool_use", "id": f"toolu_{number:024d}", "name": call[0], "input": {}}
    events = make_block(0, {"type": "thinking", "thinking": "", "signature": ""}, thoughts)
    events += make_block(1, {"type": "text", "text": ""}, said) + make_block(2, use, cut)
    return make_frames(events, "tool_use"), Expected((text,), (call,), thinking)


def agent_session(count: int = 30) -> Workload:
    """A whole session of so many turns, whose history grows as most clients keep it: without the thinking."""
    system, task = prose(4_000, 1), prose(600, 2)
    messages: list[JSON] = [{"role": "system", "content": system}, {"role": "user", "content": task}]
    tools = [make_tool(index) for index in range(12)]
    texts, calls = [system, task], list[Call]()
    names = tuple(tool["function"]["name"] for tool in tools)
    turns: list[Workload] = []
    for number in range(count):
        chat = chat_request(messages, tools=tools, stream=True, stream_options={"include_usage": True})
        asked = Workload("request", "request", chat, Expected(tuple(texts), tuple(calls), tools=names))
        frames, expected = turn_frames(number)
        turns += [asked, Workload("stream", "stream", chat, expected, tuple(frames))]
        text, result = expected.texts[0], make_result(number)
        call, said = make_call(number, 660)
        messages += [{"role": "assistant", "content": text, "tool_calls": [call]}, result]
        texts += [text, result["content"]]
        calls.append(said)
    return Workload("session of an agent", "session", b"", Expected(), events=count, turns=tuple(turns))


def in_chunks(frames: Sequence[bytes], count: int) -> tuple[bytes, ...]:
    """So many frames a chunk."""
    return tuple(b"".join(frames[start : start + count]) for start in range(0, len(frames), count))


def make_workloads() -> list[Workload]:
    """All workloads, in the order of the table."""
    workloads = [
        Workload(f"request {name}", "request", *made)
        for name, made in {"small": small_request(), "agent": agent_request(), "vision": vision_request()}.items()
    ]
    asked, streamed = small_request(), small_request(stream=True, stream_options={"include_usage": True})
    for name, (native, expected) in {"text": text_reply(), "tools": tools_reply()}.items():
        workloads.append(Workload(f"reply {name}", "reply", asked[0], expected, (native,)))
    for name, count, (frames, expected) in (
        ("text", 1, text_frames()),
        ("text, 16 a chunk", 16, text_frames()),
        ("tool arguments", 1, tool_frames()),
        ("tool arguments, 16 a chunk", 16, tool_frames()),
        ("thinking", 1, thinking_frames()),
        ("thinking, 16 a chunk", 16, thinking_frames()),
        ("thinking, text and calls in turns", 1, agent_frames()),
        ("thinking, text and calls, 16 a chunk", 16, agent_frames()),
    ):
        workloads.append(Workload(f"stream {name}", "stream", streamed[0], expected, in_chunks(frames, count), EVENTS))
    return [*workloads, agent_session()]
