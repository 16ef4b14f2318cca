"""What a reply must know of the request that it answers."""

from msgspec import Struct


class Origin(Struct, frozen=True, kw_only=True):
    """The small part of a translated request that is needed again when its reply comes."""

    created: int
    """Seconds since the epoch, in every chunk of a reply the same."""
    include_usage: bool = False
    prefill: str = ""
    """The start of the reply that the client gave, where the inner app repeats it."""
    tool_names: dict[str, str] = {}
    """Native tool name -> the client's, for names that were mapped."""
    custom_tools: frozenset[str] = frozenset()
    """Native names of custom tools: their calls are custom calls."""
    legacy_functions: bool = False
    """Whether a call comes back as `function_call`; there is room for one."""
    json_tool: str | None = None
    """Name of the tool whose input is the JSON that the client asked for."""
    json_wrapped: bool = False
    """Whether that JSON is the tool's property `value`."""
    service_tier: bool = False
    """Whether the request named one: only then does the reply."""
