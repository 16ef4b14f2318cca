"""How each field of a chat request is handled, and the translation of fields with plain values.

`FATES` is the single table that decides which fields are not sent on. A test compares it with the vendor's request
type, so that no field is missing.
"""

from typing import Any, Final, Literal

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import astuple

from chatcompat.dialect import Dialect
from chatcompat.errors import InvalidRequest
from chatcompat.request.json_objects import NULL
from chatcompat.wire.chat_request import ChatCompletionRequest, PlainRequest
from chatcompat.wire.messages import MessagesRequest, MetadataParam
from chatcompat.wire.utf8 import require_utf8


class Mapped(Struct, frozen=True):
    """The field is translated to the messages request, or changes the reply."""

    to: str


class Ignored(Struct, frozen=True):
    """The field is a hint that cannot be honoured. It is dropped, and reported unless it is `neutral` or null."""

    why: str
    neutral: tuple[Any, ...] = ()


class Refused(Struct, frozen=True):
    """The field would change the shape or meaning of the reply. It is a 400 unless it is `neutral` or null."""

    why: str
    neutral: tuple[Any, ...] = ()


Fate = Mapped | Ignored | Refused

FATES: Final[dict[str, Fate]] = {
    "model": Mapped("model"),
    "messages": Mapped("system, messages"),
    "max_completion_tokens": Mapped("max_tokens"),
    "max_tokens": Mapped("max_tokens; max_completion_tokens wins"),
    "temperature": Mapped("temperature, capped at the dialect's maximum"),
    "top_p": Mapped("top_p"),
    "stop": Mapped("stop_sequences"),
    "stream": Mapped("stream"),
    "stream_options": Mapped("a last chunk with the usage"),
    "tools": Mapped("tools"),
    "tool_choice": Mapped("tool_choice"),
    "parallel_tool_calls": Mapped("tool_choice.disable_parallel_tool_use"),
    "response_format": Mapped("output_config.format, or a tool that must be called, unwrapped in the reply"),
    "reasoning_effort": Mapped("thinking, by budget or by effort as the dialect says"),
    "web_search_options": Mapped("the dialect's web search tool; refused where it has none"),
    "functions": Mapped("tools; their calls come back as function_call"),
    "function_call": Mapped("tool_choice"),
    "service_tier": Mapped("service_tier: auto, and default as standard_only; others are ignored and reported"),
    "safety_identifier": Mapped("metadata.user_id"),
    "user": Mapped("metadata.user_id; safety_identifier wins"),
    "reasoning": Mapped("as reasoning_effort, which wins; exclude leaves reasoning out of the reply"),
    "include_reasoning": Mapped("false leaves reasoning out of the reply; reasoning.exclude wins"),
    "thinking": Mapped("thinking, where the dialect lists it; reasoning_effort wins"),
    "output_config": Mapped("output_config, where the dialect lists it; response_format and reasoning_effort win"),
    "top_k": Mapped("top_k, where the dialect lists it and the version has it"),
    "cache_control": Mapped("cache_control, where the dialect lists it"),
    "container": Mapped("container, where the dialect lists it"),
    "context_management": Mapped("context_management, where the dialect lists it"),
    "mcp_servers": Mapped("mcp_servers, where the dialect lists it"),
    "speed": Mapped("speed, where the dialect lists it"),
    "inference_geo": Mapped("inference_geo, where the dialect lists it"),
    "betas": Mapped("the `anthropic-beta` header, joined with the client's own, where the dialect lists it"),
    "prompt_cache_options": Mapped("whether we mark the prompt for the cache, and the marks' lifetime"),
    "prompt_cache_retention": Mapped("the marks' lifetime, at most an hour"),
    "audio": Ignored("speech is refused where `modalities` asks for it"),
    "frequency_penalty": Ignored("no native field", neutral=(0,)),
    "logit_bias": Ignored("no native field", neutral=({},)),
    "logprobs": Ignored("replies have no log probabilities; a dialect may refuse", neutral=(False,)),
    "metadata": Ignored("nothing is stored", neutral=({},)),
    "modalities": Refused("replies are text", neutral=(["text"], [])),
    "moderation": Refused("a safety policy that would not be applied"),
    "n": Refused("a reply has at most as many choices as `RequestBounds.choices`", neutral=(1,)),
    "prediction": Ignored("no native field"),
    "presence_penalty": Ignored("no native field", neutral=(0,)),
    "prompt_cache_key": Ignored("the native cache matches prompts by prefix"),
    "seed": Ignored("no native field"),
    "store": Ignored("nothing is stored", neutral=(False,)),
    "top_logprobs": Ignored("replies have no log probabilities; a dialect may refuse", neutral=(0,)),
    "verbosity": Ignored("no native field", neutral=("medium",)),
}

