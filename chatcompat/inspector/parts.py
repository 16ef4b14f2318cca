"""The chat request as a tree of places, and the parts of it that become blocks."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from chatcompat.request.conversation import SYSTEM_TAGS


class Node(NamedTuple):
    """A place in the chat request.

    Attributes:
        path: The path, such as `messages[0].content`.
        general: The path without indexes, such as `messages[].content`, as ignored fields are reported.
        value: The value there.
    """

    path: str
    general: str
    value: Any

    def step(self, key: str | int) -> "Node | None":
        """The field or item of this name or index, unless it is missing or null."""
        value = self.value
        if isinstance(key, int):
            found = value[key] if isinstance(value, list) and key < len(value) else None
            return None if found is None else Node(f"{self.path}[{key}]", f"{self.general}[]", found)
        found = value.get(key) if isinstance(value, dict) else None
        if found is None:
            return None
        dot = "." if self.path else ""
        return Node(f"{self.path}{dot}{key}", f"{self.general}{dot}{key}", found)

    def find(self, path: str) -> "Node | None":
        """The place at a path of field names below this one. The empty path is this place."""
        node: Node | None = self
        for key in filter(None, path.split(".")):
            node = node and node.step(key)
        return node

    def items(self) -> Iterator["Node"]:
        """The items of a list. Nothing for any other value."""
        if isinstance(self.value, list):
            yield from filter(None, map(self.step, range(len(self.value))))


NOWHERE: Final = Node("", "", None)


class Part(NamedTuple):
    """A part of a chat that becomes a block. A `key` finds it; parts without one are found by their order."""

    kind: str
    key: str | None
    node: Node


def first_text(value: dict[str, Any], *names: str) -> str | None:
    """The first of these fields that has text."""
    return next((found for name in names if isinstance(found := value.get(name), str) and found), None)


def plain(text: str) -> str:
    """Text without the tags and white space that the translation may add or remove."""
    return text.removeprefix(SYSTEM_TAGS[0]).removesuffix(SYSTEM_TAGS[1]).strip()


def parts_of_messages(root: Node) -> Iterator[Part]:
    """The parts of all messages in order. A tool message is one part."""
    for message in (root.step("messages") or NOWHERE).items():
        match message.value.get("role"):
            case "tool":
                yield Part("tool_result", first_text(message.value, "tool_call_id"), message)
            case "function":
                yield Part("tool_result", None, message)
            case role:
                yield from _parts_of_reasoning(message)
                yield from parts_of_content(message.step("content") or NOWHERE)
                if role == "assistant":
                    yield from _parts_of_calls(message)


def parts_of_content(content: Node) -> Iterator[Part]:
    """The parts of a content, without blank text."""
    if isinstance(content.value, str):
        yield from _text(content)
    for part in content.items():
        kind = part.value.get("type")
        match kind:
            case "text" | "refusal":
                yield from _text(part.step(kind), part)
            case "image_url":
                url = part.find("image_url.url") or part.step("image_url")
                yield Part("image", _payload(url), part)
            case "file":
                yield Part("document", _payload(part.find("file.file_data") or part.find("file.file_id")), part)
            case "image" | "document" | "search_result":
                yield Part(kind, _payload(part.find("source.data") or part.find("source.url")), part)
            case "tool_use" | "tool_result":
                yield Part(kind, first_text(part.value, "id", "tool_use_id"), part)
            case _:
                yield Part("raw", first_text(part.value, "thinking", "data"), part)


def _text(node: Node | None, part: Node | None = None) -> Iterable[Part]:
    text = "" if node is None or not isinstance(node.value, str) else plain(node.value)
    return [Part("text", text, part or node)] if text and node is not None else []


def _payload(node: Node | None) -> str | None:
    """A URL, an id, or the data of a data URL."""
    if node is None or not isinstance(node.value, str):
        return None
    return node.value.partition(";base64,")[2] or node.value


def _parts_of_reasoning(message: Node) -> Iterator[Part]:
    for field in ("reasoning_details", "thinking_blocks"):
        for detail in (message.step(field) or NOWHERE).items():
            yield Part("raw", first_text(detail.value, "text", "thinking", "data"), detail)


def _parts_of_calls(message: Node) -> Iterator[Part]:
    yield from _text(message.step("refusal"))
    for call in (message.step("tool_calls") or NOWHERE).items():
        yield Part("tool_use", first_text(call.value, "id"), call)
    if (function := message.step("function_call")) is not None:
        yield Part("tool_use", None, function)
