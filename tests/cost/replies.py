"""Replies and streams: those of a walk along the types, and those that are known to be costly."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from chatcompat.wire import message_reply
from tests.cost.fills import CUT_OFF, OBJECTS, STRINGS, Fill, many, string_of
from tests.cost.shapes import HOLE, Place, dumps, places, split

MIB: Final = 1024 * 1024
Stream = Callable[[int], list[bytes]]

BLOCKS: Final[dict[str, Any]] = {
    "text_delta": {"type": "text", "text": ""},
    "citations_delta": {"type": "text", "text": ""},
    "thinking_delta": {"type": "thinking", "thinking": ""},
    "signature_delta": {"type": "thinking", "thinking": "x"},
    "input_json_delta": {"type": "tool_use", "id": "x", "name": "x", "input": {}},
}
START: Final = {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 1}}}
END: Final = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}
STOP: Final = {"type": "message_stop"}


def frame(data: bytes) -> bytes:
    """One event on the wire; its name is for readers other than this package."""
    return b"event: message\ndata: %b\n\n" % data


def framed(*events: Any) -> list[bytes]:
    return [frame(dumps(event)) for event in events]


# ---------------------------------------------------------------- the walk


def around(event: Any) -> tuple[list[bytes], list[bytes]]:
    """What comes before an event and behind it, so that it has its place."""
    if event == HOLE:
        return framed(START), framed(STOP)
    kind = event["type"]
    before, after = framed(START), framed(END, STOP)
    if kind == "message_start":
        return [], after
    if kind == "message_delta":
        return before, framed(STOP)
    if kind == "content_block_delta" and isinstance(event.get("delta"), dict):
        block = BLOCKS.get(event["delta"]["type"], BLOCKS["text_delta"])
        before += framed({"type": "content_block_start", "index": 1, "content_block": block})
        after = framed({"type": "content_block_stop", "index": 1}) + after
    return before, after


def generated_streams() -> Iterator[tuple[str, Stream]]:
    """Each place of each event grown, and each event many times."""
    for struct in message_reply.Event.__args__:
        tag = struct.__struct_config__.tag
        found = places(struct)
        for place in found:
            for name, fill in place.fills.items():
                yield f"{place.name}: {name}", _one_grown(place, fill)
        for place in found:
            if place.name != f"<{tag}>":
                yield from _many_events(place)


def _one_grown(place: Place, fill: Fill) -> Stream:
    event = place.document
    before, after = around(event)
    head, tail = split(event, HOLE)
    return lambda size: [*before, frame(head + fill(size) + tail), *after]


def _many_events(place: Place) -> Iterator[tuple[str, Stream]]:
    """The event of a place again and again, with a short text in the place; at one index, or each at its own."""
    if not any(name in place.fills for name in ("letters", "many")):
        return
    event = json.loads(dumps(place.document).replace(json.dumps(HOLE).encode(), b'"x"'))
    if event == "x":
        return
    before, after = around(event)
    text = frame(dumps(event))

    def repeated(size: int) -> list[bytes]:
        return [*before, *[text] * max(1, size // len(text)), *after]

    def numbered(size: int) -> list[bytes]:
        count = max(1, size // (len(text) + 4))
        return [*before, *(text.replace(b'"index":1', b'"index":%d' % (number + 2)) for number in range(count)), *after]

    yield f"many {place.name}", repeated
    if b'"index":1' in text:
        yield f"many {place.name} of different indexes", numbered


def generated_replies() -> Iterator[tuple[str, Callable[[int], bytes]]]:
    for place in places(message_reply.Message):
        for shape in place.shapes():
            yield shape.name, shape.make


# ---------------------------------------------------------------- by hand


def _reply(block: str, stop: str = "end_turn") -> Callable[[int], bytes]:
    return lambda size: (
        b'{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[%b],"stop_reason":"%b",'
        b'"usage":{"input_tokens":1,"output_tokens":1}}' % (many(block, size), stop.encode())
    )


def _input(fill: Fill, stop: str = "end_turn") -> Callable[[int], bytes]:
    return lambda size: (
        b'{"id":"msg_1","model":"m","content":[{"type":"tool_use","id":"x","name":"x","input":%b}],"stop_reason":"%b"}'
        % (fill(size), stop.encode())
    )


CITATION: Final = '{"type":"web_search_result_location","url":"http://x","title":"t"}'
REPLIES: Final[dict[str, tuple[Callable[[int], bytes], int]]] = {
    "calls of one id": (_reply('{"type":"tool_use","id":"toolu_1","name":"f","input":{}}'), 2 * MIB),
    "calls of different ids": (_reply('{"type":"tool_use","id":"toolu_#","name":"f","input":{}}'), 2 * MIB),
    "JSON documents": (_reply('{"type":"tool_use","id":"x","name":"x","input":{"value":1}}'), 2 * MIB),
    "texts": (_reply('{"type":"text","text":"a"}'), 2 * MIB),
    "long texts": (_reply('{"type":"text","text":"%s"}' % ("a" * 1000)), 8 * MIB),
    "texts and thinking": (
        _reply('{"type":"text","text":"a"},{"type":"thinking","thinking":"t","signature":"s"}'),
        2 * MIB,
    ),
    "thinking": (_reply('{"type":"thinking","thinking":"a","signature":"s"}'), 2 * MIB),
    "thinking without a signature": (_reply('{"type":"thinking","thinking":"aaaaaaaa"}'), 2 * MIB),
    "redacted thinking": (_reply('{"type":"redacted_thinking","data":"d"}'), 2 * MIB),
    "citations": (_reply('{"type":"text","text":"a","citations":[' + CITATION + "]}"), 2 * MIB),
    "blocks of an unknown type": (_reply('{"type":"new","x":[1]}'), 2 * MIB),
    "paused, texts": (_reply('{"type":"text","text":"a"}', "pause_turn"), 2 * MIB),
    "paused, calls": (_reply('{"type":"server_tool_use","id":"#","name":"f","input":{}}', "pause_turn"), 2 * MIB),
    **{f"input: {name}": (_input(fill), 2 * MIB) for name, fill in OBJECTS.items()},
    **{f"paused, input: {name}": (_input(fill, "pause_turn"), MIB) for name, fill in OBJECTS.items()},
    "usage": (lambda size: b'{"id":"m","model":"m","content":[],"usage":{%b}}' % many('"u#":{"v":1}', size), 2 * MIB),
    "not a message": (lambda size: b"[" * size, 2 * MIB),
}


def _block_start(block: Any, index: int = 0) -> Any:
    return {"type": "content_block_start", "index": index, "content_block": block}


def _block_stop(index: int = 0) -> Any:
    return {"type": "content_block_stop", "index": index}


def _deltas(block: Any, delta: Any, *, stop: str = "end_turn") -> Stream:
    """One block of many deltas."""
    text = frame(dumps({"type": "content_block_delta", "index": 0, "delta": delta}))
    end = {**END, "delta": {"stop_reason": stop}}
    before, after = framed(START, _block_start(block)), framed(_block_stop(), end, STOP)
    return lambda size: [*before, *[text] * max(1, size // len(text)), *after]


def _blocks(block: Any, *, closed: bool = True, stop: str = "end_turn", numbered: bool = True) -> Stream:
    end = {**END, "delta": {"stop_reason": stop}}

    def make(size: int) -> list[bytes]:
        one = len(b"".join(framed(_block_start(block), _block_stop()))) + 8
        frames: list[bytes] = framed(START)
        for number in range(max(1, size // one)):
            index = number if numbered else 0
            frames += framed(_block_start(block, index), *([_block_stop(index)] if closed else []))
        return [*frames, *framed(end, STOP)]

    return make


def _input_pieces(fill: Fill, piece: int, stop: str = "end_turn") -> Stream:
    """One call whose input comes in pieces of its text."""
    end = {**END, "delta": {"stop_reason": stop}}

    def make(size: int) -> list[bytes]:
        whole = fill(size).decode()
        cut = [whole[start : start + piece] for start in range(0, len(whole), piece)]
        deltas = [
            {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": text}}
            for text in cut
        ]
        return framed(START, _block_start(BLOCKS["input_json_delta"]), *deltas, _block_stop(), end, STOP)

    return make


def _one_delta(fill: Fill) -> Stream:
    """One text delta, written as servers do."""
    before, after = framed(START, _block_start(BLOCKS["text_delta"])), framed(_block_stop(), END, STOP)
    head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
    head += b'{"type":"text_delta","text":'
    return lambda size: [*before, head + fill(size) + b"}}\n\n", *after]


def _in_turn(*deltas: Any) -> Stream:
    """Blocks that are open at once. Their deltas, written as servers do, come in turn."""
    texts = [
        b"event: content_block_delta\ndata: %b\n\n"
        % dumps({"type": "content_block_delta", "index": index, "delta": delta})
        for index, delta in enumerate(deltas)
    ]
    before = framed(START, *(_block_start(BLOCKS[delta["type"]], index) for index, delta in enumerate(deltas)))
    turn = len(b"".join(texts))
    return lambda size: [*before, *texts * max(1, size // turn), *framed(END, STOP)]


def _lines(line: bytes) -> Stream:
    return lambda size: [*framed(START), line * (size // len(line)), *framed(END, STOP)]


TEXT: Final = {"type": "text", "text": ""}
THINKING: Final = {"type": "thinking", "thinking": "", "signature": ""}
USE: Final = BLOCKS["input_json_delta"]
WEB: Final = {"type": "web_search_result_location", "url": "http://x", "title": "t"}
_THOUGHT: Final = {"type": "thinking_delta", "thinking": "t"}
_INPUT: Final = {"type": "input_json_delta", "partial_json": " "}
_TEXT_DELTA: Final = {"type": "text_delta", "text": "a"}

STREAMS: Final[dict[str, tuple[Stream, int]]] = {
    **{
        f"{name}{how}": (_deltas(block, delta, stop=stop), MIB // 2)
        for how, stop in {"": "end_turn", ", paused": "pause_turn"}.items()
        for name, block, delta in (
            ("text deltas", TEXT, _TEXT_DELTA),
            ("long text deltas", TEXT, {"type": "text_delta", "text": "a" * 500}),
            ("text deltas that are not ASCII", TEXT, {"type": "text_delta", "text": "\u2028"}),
            ("thinking deltas", THINKING, {"type": "thinking_delta", "thinking": "a"}),
            ("signature deltas", THINKING, {"type": "signature_delta", "signature": "a"}),
            ("citation deltas", TEXT, {"type": "citations_delta", "citation": WEB}),
            ("input deltas", USE, {"type": "input_json_delta", "partial_json": " "}),
            ("deltas of an unknown type", TEXT, {"type": "new_delta", "x": 1}),
        )
    },
    **{
        f"{name}{how}": (_blocks(block, stop=stop), MIB // 2)
        for how, stop in {"": "end_turn", ", paused": "pause_turn"}.items()
        for name, block in (
            ("text blocks", {"type": "text", "text": "a"}),
            ("calls of one id", USE),
            ("thinking blocks", {"type": "thinking", "thinking": "t", "signature": "s"}),
            ("redacted blocks", {"type": "redacted_thinking", "data": "d"}),
            ("blocks of an unknown type", {"type": "new"}),
        )
    },
    "text blocks that stay open": (_blocks({"type": "text", "text": "a"}, closed=False), MIB // 2),
    "calls that stay open": (_blocks(USE, closed=False), MIB // 2),
    "thinking blocks that stay open": (_blocks({"type": "thinking", "thinking": "t"}, closed=False), MIB // 2),
    "text blocks of one index": (_blocks({"type": "text", "text": "a"}, closed=False, numbered=False), MIB // 2),
    "usage deltas": (lambda size: framed(START, *[END] * (size // 110), STOP), MIB // 2),
    "usage of many names": (
        lambda size: [
            *framed(START),
            *(frame(b'{"type":"message_delta","delta":{},"usage":{"u%d":1}}' % number) for number in range(size // 80)),
            *framed(END, STOP),
        ],
        MIB // 2,
    ),
    "pings": (lambda size: framed(START, *[{"type": "ping"}] * (size // 40), END, STOP), MIB // 2),
    "events of an unknown type": (lambda size: framed(START, *[{"type": "new"}] * (size // 40), END, STOP), MIB // 2),
    **{f"one text delta of {name}": (_one_delta(fill), 2 * MIB) for name, fill in STRINGS.items()},
    "one text delta of escapes and letters": (_one_delta(string_of("\\na")), 4 * MIB),
    **{
        f"input: {name}": (_input_pieces(fill, 1000), MIB)
        for name, fill in {**OBJECTS, **CUT_OFF}.items()
        if name not in ("deep objects", "deep lists")
    },
    **{
        f"{kind} as servers write it": (_in_turn(delta), MIB // 2)
        for kind, delta in {"text_delta": _TEXT_DELTA, "thinking_delta": _THOUGHT, "input_json_delta": _INPUT}.items()
    },
    "text, thinking and input in turn": (_in_turn(_TEXT_DELTA, _THOUGHT, _INPUT), MIB // 2),
    "the input of two calls in turn": (_in_turn(_INPUT, _INPUT), MIB // 2),
    "input in small pieces": (_input_pieces(OBJECTS["a string of letters"], 4), MIB),
    "input in small pieces, paused": (_input_pieces(OBJECTS["a string of letters"], 4, "pause_turn"), MIB),
    "input: a prefill of spaces": (_input_pieces(lambda size: b" " * size + b"{}", 1000), MIB // 2),
    "empty lines": (_lines(b"\n"), MIB // 2),
    "lines that end in CR": (_lines(b"\r"), MIB // 2),
    "comments": (_lines(b":\n\n"), MIB // 2),
    "lines of no field": (_lines(b"x\n"), MIB // 2),
    "data lines": (_lines(b"data:\n"), MIB // 2),
    "data lines of CRLF": (_lines(b"data: x\r\n"), MIB // 2),
    "a line without end": (lambda size: [*framed(START), b"data: " + b"a" * size], 4 * MIB),
    "a comment without end": (lambda size: [*framed(START), b":" + b"a" * size], 4 * MIB),
}
