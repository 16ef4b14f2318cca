"""Where each part of a messages request comes from in the chat request.

This module compares the two documents. Text and tools are found by their value. Calls and images are found by their
order, which the translation keeps, and results by their calls. `_FIELDS`, the table of different names, finds the rest.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from chatcompat.inspector.parts import NOWHERE, Node, Part, first_text, parts_of_content, parts_of_messages, plain
from chatcompat.request.tool_names import ToolNames

DEFAULT: Final = "default of the dialect"
OPENING: Final = "added: the first turn must be the user's"

_MAX_NODES: Final = 8  # messages that are named as the source of one turn


class Origin(NamedTuple):
    """Where a native value comes from.

    Attributes:
        nodes: The places in the chat request.
        note: Why the value is there, if there is no such place.
        kind: What the value is, a key of `_FIELDS`. Empty if its fields have the same names as in the chat request.
    """

    nodes: tuple[Node, ...]
    note: str = DEFAULT
    kind: str = ""


_ROOT: Final[dict[str, tuple[str, ...]]] = {
    "model": ("model",),
    "max_tokens": ("max_completion_tokens", "max_tokens"),
    "system": ("messages",),
    "tools": ("tools", "functions", "web_search_options", "response_format", "messages"),
    "tool_choice": ("tool_choice", "function_call", "parallel_tool_calls", "response_format", "messages"),
    "stop_sequences": ("stop",),
    "metadata": ("safety_identifier", "user"),
    "thinking": ("reasoning_effort", "reasoning", "thinking"),
    "output_config": ("response_format", "reasoning_effort", "reasoning", "output_config"),
    "cache_control": ("cache_control", "prompt_cache_options", "prompt_cache_retention"),
}

_ADDED: Final = "+"

# By kind and native field: the paths that it may come from. The first one that exists counts. "" is the part itself,
# "/" the whole chat request, "+" the dialect.
_FIELDS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "text": {"text": ("text", "refusal", "")},
    "image": {"source": ("image_url.url", "image_url", "source")},
    "document": {"source": ("file.file_data", "file.file_id", "source"), "title": ("file.filename", "title")},
    "tool_use": {
        "name": ("function.name", "custom.name", "name"),
        "input": ("function.arguments", "custom.input", "arguments", "input"),
    },
    "tool_result": {"tool_use_id": ("tool_call_id", "tool_use_id", "name")},
    "tool": {
        "name": ("function.name", "custom.name", "name"),
        "description": ("function.description", "custom.description", "custom.format", "description"),
        "input_schema": ("function.parameters", "parameters", "input_schema", "custom", _ADDED),
        "strict": ("function.strict", "strict"),
    },
    "called_tool": {"name": ("function.name", "custom.name", "name"), "input_schema": (_ADDED,)},
    "json_tool": {
        "description": ("json_schema.description", ""),
        "input_schema": ("json_schema.schema", ""),
        "strict": ("json_schema.strict", ""),
    },
    "tool_choice": {"disable_parallel_tool_use": ("/parallel_tool_calls", "")},
    "output_config": {
        "effort": ("/reasoning_effort", "/reasoning.effort", "/reasoning", "/output_config.effort"),
        "format": ("/response_format", "/output_config.format"),
        "task_budget": ("/output_config.task_budget",),
    },
    "format": {"schema": ("json_schema.schema", "schema")},
    "thinking": {
        "budget_tokens": ("/reasoning_effort", "/reasoning.max_tokens", "/reasoning", "budget_tokens"),
        "display": ("/thinking.display", _ADDED),
        "block_binding": ("/thinking.block_binding", _ADDED),
    },
}
_MARKS: Final = ("cache_control", "prompt_cache_breakpoint")
_CACHING: Final = ("prompt_cache_options", "prompt_cache_retention")


class Sources:
    """The origins of all parts of a messages request.

    Args:
        chat: The chat request, decoded.
        native: The messages request that it became, decoded.
    """

    def __init__(self, chat: dict[str, Any], native: dict[str, Any]) -> None:
        self.root: Node = Node("", "", chat)
        self._native = native
        self._ids: dict[str, str] = {}  # chat ids by native ids
        self._places: dict[str, Origin] = {}
        self._place_blocks()
        self._place_tools()
        self._place_stops()

    def of_field(self, name: str) -> Origin:
        """The origin of a field of the messages request."""
        paths = _ROOT.get(name, (name,))
        if name == "tool_choice" and self._is_forced_by_format():
            paths = ("response_format",)
        nodes = [node for path in paths if (node := self.root.step(path)) is not None]
        return Origin(tuple(nodes[:1]), kind=name if name in _FIELDS else "")

    def _is_forced_by_format(self) -> bool:
        """Whether a call is forced because the reply must be JSON, not because the client asked for a call."""
        choice = self.root.step("tool_choice")
        forced = self._native["tool_choice"]["type"] in ("any", "tool")
        return (
            forced and (choice is None or choice.value in ("auto", "none")) and "function_call" not in self.root.value
        )

    def of_child(self, origin: Origin, path: str, key: str | int) -> Origin:
        """The origin of a field or item at the native `path`, inside a value with the origin `origin`."""
        if (placed := self._places.get(path)) is not None:
            return placed
        if not origin.nodes:
            return origin
        node = origin.nodes[0]
        if key == "cache_control":
            return self._of_mark(node)
        fields = _FIELDS.get(origin.kind, {})
        if isinstance(key, str) and key in fields:
            found = (self._find(node, option) for option in fields[key])
            other = next(filter(None, found), None if fields[key][-1] == _ADDED else node)
            return Origin(() if other is None else (other,), kind=key if key in _FIELDS else "")
        child = node.step(key)
        return Origin((child,) if child is not None else origin.nodes)

    def _find(self, node: Node, path: str) -> Node | None:
        if path == _ADDED:
            return None
        return self.root.find(path[1:]) if path.startswith("/") else node.find(path)

    def _of_mark(self, node: Node) -> Origin:
        """The origin of a cache mark: the part, its message, or an option of the request."""
        holders = [holder for holder in (node, self._message_of(node)) if holder is not None]
        marks = [mark for holder in holders for name in _MARKS if (mark := holder.step(name)) is not None]
        marks += [mark for name in _CACHING if (mark := self.root.step(name)) is not None]
        return Origin(tuple(marks[:1]))

    def _message_of(self, node: Node) -> Node | None:
        """The message, tool or field that a place is in."""
        name, bracket, rest = node.path.partition("[")
        field = self.root.step(name.partition(".")[0])
        return field.step(int(rest.partition("]")[0])) if field is not None and bracket else field

    # ------------------------------------------------------------ messages

    def _place_blocks(self) -> None:
        parts = [*parts_of_messages(self.root)]
        blocks = [*_blocks_of(self._native)]
        calls = [part for part in parts if part.kind == "tool_use"]
        uses = [block for _, block in blocks if block.get("type") == "tool_use"]
        for use, call in zip(uses, calls, strict=False):
            self._ids[use["id"]] = call.key or ""
        self._pair(blocks, parts)
        for index, message in enumerate(self._native["messages"]):
            path = f"messages[{index}]"
            count = len(message["content"]) if isinstance(message["content"], list) else None
            inside = [path + ".content" if count is None else f"{path}.content[{at}]" for at in range(count or 1)]
            found = (self._message_of(node) for block in inside for node in self._places[block].nodes)
            by_index = {int(node.path[9:-1]): node for node in found if node is not None}  # `messages[7]`
            nodes = tuple(by_index[number] for number in sorted(by_index)[:_MAX_NODES])
            self._places[path] = Origin(nodes, OPENING)
            self._places.setdefault(f"{path}.content", Origin(nodes, OPENING))
            roles = tuple(node.step("role") or node for node in nodes)
            self._places[f"{path}.role"] = Origin(roles, OPENING)

    def _pair(self, blocks: list[tuple[str, dict[str, Any]]], parts: list[Part]) -> None:
        """Find the part of each block: by its key, or else by its order."""
        by_key: defaultdict[tuple[str, str | None], deque[int]] = defaultdict(deque)
        for index, part in enumerate(parts):
            by_key[part.kind, part.key].append(index)
        found: dict[str, int] = {}
        for path, block in blocks:
            kind, key = _kind_of(block), self._key_of(block)
            if key is not None and (same := by_key[kind, key]):
                found[path] = same.popleft()
        used = set(found.values())
        left: defaultdict[str, deque[int]] = defaultdict(deque)
        for index, part in enumerate(parts):
            if index not in used:
                left[part.kind].append(index)
        for path, block in blocks:
            kind = _kind_of(block)
            if path not in found and left[kind]:
                found[path] = left[kind].popleft()
            if path in found:
                node = parts[found[path]].node
                self._places[path] = Origin((node,), kind=kind)
                self._place_content(path, block, node)
            elif path.startswith("system["):
                self._places[path] = self.of_field("response_format")
            else:
                self._places[path] = Origin((), OPENING, kind)

    def _place_content(self, path: str, block: dict[str, Any], node: Node) -> None:
        """Place the blocks inside a result."""
        content, source = block.get("content"), node.step("content")
        if block.get("type") == "tool_result" and isinstance(content, list) and source is not None:
            self._places[f"{path}.content"] = Origin((source,))
            inside = [(f"{path}.content[{index}]", item) for index, item in enumerate(content)]
            self._pair(inside, [*parts_of_content(source)])

    def _key_of(self, block: dict[str, Any]) -> str | None:
        match block.get("type"):
            case "text":
                return plain(block["text"])
            case "tool_result":
                return self._ids.get(block["tool_use_id"])
            case "image" | "document":
                source = block["source"]
                return first_text(source, "data", "url", "file_id")
            case _:
                return first_text(block, "thinking", "data")

    # ------------------------------------------------------------ tools

    def _place_tools(self) -> None:
        names, parts = ToolNames(), {}
        listed = [node for field in ("tools", "functions") for node in (self.root.step(field) or NOWHERE).items()]
        named = [(self._name_of(node), node) for node in listed]
        names.offered = [name for name, _ in named]
        for name, node in named:
            parts[names.to_native(name)] = Origin((node,), kind="tool")
        if (search := self.root.step("web_search_options")) is not None:
            parts.setdefault("web_search", Origin((search,)))
        called: dict[str, Node] = {}
        for part in parts_of_messages(self.root):
            if part.kind == "tool_use":
                called.setdefault(names.to_native(self._name_of(part.node)), part.node)
        output = self.root.step("response_format")
        for index, tool in enumerate(self._native.get("tools", ())):
            origin = parts.get(tool.get("name", f"tools[{index}]"))
            if origin is None and (call := called.get(tool.get("name", ""))) is not None:
                origin = Origin((call,), kind="called_tool")
            if origin is None and output is not None:
                origin = Origin((output,), kind="json_tool")
            self._places[f"tools[{index}]"] = origin or self.of_field("tools")

    def _place_stops(self) -> None:
        """Blank stop sequences are left out, so the others are found by their value."""
        items = {node.value: node for node in (self.root.step("stop") or NOWHERE).items()}
        for index, stop in enumerate(self._native.get("stop_sequences", ())):
            if stop in items:
                self._places[f"stop_sequences[{index}]"] = Origin((items[stop],))

    def _name_of(self, node: Node) -> str:
        """The name of a tool or a call, or its path if it has none."""
        found = (node.find(path) for path in _FIELDS["tool"]["name"])
        return next((str(name.value) for name in found if name is not None), node.path)


def _blocks_of(native: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All blocks with their paths. A content that is a string is one text block."""
    for index, block in enumerate(native.get("system", ())):
        yield f"system[{index}]", block
    for at, message in enumerate(native["messages"]):
        path, content = f"messages[{at}].content", message["content"]
        if isinstance(content, str):
            yield path, {"type": "text", "text": content}
        else:
            yield from ((f"{path}[{index}]", block) for index, block in enumerate(content))


def _kind_of(block: dict[str, Any]) -> str:
    kind = str(block.get("type"))
    return kind if kind in ("text", "image", "document", "search_result", "tool_use", "tool_result") else "raw"
