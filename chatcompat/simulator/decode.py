"""Decodes requests into structs, or raises the native error for an invalid field."""

from typing import Final, TypeVar, get_args

import msgspec
from msgspec import UNSET, Raw, Struct
from msgspec.json import Decoder

from chatcompat.simulator.beta_wire import MCPToolset
from chatcompat.simulator.errors import invalid
from chatcompat.simulator.wire import CustomTool, MessagesRequest, Prompt, ServerTool, Tool, ToolSearch
from chatcompat.simulator.wording import native_wording, tag_words

T = TypeVar("T")


class _ToolHead(Struct):
    type: str | None = None


_TOOL_HEAD: Final = Decoder(_ToolHead)
_TOOLS: Final[dict[str, Decoder[Tool]]] = {
    "custom": Decoder(CustomTool),
    "mcp_toolset": Decoder(MCPToolset),
    **{
        kind: Decoder(tool)
        for tool in (*get_args(ServerTool), ToolSearch)
        for kind in get_args(tool.__annotations__["type"])
    },
}
_MESSAGES_REQUEST: Final = Decoder(MessagesRequest)
_PROMPT: Final = Decoder(Prompt)


def decode_messages_request(body: bytes) -> MessagesRequest:
    """Read the body of `POST /v1/messages`."""
    return _decode(_MESSAGES_REQUEST, body)


def decode_prompt(body: bytes) -> Prompt:
    """Read the body of `POST /v1/messages/count_tokens`."""
    return _decode(_PROMPT, body)


def decode_tools(prompt: Prompt) -> list[Tool]:
    """Read the tools of a request by their types. A tool without a type is a custom tool."""
    tools: list[Tool] = []
    for index, raw in enumerate([] if prompt.tools is UNSET else prompt.tools):
        at = f"tools.{index}"
        kind = _decode(_TOOL_HEAD, raw, at).type or "custom"
        decoder = _TOOLS.get(kind)
        if decoder is None:
            raise invalid(f"{at}: Input tag found using 'type' {tag_words(_TOOLS)}")
        tools.append(_decode(decoder, raw, f"{at}.{kind}"))
    return tools


def _decode(decoder: Decoder[T], body: bytes | Raw, at: str = "") -> T:
    """Decode, and turn decoding errors into native errors. The app handles `RecursionError`."""
    try:
        try:
            return decoder.decode(body)
        except msgspec.ValidationError as error:
            # This decodes the rest of the body too, which may be invalid JSON.
            raise invalid(native_wording(error, decoder.type, memoryview(body), at)) from None
    except msgspec.DecodeError as error:
        raise invalid(f"The request body is not valid JSON: {error}") from None
    except UnicodeDecodeError:  # its own message quotes the bytes
        raise invalid("The request body is not valid JSON: it is not UTF-8") from None