NATIVE_SERVICE_TIERS: Final[dict[str, Literal["auto", "standard_only"]]] = {"auto": "auto", "default": "standard_only"}

# These are the last fields of the request struct, in this order, so that one comparison shows whether any is set.
_UNSENT: Final = [name for name, fate in FATES.items() if not isinstance(fate, Mapped)]
_FIRST_UNSENT: Final = len(ChatCompletionRequest.__struct_fields__) - len(_UNSENT)
_NONE_SET: Final[tuple[UnsetType, ...]] = (UNSET,) * len(_UNSENT)
_LOGPROBS: Final = ("logprobs", "top_logprobs")

# Natively "metadata.user_id: String should have at most 256 characters".
_MAX_USER_ID: Final = 256


def check_unsent(chat: ChatCompletionRequest, dialect: Dialect, ignored: list[str], choices: int) -> None:
    """Refuse or report each field that has no native equivalent. `choices` is the highest `n`."""
    values = astuple(chat)[_FIRST_UNSENT:]
    if values == _NONE_SET:
        return
    for name, value in zip(_UNSENT, values, strict=True):
        fate = FATES[name]
        if isinstance(value, Raw):
            require_utf8(value)
        if value is UNSET or value is None or value == NULL or isinstance(fate, Mapped) or value in fate.neutral:
            continue
        if name == "n" and value <= choices:
            continue
        if isinstance(fate, Refused) or (name in _LOGPROBS and dialect.logprobs == "refuse"):
            raise InvalidRequest(f"Not supported: {fate.why}. Leave it out.", param=name, code="unsupported_parameter")
        ignored.append(name)


def set_values(
    chat: PlainRequest, request: MessagesRequest, dialect: Dialect, version: str, ignored: list[str]
) -> None:
    """Copy the fields with plain values from `chat` to `request`."""
    if chat.stop is not None:
        _set_stop_sequences(chat.stop, request, dialect, ignored)
    if chat.temperature is not None or chat.top_p is not None:
        _set_sampling(chat, request, dialect, version, ignored)
    if chat.service_tier is not None:
        tier = NATIVE_SERVICE_TIERS.get(chat.service_tier)
        if tier is None:
            ignored.append("service_tier")
        else:
            request.service_tier = tier
    if user := chat.safety_identifier or chat.user:
        request.metadata = MetadataParam(_to_user_id(user))
    if chat.stream:
        request.stream = True
        if chat.stream_options is not None and chat.stream_options.include_obfuscation:
            ignored.append("stream_options.include_obfuscation")
    elif chat.stream_options is not None:
        raise InvalidRequest(
            'This needs "stream": true. Add that, or leave this field out.',
            param="stream_options",
            code="invalid_value",
        )


def _to_user_id(user: str) -> str:
    """Replace an id that is too long with its hash, which is the same in every request."""
    if len(user) <= _MAX_USER_ID:
        return user
    from hashlib import sha256  # noqa: PLC0415 - it loads OpenSSL

    return f"sha256_{sha256(user.encode()).hexdigest()}"


def _set_stop_sequences(stop: str | list[str], request: MessagesRequest, dialect: Dialect, ignored: list[str]) -> None:
    sequences = [stop] if isinstance(stop, str) else stop
    kept = [sequence for sequence in sequences if sequence and not sequence.isspace()]
    if len(kept) < len(sequences):
        ignored.append("stop")
    bound = dialect.max_stop_sequences
    if bound is not None and len(kept) > bound:
        raise InvalidRequest(
            f"This service takes at most {bound} stop sequences. Send fewer.", param="stop", code="invalid_value"
        )
    if kept:
        request.stop_sequences = kept


def _set_sampling(
    chat: PlainRequest, request: MessagesRequest, dialect: Dialect, version: str, ignored: list[str]
) -> None:
    """Set `temperature` and `top_p` if the version and the model accept them. The default of both is 1."""
    if not dialect.takes_sampling(version):
        ignored += [name for name in ("temperature", "top_p") if getattr(chat, name) not in (None, 1)]
        return
    if chat.temperature is not None:
        request.temperature = chat.temperature
        if chat.temperature > dialect.max_temperature:
            request.temperature = dialect.max_temperature
            ignored.append("temperature")
    if chat.top_p is not None:
        if chat.temperature is None or dialect.temperature_and_top_p:
            request.top_p = chat.top_p
        elif chat.top_p != 1:
            ignored.append("top_p")
