"""What the inner messages app accepts. It is configured, never guessed from the name of a model."""

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, fields, replace
from inspect import iscoroutinefunction
from types import MappingProxyType
from typing import Any, Final, Literal

from chatcompat._options import check_type, wrong_type
from chatcompat.capabilities import to_dialect_options

__all__ = [
    "BUDGETS",
    "DEFAULT_DIALECT",
    "EFFORTS",
    "KEY_BETAS",
    "LLAMA_CPP",
    "NATIVE_2026",
    "NATIVE_KEYS",
    "NATIVE_TOOL_FIELDS",
    "PRESETS",
    "Dialect",
    "DialectOption",
]

# The first version of the messages API that refuses `temperature` and `top_p`, whatever their value.
NO_SAMPLING_SINCE: Final = "2026-10-21"

# Thinking budgets in tokens by `reasoning_effort`, for an inner app that takes a budget.
BUDGETS: Final[Mapping[str, int]] = MappingProxyType(
    {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_768, "max": 65_536}
)
# Native efforts by `reasoning_effort`, for an inner app that takes an effort.
EFFORTS: Final[Mapping[str, str]] = MappingProxyType(
    {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
)

# Keys of a messages request that chat clients may add to theirs.
NATIVE_KEYS: Final[frozenset[str]] = frozenset(
    {
        *("betas", "cache_control", "container", "context_management", "inference_geo", "mcp_servers"),
        *("output_config", "speed", "thinking", "top_k"),
    }
)
# Fields of a native tool that chat clients may add to a function.
NATIVE_TOOL_FIELDS: Final[frozenset[str]] = frozenset(
    {"allowed_callers", "defer_loading", "eager_input_streaming", "input_examples"}
)
# The beta that a key, a field of it or the type of an edit needs. The native API refuses it without that header.
KEY_BETAS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "context_management": "context-management-2025-06-27",
        "context_management.compact": "compact-2026-01-12",
        "mcp_servers": "mcp-client-2025-11-20",
        "output_config.task_budget": "task-budgets-2026-03-13",
        "speed": "fast-mode-2026-02-01",
        "thinking.block_binding": "thinking-binding-controls-2026-08-01",
        "thinking.display.updates": "thinking-display-updates-2026-08-18",
    }
)

BETA: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
"""A name in the `anthropic-beta` header."""

_VERSION: Final = re.compile(r"\d{4}-\d{2}-\d{2}")

_WORDS: Final[Mapping[str, tuple[str | bool | None, ...]]] = MappingProxyType(
    {
        "reasoning": ("budget", "effort", "none"),
        "strict_schemas": ("describe", "drop", "keep"),
        "prefix_mismatch": ("error", "drop_block", None),
        "thinking_off": ("disabled", "between_tools", "none", True, False),
        "display": ("summarized", "omitted", None),
        "caching": ("automatic", "breakpoints", "off"),
        "logprobs": ("ignore", "refuse"),
    }
)

