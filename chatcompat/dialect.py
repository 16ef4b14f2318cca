"""What the inner messages app accepts. It is configured, never guessed from the name of a model."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

__all__ = [
    "BUDGETS",
    "DEFAULT_DIALECT",
    "EFFORTS",
    "LLAMA_CPP",
    "NATIVE_2026",
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

_VERSION: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """What the inner app accepts. The defaults are the public native API at version 2023-06-01.

    Each field exists because some inner app answers a wrong value with a native 400 (quoted below), or silently does
    something else.

    Attributes:
        version: The default `anthropic-version`. Native: "anthropic-version: header is required".
        max_tokens: The default limit, in tokens. Native: "max_tokens: Field required".
        sampling: Takes `temperature` and `top_p`, in versions that have them.
            Native: "temperature: Extra inputs are not permitted".
        max_temperature: The highest `temperature`. A higher one is capped and reported.
            Native: "temperature: range: 0..1".
        temperature_and_top_p: Takes both at once. Otherwise `temperature` is sent and `top_p` is reported.
            Native: "`temperature` and `top_p` cannot both be specified for this model".
        forced_tools: Takes `tool_choice` `any` and `tool`. Otherwise an instruction asks for JSON output, which is
            reported. Native: "tool_choice: type "tool" and "any" are not supported for this model".
        json_schema: Takes `output_config.format`. Otherwise a JSON schema becomes the input of a tool.
            Native: "output_config: Extra inputs are not permitted".
        reasoning: How `reasoning_effort` is sent: as `thinking.budget_tokens` ("budget"), as `output_config.effort`
            ("effort"), or not at all ("none"). Native: "thinking.type.enabled: not supported for this model",
            "output_config: Extra inputs are not permitted".
        budgets: Thinking budget in tokens by `reasoning_effort`. At most half of `max_tokens` is sent, to leave
            room for the answer. Native: "max_tokens must be greater than thinking.budget_tokens".
        efforts: Native effort by `reasoning_effort`. An effort that is missing here is reported.
            Native: "output_config.effort: Input should be 'low', 'medium' or 'high'".
        adaptive_thinking: Thinks at an effort only with `thinking: {"type": "adaptive"}`.
        thinking_off: Takes `thinking: {"type": "disabled"}`. Otherwise the lowest effort is sent, which is reported.
            Native: "thinking.type.disabled: not supported for this model".
        web_search: Type of the native tool for `web_search_options`, for instance `web_search_20260318`. None refuses
            such requests. Native: "tools.0: Input tag 'web_search_20260318' found using 'type' does not match".
        prefill: Takes a trailing assistant message as the start of its reply.
            Native: "This model does not support assistant message prefill".
        system_messages: Takes `role: "system"` in mid-conversation. Otherwise such a message becomes marked text at the
            same position. Native: "role 'system' is not supported on this model".
        api_key_header: Reads the credential from `x-api-key`, so the one in `Authorization: Bearer` is copied there.
            Native: "x-api-key header is required".
        exact_tool_choice: Keeps `tool_choice` `tool` and `none`, and `disable_parallel_tool_use`. Otherwise only the
            named tool is sent, or no tool, and `parallel_tool_calls` is reported. Without this, such an app calls
            another tool than the named one, or a tool although `none` was chosen.
        repeats_prefill: Repeats the prefill at the start of its reply, so it is removed there. The native service
            continues after the prefill.
        logprobs: What happens to a request for log probabilities, which no native reply has: it is ignored and reported
            ("ignore"), or refused ("refuse").
            Native: "logprobs: Extra inputs are not permitted".
        max_stop_sequences: How many stop sequences it takes. More are refused; None takes any number.
            Native: "stop_sequences: List should have at most 4 items".
        keeps_connections: Keeps connections open as it announces, so they can be reused (see `Upstream`).

    Raises:
        ValueError: A value is one that no inner app can accept.
    """

    version: str = "2023-06-01"
    max_tokens: int = 16_000
    sampling: bool = True
    max_temperature: float = 1.0
    temperature_and_top_p: bool = True
    forced_tools: bool = True
    json_schema: bool = False
    reasoning: Literal["budget", "effort", "none"] = "budget"
    budgets: Mapping[str, int] = field(default_factory=lambda: BUDGETS)
    efforts: Mapping[str, str] = field(default_factory=lambda: EFFORTS)
    adaptive_thinking: bool = False
    thinking_off: bool = True
    web_search: str | None = None
    prefill: bool = True
    system_messages: bool = False
    api_key_header: bool = False
    exact_tool_choice: bool = True
    repeats_prefill: bool = False
    logprobs: Literal["ignore", "refuse"] = "ignore"
    max_stop_sequences: int | None = None
    keeps_connections: bool = True

    def __post_init__(self) -> None:
        if not _VERSION.fullmatch(self.version):
            raise ValueError(f"version must be a date like 2023-06-01, not {self.version!r}")
        if self.reasoning not in ("budget", "effort", "none"):
            raise ValueError(f"reasoning must be budget, effort or none, not {self.reasoning!r}")
        if self.logprobs not in ("ignore", "refuse"):
            raise ValueError(f"logprobs must be ignore or refuse, not {self.logprobs!r}")
        if self.max_stop_sequences is not None and self.max_stop_sequences < 1:
            raise ValueError(f"max_stop_sequences must be at least 1 or None, not {self.max_stop_sequences}")
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {self.max_tokens}")
        if not 0 < self.max_temperature <= 2:  # noqa: PLR2004 - the highest that a client may send
            raise ValueError(f"max_temperature must be above 0 and at most 2, not {self.max_temperature}")

    def takes_sampling(self, version: str) -> bool:
        """Return whether `temperature` and `top_p` may be sent.

        Args:
            version: The `anthropic-version` of the request.
        """
        return self.sampling and version < NO_SAMPLING_SINCE


DialectOption = Dialect | Callable[[str], Dialect]
"""One dialect for all models, or a function from the request's model id to its dialect."""


def to_dialect(option: DialectOption, model: str) -> Dialect:
    """Return the dialect of a model."""
    return option(model) if callable(option) else option


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
    reasoning="none",
    exact_tool_choice=False,
    repeats_prefill=True,
    keeps_connections=False,
)
"""llama.cpp's `llama-server`. It takes any temperature, and its own options control thinking. It silently ignores
`output_config`, treats every `tool_choice` as `auto` or `any`, and closes the connection after each stream."""

PRESETS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {"native": DEFAULT_DIALECT, "native-2026-10-21": NATIVE_2026, "llama-cpp": LLAMA_CPP}
)
"""Dialects by name."""
