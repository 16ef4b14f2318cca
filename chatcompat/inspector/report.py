"""Describe a translation: the lines of the messages request, their sources and their fates."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Struct

from chatcompat.errors import InvalidRequest
from chatcompat.inspector.parts import Node
from chatcompat.inspector.reasons import REASONS, UNKNOWN
from chatcompat.inspector.sources import DEFAULT, Origin, Sources
from chatcompat.request.fields import FATES, Mapped, Refused

MAX_LINES: Final = 2_000
MAX_TEXT: Final = 400  # characters of one line
MAX_FIELDS: Final = 256
MAX_PLACES: Final = 64  # places of one field that are named

FateName = Literal["mapped", "adjusted", "added", "ignored", "refused", "neutral"]


class Line(Struct):
    """A line of the messages request.

    Attributes:
        text: The line, without its indentation.
        depth: The level of indentation.
        path: The native path of the value.
        sources: Paths in the chat request.
        fate: What happened to the source.
        why: The reason.
    """

    text: str
    depth: int
    path: str
    sources: list[str]
    fate: FateName
    why: str


class Field(Struct):
    """A field of the chat request.

    Attributes:
        path: The field, without indexes.
        fate: What happened to it.
        why: The reason.
        sent: Whether a line of the messages request comes from it.
        places: Where it is in the chat request.
    """

    path: str
    fate: FateName
    why: str
    sent: bool
    places: list[str]


class Report(Struct):
    """The lines of a messages request, and the fields of the chat request that it was made from.

    Attributes:
        lines: The first lines of the messages request.
        more: Whether there are more.
        fields: The fields of the chat request.
    """

    lines: list[Line]
    more: bool
    fields: list[Field]


class Refusal(Struct):
    """Why a request is refused.

    Attributes:
        status: The HTTP status.
        message: What is wrong.
        param: The path of the field that is wrong.
        code: A stable name of the error.
        why: The reason from the table of fates, if the whole field is refused.
    """

    status: int
    message: str
    param: str | None
    code: str | None
    why: str


class _Digits(str):
    """A number as it is written."""

    __slots__ = ()


_decode = msgspec.json.Decoder(float_hook=_Digits).decode


def to_refusal(error: InvalidRequest) -> Refusal:
    """Describe a refusal, with the reason from the table of fates if the whole field is refused."""
    fate = FATES.get(error.param or "")
    why = fate.why if isinstance(fate, Refused) else ""
    return Refusal(error.status, error.message, error.param, error.code, why)


def to_report(chat_body: bytes, native_body: bytes, ignored: Sequence[str], unknown: Sequence[str]) -> Report:
    """Describe a translation. `ignored` are the paths that it reports. The API does not have those in `unknown`."""
    chat, native = _decode(chat_body), _decode(native_body)
    sources = Sources(chat, native)
    fates = _Fates(sources.root, {path: UNKNOWN if path in unknown else reason(path) for path in ignored})
    rows = _rows(native, sources)
    lines = [fates.line_of(row) for row in islice(rows, MAX_LINES)]
    more = next(rows, None) is not None
    return Report(lines, more, [*islice(fates.fields(more=more), MAX_FIELDS)])


def to_header_lines(version: str, betas: tuple[str, ...]) -> list[Line]:
    """The headers that the translation sets."""
    headers = {"anthropic-version": version} | ({"anthropic-beta": ", ".join(betas)} if betas else {})
    return [Line(shown(f"{name}: {value}"), 0, name, [], "added", DEFAULT) for name, value in headers.items()]


class _Row(NamedTuple):
    text: str
    value: Any
    depth: int
    path: str
    origin: Origin
    comma: str
    is_end: bool = False


def _rows(native: dict[str, Any], sources: Sources) -> Iterator[_Row]:
    """The lines of indented JSON."""
    stack = [_Row("", native, 0, "", Origin((sources.root,)), "")]
    while stack:
        row = stack.pop()
        value, path, comma = row.value, row.path, row.comma
        is_list = isinstance(value, list)
        if row.is_end or not (is_list or isinstance(value, dict)) or not value:
            yield row._replace(text=f"{row.text}{'' if row.is_end else _json(value)}{comma}")
            continue
        yield row._replace(text=f"{row.text}{'[' if is_list else '{'}")
        stack.append(row._replace(text="]" if is_list else "}", is_end=True))
        inside: list[_Row] = []
        items: Iterable[tuple[Any, Any]] = enumerate(value) if isinstance(value, list) else value.items()
        for key, item in items:
            below = f"{path}[{key}]" if is_list else f"{path}.{key}" if path else key
            origin = sources.of_child(row.origin, below, key) if path else sources.of_field(key)
            label = "" if is_list else f"{_json(key)}: "
            comma = "," if len(inside) < len(value) - 1 else ""
            inside.append(_Row(label, item, row.depth + 1, below, origin, comma))
        stack += reversed(inside)


def _json(value: Any) -> str:
    return str(value) if isinstance(value, _Digits) else json.dumps(value, ensure_ascii=False)


def shown(text: str) -> str:
    """Text for people: shortened, with escapes for characters that are invisible or change the direction of text."""
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}\u2026 {len(text) - MAX_TEXT:,} more characters"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    """A character as JSON escapes it."""
    code = char.encode("utf-16-be").hex()
    return "".join(f"\\u{code[at : at + 4]}" for at in range(0, len(code), 4))


# ---------------------------------------------------------------- fates


def reason(path: str) -> str:
    """Why the field at this path is ignored or adjusted."""
    if (fate := FATES.get(path)) is not None:
        return fate.to if isinstance(fate, Mapped) else fate.why
    return REASONS.get(path, UNKNOWN)


class _Fates:
    """Decides the fate of each line, and then the fate of each field."""

    def __init__(self, root: Node, reported: dict[str, str]) -> None:
        self._root = root
        self._reported = reported
        self._sent: set[str] = set()  # places that a line comes from, and all places around them
        self._changed: set[str] = set()  # the same for lines that are adjusted

    def line_of(self, row: _Row) -> Line:
        """The line of a row, with its fate."""
        paths = [node.path for node in row.origin.nodes if node.path]
        places = {above for path in paths for above in _above(path)}
        fate, why = self._fate_of(row)
        self._sent |= places
        if fate == "adjusted":
            self._changed |= places
        return Line(shown(row.text), row.depth, row.path, paths, fate, why)

    def _fate_of(self, row: _Row) -> tuple[FateName, str]:
        nodes = row.origin.nodes
        if not nodes:
            return "added", row.origin.note
        if row.path == "model" and row.value != nodes[0].value:
            return "adjusted", "an alias of this server"
        if self._reported and any(node.value != row.value for node in nodes):
            above = {path for node in nodes for at in (node.general, node.path) for path in _above(at)}
            if why := [text for path, text in self._reported.items() if path in above]:
                return "adjusted", "; ".join(why)
        field = FATES.get(_top(nodes[0].path))
        return "mapped", field.to if isinstance(field, Mapped) else ""

    def fields(self, *, more: bool) -> Iterator[Field]:
        """The fields of the chat request in order, then the reported parts of fields.

        `more` says that some lines were not described.
        """
        for name in self._root.value:
            if name in self._reported or name in FATES:
                yield self._field(name, more=more)
        for path in self._reported:
            if path not in self._root.value:
                yield self._field(path, more=more)

    def _field(self, path: str, *, more: bool) -> Field:
        fate = FATES.get(_top(path))
        unseen = more and isinstance(fate, Mapped)
        places = [node.path for node in islice(_places(self._root, path), MAX_PLACES)]
        unsent = [] if unseen else [place for place in places if place not in self._sent]
        if path not in self._reported:
            if not places:
                return Field(path, "neutral", "null means not set", False, [path])
            if isinstance(fate, Mapped):
                return Field(path, "mapped", fate.to, not unsent, places)
            return Field(path, "neutral", "this value changes nothing", False, places)
        why = self._reported[path]
        if unsent or not places:
            usual = isinstance(FATES.get(path), Mapped)
            return Field(path, "ignored", f"not in this request; usually {why}" if usual else why, False, unsent)
        return Field(path, "adjusted", why, True, [place for place in places if place in self._changed] or places)


def _above(path: str) -> Iterator[str]:
    """A path, and the paths of everything around it."""
    yield path
    for index, char in enumerate(path):
        if char in ".[":
            yield path[:index]


def _top(path: str) -> str:
    """The field of the request that a path is in."""
    return path.partition(".")[0].partition("[")[0]


def _places(root: Node, path: str) -> Iterator[Node]:
    """All places in the chat request at a path without indexes."""
    nodes = [root]
    for step in path.split("."):
        name, *lists = step.split("[")
        nodes = [found for node in nodes if (found := node.step(name)) is not None]
        for index in lists:
            at = index.removesuffix("]")
            if at.isdigit():
                nodes = [found for node in nodes if (found := node.step(int(at))) is not None]
            else:
                nodes = [item for node in nodes for item in node.items()]
    yield from nodes