_LEAST: Final[Mapping[str, int]] = MappingProxyType(
    {
        "strict_tools": 0,
        "strict_optional": 0,
        "strict_unions": 0,
        "max_stop_sequences": 1,
        "max_tokens": 1,
        "max_tokens_limit": 1,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """What the inner app accepts. The defaults are the public native API at version 2023-06-01.

    Each field exists because some inner app answers a wrong value with a native 400 (quoted below), or silently does
    something else.

    Attributes:
        version: The default `anthropic-version`. Native: "anthropic-version: header is required".
        max_tokens: The default limit, in tokens. Native: "max_tokens: Field required".
        sampling: Accepts `temperature` and `top_p`, in versions that have them.
            Native: "temperature: Extra inputs are not permitted".
        max_temperature: The highest `temperature`. A higher one is capped and reported.
            Native: "temperature: range: 0..1".
        temperature_and_top_p: Accepts both at once. Otherwise `temperature` is sent and `top_p` is reported.
            Native: "`temperature` and `top_p` cannot both be specified for this model".
        forced_tools: Accepts the `tool_choice` `any` and `tool`. Otherwise an instruction asks for JSON output, and
            that is reported. Native: "tool_choice: type "tool" and "any" are not supported for this model".
        json_schema: Accepts `output_config.format`. Otherwise a JSON schema becomes the input of a tool.
            Native: "output_config: Extra inputs are not permitted".
        strict_schemas: How a strict tool is sent if the native API cannot compile its schema. "describe" moves limits
            such as `minimum` to the description, which is reported, and closes objects; a schema that allows more than
            that, such as a map, is sent as with "drop". "drop" leaves out `strict`, which is reported, and keeps the
            schema. "keep" changes nothing, for an inner app that accepts any schema.
            Native: "For 'integer' type, properties maximum, minimum are not supported".
        strict_tools: The highest number of strict tools in a request, or 0 for none. Later ones are sent without
            `strict`, which is reported. This and the next two are not used with "keep".
            Native: "Too many strict tools (21). The maximum number of strict tools supported is 20."
        strict_optional: The highest number of optional parameters in all strict schemas of a request. A tool that
            exceeds it is sent without `strict`, which is reported, and an output format becomes a tool.
            Native: "Schemas contains too many optional parameters (25) [...] (limit: 24)."
        strict_unions: The highest number of parameters with `anyOf` or a list of types, counted in the same way.
            Native: "Schemas contains too many parameters with union types (17 parameters with type arrays or anyOf)."
        reasoning: How `reasoning_effort` is sent: as `thinking.budget_tokens` ("budget"), as `output_config.effort`
            ("effort"), or not at all ("none"). Native: "thinking.type.enabled: not supported for this model",
            "output_config: Extra inputs are not permitted".
        budgets: Thinking budget in tokens by `reasoning_effort`. At most half of the client's `max_tokens` is sent, to
            leave room for the answer, and a smaller budget is reported. Where the client names no limit, the budget is
            added to the default. Native: "max_tokens must be greater than thinking.budget_tokens".
        max_tokens_limit: The highest `max_tokens` to which a budget may raise the default, in tokens.
            Native: "max_tokens: 192000 > 128000, which is the maximum allowed number of output tokens".
        efforts: Native effort by `reasoning_effort`. An effort that is missing here is reported.
            Native: "output_config.effort: Input should be 'low', 'medium' or 'high'".
        adaptive_thinking: Thinks at an effort only with `thinking: {"type": "adaptive"}`.
        thinking_off: How thinking is turned off: as `thinking: {"type": "disabled"}` (True or "disabled"), as
            `{"type": "between_tools"}` ("between_tools"), which is reported where there are tools, or not at all (False
            or "none"). Then the lowest effort is sent, which is reported, or no budget.
            Native: "thinking.type.disabled: not supported for this model".
        display: The `thinking.display` that is sent: "summarized" or "omitted". By default none, and the model decides:
            newer models omit the text of their thinking, so replies have no `reasoning_content`. Where the model thinks
            without being asked (`reasoning` "effort" without `adaptive_thinking`), every request gets adaptive thinking
            with this display. Native: "thinking.adaptive.display: Extra inputs are not permitted".
        prefix_mismatch: What the service does with thinking that a client sends behind a changed message: "error" or
            "drop_block". It is sent as `thinking.block_binding.prefix_mismatch_behavior`, with its
            `anthropic-beta` header, wherever thinking is asked for. None sends nothing, which means "error".
            Native: "thinking.adaptive.block_binding: Extra inputs are not permitted".
        native_keys: The native keys that pass in a chat request: any of `NATIVE_KEYS`. Others are reported.
            Native: "context_management: Extra inputs are not permitted".
        native_tool_fields: The native fields of a function tool that pass: any of `NATIVE_TOOL_FIELDS`. Others are
            reported. Native: "tools.0.custom.defer_loading: Extra inputs are not permitted".
        betas: Names in the `anthropic-beta` header of every messages request, in addition to the client's own.
        key_betas: The beta that a native key needs, by key. It is added where the request has that key and no beta of
            the same name with another date. Native: "mcp_servers: Extra inputs are not permitted".
        web_search: Type of the native tool for `web_search_options`, for instance `web_search_20260318`. None refuses
            such requests. Native: "tools.0: Input tag 'web_search_20260318' found using 'type' does not match".
        prefill: Accepts a trailing assistant message as the start of its reply.
            Native: "This model does not support assistant message prefill".
        system_messages: Accepts `role: "system"` within a conversation. Otherwise such a message becomes marked text at
            the same position. Native: "role 'system' is not supported on this model".
        api_key_header: Reads the credential from `x-api-key`, so the one in `Authorization: Bearer` is copied there.
            Native: "x-api-key header is required".
        exact_tool_choice: Obeys the `tool_choice` `tool` and `none`, and `disable_parallel_tool_use`. Otherwise only
            the named tool is sent, or no tool, and `parallel_tool_calls` is reported: such an app would call another
            tool than the named one, or a tool despite `none`.
        repeats_prefill: Repeats the prefill at the start of its reply, so it is removed there. The native service
            continues after the prefill.
        caching: How a prompt is cached that the client did not mark: by the service itself ("automatic", a
            `cache_control` at the top of the request), by marks on the last tool, the last block of `system` and the
            last two user turns ("breakpoints"), or not at all ("off"). Requests below 2,048 bytes are not marked.
            Native: "cache_control: Extra inputs are not permitted".
        logprobs: What happens to a request for log probabilities, which no native reply has: it is ignored and reported
            ("ignore"), or refused ("refuse").
            Native: "logprobs: Extra inputs are not permitted".
        max_stop_sequences: How many stop sequences it accepts. More are refused. None means any number.
            Native: "stop_sequences: List should have at most 4 items".
        keeps_connections: Keeps connections open as it announces, so that they can be reused (see `Upstream`).
        discover: Says what a model can do at `GET /v1/models/{id}`. `ChatCompatMiddleware` asks it once for each model
            and client, and the answer replaces these options as in `from_capabilities`. An answer is kept for an hour.
            Without one within 5 s the options stay as they are, and the next question is a minute later.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A value is one that no inner app can accept.
    """

    version: str = "2023-06-01"
    max_tokens: int = 16_000
    sampling: bool = True
    max_temperature: float = 1.0
    temperature_and_top_p: bool = True
    forced_tools: bool = True
    json_schema: bool = False
    strict_schemas: Literal["describe", "drop", "keep"] = "describe"
    strict_tools: int = 20
    strict_optional: int = 24
    strict_unions: int = 16
    reasoning: Literal["budget", "effort", "none"] = "budget"
    budgets: Mapping[str, int] = field(default_factory=lambda: BUDGETS)
    max_tokens_limit: int = 128_000
    efforts: Mapping[str, str] = field(default_factory=lambda: EFFORTS)
    adaptive_thinking: bool = False
    thinking_off: bool | Literal["disabled", "between_tools", "none"] = True
    display: Literal["summarized", "omitted"] | None = None
    prefix_mismatch: Literal["error", "drop_block"] | None = None
    native_keys: Set[str] = NATIVE_KEYS
    native_tool_fields: Set[str] = NATIVE_TOOL_FIELDS
    betas: tuple[str, ...] = ()
    key_betas: Mapping[str, str] = field(default_factory=lambda: KEY_BETAS)
    web_search: str | None = None
    prefill: bool = True
    system_messages: bool = False
    api_key_header: bool = False
    exact_tool_choice: bool = True
    repeats_prefill: bool = False
    caching: Literal["automatic", "breakpoints", "off"] = "automatic"
    logprobs: Literal["ignore", "refuse"] = "ignore"
    max_stop_sequences: int | None = None
    keeps_connections: bool = True
    discover: bool = False

    def __post_init__(self) -> None:
        self._check_types()
        if not _VERSION.fullmatch(self.version):
            raise ValueError(f"version must be a date like 2023-06-01, not {self.version!r}")
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                expected = ", ".join(str(word) for word in words if not isinstance(word, bool))
                raise ValueError(f"{name} must be one of {expected}, not {getattr(self, name)!r}")
        for name, least in _LEAST.items():
            if (value := getattr(self, name)) is not None and value < least:
                raise ValueError(f"{name} must be at least {least}, not {value}")
        if not 0 < self.max_temperature <= 2:  # noqa: PLR2004 - the highest that a client may send
            raise ValueError(f"max_temperature must be above 0 and at most 2, not {self.max_temperature}")
        for name, known in (("native_keys", NATIVE_KEYS), ("native_tool_fields", NATIVE_TOOL_FIELDS)):
            if unknown := sorted(set(getattr(self, name)) - known):
                raise ValueError(f"{name} must be among {', '.join(sorted(known))}, not {unknown[0]!r}")
        for beta in (*self.betas, *self.key_betas.values()):
            if not BETA.fullmatch(beta):
                raise ValueError(f"a beta must have letters, digits, '-', '.' and '_' only, not {beta!r}")

    def _check_types(self) -> None:
        for option in fields(self):
            if (value := getattr(self, option.name)) is not option.default:
                check_type(option.name, value, option.type)

    @staticmethod
    def from_capabilities(model: Mapping[str, Any], *, base: "Dialect | None" = None) -> "Dialect":
        """Return the dialect of a model, from the service's description of it.

        The description does not cover sampling, forced tools, prefill, system messages and `web_search` versions. These
        stay as in `base`, and so does each capability that it does not name.

        Args:
            model: The decoded reply of `GET /v1/models/{id}`.
            base: The dialect for everything else. Default: the public native API at version 2023-06-01.

        Raises:
            ValueError: `model` is not a model with capabilities.
        """
        base = DEFAULT_DIALECT if base is None else base
        options = to_dialect_options(
            model, efforts=base.efforts, max_tokens=base.max_tokens, web_search=base.web_search
        )
        return replace(base, **options)

    def takes_sampling(self, version: str) -> bool:
        """Return whether `temperature` and `top_p` may be sent.

        Args:
            version: The `anthropic-version` of the request.
        """
        return self.sampling and version < NO_SAMPLING_SINCE


DialectOption = Dialect | Callable[[str], Dialect] | Literal["discover"]
"""One dialect for all models, or a function from the request's model id to its dialect. "discover" is `Dialect` with
`discover`: `ChatCompatMiddleware` asks the inner app what each model can do."""


def check_dialect(option: object) -> None:
    """Raise `TypeError` unless this is a `DialectOption`."""
    if isinstance(option, str) and option == "discover":
        return
    if isinstance(option, type) or not (isinstance(option, Dialect) or callable(option)):
        raise wrong_type("dialect", 'a Dialect, a function from a model id to a Dialect, or "discover"', option)
    if iscoroutinefunction(option):
        raise TypeError("dialect must not be an async function")


def to_dialect(option: DialectOption, model: str) -> Dialect:
    """Return the dialect of a model. Raises `TypeError` if a function returns something else."""
    if isinstance(option, Dialect):
        return option
    dialect = PRESETS[option] if isinstance(option, str) else option(model)
    if not isinstance(dialect, Dialect):
        raise wrong_type("the result of the dialect function", "a Dialect", dialect)
    return dialect


DEFAULT_DIALECT: Final = Dialect()

NATIVE_2026: Final = Dialect(
    version="2026-10-21",
    sampling=False,
    forced_tools=False,
    json_schema=True,
    reasoning="effort",
    thinking_off=False,
    prefill=False,
    system_messages=True,
)
"""The newest models of the public native API."""

LLAMA_CPP: Final = Dialect(
    max_temperature=2.0,
    strict_schemas="keep",
    reasoning="none",
    exact_tool_choice=False,
    repeats_prefill=True,
    keeps_connections=False,
    native_keys=frozenset(),
    native_tool_fields=frozenset(),
    caching="off",
)
"""llama.cpp's `llama-server`. It accepts any temperature, and its own options control thinking. It silently ignores
`output_config` and `strict`, treats every `tool_choice` as `auto` or `any`, and closes the connection after each
stream."""

PRESETS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {
        "native": DEFAULT_DIALECT,
        "native-2026-10-21": NATIVE_2026,
        "llama-cpp": LLAMA_CPP,
        "discover": Dialect(discover=True),
    }
)
"""Dialects by name."""
