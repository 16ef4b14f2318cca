"""What the translation of a reply needs from the request."""

from msgspec import Struct


class ReplyContext(Struct, frozen=True, kw_only=True, gc=False):
    """What the translation of a reply needs from the request.

    Attributes:
        created: Time of the reply in seconds since the epoch, the same in every chunk.
        include_usage: Whether a stream ends with a usage chunk.
        prefill: The start of the reply that the client sent, if the inner app repeats it.
        tool_names: The client's tool name by native name, for the names that were changed.
        custom_tools: Native names of the custom tools.
        legacy_functions: Whether a call is sent as `function_call`, which holds only one.
        json_tool: Name of the tool whose input is the JSON that the client asked for.
        json_wrapped: Whether that JSON is in the tool's property `value`.
        service_tier: Whether the request named a service tier. Only then does the reply name one.
        keeps_turn: Whether a turn with calls is kept even if it has no thinking, since earlier ones of its loop have.
        hides_reasoning: Whether the reply shows no thinking. Its signed copy is still kept for the store.
    """

    created: int
    include_usage: bool = False
    prefill: str = ""
    tool_names: dict[str, str] = {}
    custom_tools: frozenset[str] = frozenset()
    legacy_functions: bool = False
    json_tool: str | None = None
    json_wrapped: bool = False
    service_tier: bool = False
    keeps_turn: bool = False
    hides_reasoning: bool = False
