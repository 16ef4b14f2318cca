"""Messages and their content blocks, in the names, order and strictness of the vendor's reference.

Unknown fields are refused everywhere. A nullable field has None in its type. A field that may be omitted but not
null has `UnsetType`. Rules beyond the types are in `chatcompat.simulator.rules` and `.turns`.
Source: https://platform.claude.com/docs/en/api/messages and the types of the vendor's Python package.
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType


class Wire(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """The base of all objects in a request."""


class CacheControl(Wire):
    """A cache breakpoint after the object that has it."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] = "5m"


class Cacheable(Wire, kw_only=True):
    """An object that may have a cache breakpoint."""

    cache_control: CacheControl | None = None


# ---------------------------------------------------------------- citations


class CharLocation(Wire, tag="char_location"):
    """A cited span of a plain text document."""

    cited_text: str
    document_index: int
    document_title: str | None
    start_char_index: int
    end_char_index: int


class PageLocation(Wire, tag="page_location"):
    """Cited pages of a PDF."""

    cited_text: str
    document_index: int
    document_title: str | None
    start_page_number: int
    end_page_number: int


class ContentBlockLocation(Wire, tag="content_block_location"):
    """Cited blocks of a document made of blocks."""

    cited_text: str
    document_index: int
    document_title: str | None
    start_block_index: int
    end_block_index: int


class WebSearchResultLocation(Wire, tag="web_search_result_location"):
    """A cited page of the web."""

    cited_text: str
    encrypted_index: str
    title: str | None
    url: str


class SearchResultLocation(Wire, tag="search_result_location"):
    """Cited blocks of a search result."""

    cited_text: str
    search_result_index: int
    source: str
    start_block_index: int
    end_block_index: int
    title: str | None


Citation = CharLocation | PageLocation | ContentBlockLocation | WebSearchResultLocation | SearchResultLocation


class CitationsConfig(Wire):
    """Whether a document may be cited."""

    enabled: bool = False


# ---------------------------------------------------------------- content blocks


class Text(Cacheable, tag="text"):
    """Text. Only a tool result may contain blank text."""

    text: str
    citations: list[Citation] | None = None


class TextOnly(Cacheable):
    """Text where no other block is allowed. `type` is a field, since msgspec makes a sole tag optional."""

    type: Literal["text"]
    text: str
    citations: list[Citation] | None = None


class Base64Image(Wire, tag="base64"):
    """An image in the request."""

    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: str


class Url(Wire, tag="url"):
    """An image or a PDF at a URL."""

    url: str


class File(Wire, tag="file"):
    """An uploaded image or document."""

    file_id: str


class Transformations(Wire):
    """Changes to an image before the model sees it."""

    oversized_image: Literal["downsize", "error"] = "downsize"


class Image(Cacheable, tag="image"):
    """An image."""

    source: Base64Image | Url | File
    transformations: Transformations | None = None


class Base64Pdf(Wire, tag="base64"):
    """A PDF in the request."""

    media_type: Literal["application/pdf"]
    data: str


class PlainText(Wire, tag="text"):
    """A text document in the request."""

    media_type: Literal["text/plain"]
    data: str


class BlockContent(Wire, tag="content"):
    """A document made of blocks."""

    content: str | list[Text | Image]


class Document(Cacheable, tag="document"):
    """A document."""

    source: Base64Pdf | PlainText | BlockContent | Url | File
    citations: CitationsConfig | None = None
    context: str | None = None
    title: str | None = None


class SearchResult(Cacheable, tag="search_result"):
    """A search result that can be cited."""

    content: list[TextOnly]
    source: str
    title: str
    citations: CitationsConfig | UnsetType = UNSET


class Caller(Wire):
    """Who called a tool: the model, or code that it wrote."""

    type: Literal["direct", "code_execution_20250825", "code_execution_20260120"]
    tool_id: str | UnsetType = UNSET


class ToolUse(Cacheable, tag="tool_use"):
    """A tool call."""

    id: str
    name: str
    input: dict[str, object]
    caller: Caller | UnsetType = UNSET
    toolset_name: str | None = None


class ToolResult(Cacheable, tag="tool_result"):
    """The result of a tool call."""

    tool_use_id: str
    content: str | list[Text | Image | Document | SearchResult] | UnsetType = UNSET
    is_error: bool = False
    toolset_name: str | None = None


class Thinking(Wire, tag="thinking"):
    """Thinking from an earlier reply."""

    thinking: str
    signature: str


class RedactedThinking(Wire, tag="redacted_thinking"):
    """Thinking that the client cannot read."""

    data: str


# ---------------------------------------------------------------- blocks of tools that the service runs


class ServerToolUse(Cacheable, tag="server_tool_use"):
    """A call that the service ran."""

    id: str
    name: str
    input: dict[str, object]
    caller: Caller | UnsetType = UNSET


class ServerToolResult(Cacheable):
    """The base of the results of these calls."""

    tool_use_id: str
    content: list[dict[str, object]] | dict[str, object]
    caller: Caller | UnsetType = UNSET


class WebSearchToolResult(ServerToolResult, tag="web_search_tool_result"):
    """What a web search found."""


class WebFetchToolResult(ServerToolResult, tag="web_fetch_tool_result"):
    """A page of the web."""


class CodeExecutionToolResult(ServerToolResult, tag="code_execution_tool_result"):
    """What code printed."""


class BashCodeExecutionToolResult(ServerToolResult, tag="bash_code_execution_tool_result"):
    """What a command printed."""


class TextEditorCodeExecutionToolResult(ServerToolResult, tag="text_editor_code_execution_tool_result"):
    """What an edit of a file did."""


class ToolSearchToolResult(ServerToolResult, tag="tool_search_tool_result"):
    """Tools that were found."""


class MCPToolUse(Cacheable, tag="mcp_tool_use"):
    """A call that the service made to a server."""

    id: str
    name: str
    server_name: str
    input: dict[str, object]


class MCPToolResult(Cacheable, tag="mcp_tool_result"):
    """The result of such a call."""

    tool_use_id: str
    content: str | list[TextOnly]
    is_error: bool = False


class Compaction(Cacheable, tag="compaction"):
    """A summary, which replaces everything before it."""

    content: str | None = None
    encrypted_content: str | None = None
    signature: str | None = None


class ContainerUpload(Cacheable, tag="container_upload"):
    """A file in the container."""

    file_id: str


ServerBlock = (
    ServerToolUse
    | WebSearchToolResult
    | WebFetchToolResult
    | CodeExecutionToolResult
    | BashCodeExecutionToolResult
    | TextEditorCodeExecutionToolResult
    | ToolSearchToolResult
    | MCPToolUse
    | MCPToolResult
    | Compaction
    | ContainerUpload
)

Block = Text | Image | Document | SearchResult | ToolUse | ToolResult | Thinking | RedactedThinking | ServerBlock


class Message(Wire):
    """One message. The rules say which blocks each role may use."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]
