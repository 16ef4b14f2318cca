"""Messages request -> the request that counts its tokens."""

from typing import Final

import msgspec

from chatcompat.request.json_objects import decode_raw_object

# https://platform.claude.com/docs/en/api/messages-count-tokens, and the types of the vendor's Python package.
COUNTED: Final = frozenset(
    {
        "cache_control",
        "context_management",
        "mcp_servers",
        "messages",
        "model",
        "output_config",
        "speed",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)
"""The fields that `POST /v1/messages/count_tokens` takes. It refuses all others."""

UNCOUNTED_PROMPT: Final = "container"
"""A field whose skills add to the prompt, but which the service does not count."""

_encode = msgspec.json.Encoder().encode


def to_count_request(body: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return the request that counts the tokens of a messages request, and the paths of fields that are not counted.

    `max_tokens`, `stream` and sampling are left out without a report, since they add no tokens to the prompt.
    """
    fields = decode_raw_object(body)
    counted = {name: value for name, value in fields.items() if name in COUNTED}
    return _encode(counted), (UNCOUNTED_PROMPT,) * (UNCOUNTED_PROMPT in fields)
