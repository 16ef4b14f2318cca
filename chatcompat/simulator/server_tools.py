"""What the service runs itself while it answers: searches, pages, commands, calls of servers, and summaries.

Nothing is fetched and nothing runs. Contents that only the service can read are signed, so that a changed one is
noticed when the client sends it back.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType
from msgspec.json import encode

from chatcompat.simulator.beta_wire import MCPToolset
from chatcompat.simulator.blocks import Block, Compaction, Text, WebSearchResultLocation, WebSearchToolResult
from chatcompat.simulator.errors import invalid
from chatcompat.simulator.signature import is_signed, sign
from chatcompat.simulator.tokens import tokens
from chatcompat.simulator.turns import Placed, Turn
from chatcompat.simulator.wire import CodeExecution, MessagesRequest, Prompt, ServerTool, WebFetch, WebSearch

MIN_TRIGGER: Final = 50_000  # tokens
TRIGGER: Final = 150_000  # tokens, if the request names none
URL: Final = "https://example.com/"
EXPIRES: Final = "2030-01-01T00:00:00Z"

JSON = dict[str, Any]


class Container(Struct, frozen=True):
    """The container in which commands ran."""

    id: str
    expires_at: str = EXPIRES


def name_in_text(tool: ServerTool | MCPToolset) -> str:
    """The word that makes the service run a tool."""
    return tool.mcp_server_name if isinstance(tool, MCPToolset) else tool.name


def run(tool: ServerTool | MCPToolset, key: str) -> Iterator[JSON]:
    """Yield the call of a tool, and its result. Ids are derived from `key`."""
    number = sha256(f"{key} {name_in_text(tool)}".encode()).hexdigest()[:22]
    match tool:
        case WebSearch():
            call = _call(number, "web_search", {"query": "example"})
            page: JSON = {"type": "web_search_result", "title": "Example", "url": URL, "encrypted_content": sign(URL)}
            result: JSON = {"type": "web_search_tool_result", "content": [page | {"page_age": None}]}
        case WebFetch():
            call = _call(number, "web_fetch", {"url": URL})
            text = {"type": "text", "media_type": "text/plain", "data": "An example."}
            document: JSON = {"type": "document", "source": text, "title": "Example", "citations": None}
            page = {"type": "web_fetch_result", "url": URL, "content": document, "retrieved_at": None}
            result = {"type": "web_fetch_tool_result", "content": page}
        case CodeExecution():
            call = _call(number, "bash_code_execution", {"command": "echo 1"})
            printed = {"type": "bash_code_execution_result", "stdout": "1\n", "stderr": "", "return_code": 0}
            result = {"type": "bash_code_execution_tool_result", "content": printed | {"content": []}}
        case _:
            call = {"type": "mcp_tool_use", "id": f"mcptoolu_01{number}", "name": "ask", "input": {"x": 1}}
            call["server_name"] = tool.mcp_server_name
            content = [{"type": "text", "text": "Answered.", "citations": None}]
            result = {"type": "mcp_tool_result", "is_error": False, "content": content}
    yield call
    yield result | {"tool_use_id": call["id"]}


def _call(number: str, name: str, arguments: JSON) -> JSON:
    return {"type": "server_tool_use", "id": f"srvtoolu_01{number}", "name": name, "input": arguments}


def found_page() -> JSON:
    """The citation of the page that a search found."""
    return {
        "type": "web_search_result_location",
        "cited_text": "An example.",
        "encrypted_index": sign(URL),
        "title": "Example",
        "url": URL,
    }


def container_of(request: MessagesRequest, ran: list[JSON], key: str) -> Container | UnsetType:
    """The container that the request names, or a new one, if a command ran."""
    if not any(block["type"] == "bash_code_execution_tool_result" for block in ran):
        return UNSET
    named = request.container
    found = named if isinstance(named, str) or named is None else named.id
    return Container(found or f"container_01{key}")


# ---------------------------------------------------------------- compaction


def compaction(request: Prompt, turns: list[Turn]) -> JSON | None:
    """The summary of the conversation since the last one, if the request asks for it and it is long enough."""
    if request.context_management is None or request.context_management.edits is UNSET:
        return None
    for edit in request.context_management.edits:
        if edit.get("type") == "compact_20260112" and _tokens_since(turns) > _trigger(edit):
            content = f"{sum(len(turn.blocks) for turn in turns)} blocks were summarized."
            return {"type": "compaction", "content": content, "encrypted_content": sign(content)}
    return None


def _trigger(edit: JSON) -> int:
    trigger = edit.get("trigger")
    value = TRIGGER if trigger is None else trigger.get("value") if isinstance(trigger, dict) else None
    if type(value) is not int or value < MIN_TRIGGER:
        raise invalid(f"context_management.edits: trigger.value must be at least {MIN_TRIGGER}")
    return value


def _tokens_since(turns: list[Turn]) -> int:
    """The tokens after the last summary."""
    count = 0
    for block in (placed.block for turn in turns for placed in turn.blocks):
        count = 0 if isinstance(block, Compaction) else count + tokens(encode(block).decode())
    return count


# ---------------------------------------------------------------- what comes back


def check_signed(placed: Placed) -> None:
    """Refuse content of the service that the client changed."""
    for field, signed, signature in _signed(placed.block):
        if not is_signed(signed, signature):
            raise invalid(f"{placed.path}: Invalid `{field}` in `{placed.block.__struct_config__.tag}` block")


def _signed(block: Block) -> Iterator[tuple[str, str, str]]:
    match block:
        case Text(citations=list(citations)):
            for citation in citations:
                if isinstance(citation, WebSearchResultLocation):
                    yield "encrypted_index", citation.url, citation.encrypted_index
        case WebSearchToolResult(content=list(pages)):
            for page in pages:
                yield "encrypted_content", str(page.get("url")), str(page.get("encrypted_content"))
        case Compaction(content=str(content)):
            yield "encrypted_content", content, block.encrypted_content or ""
