"""Cases: parameters."""

from __future__ import annotations

from typing import Any

from tests.fidelity.cases.forms import HI, REFUSED, Case, asks
from tests.fidelity.cases.messages import M0


def ignored(name: str, value: Any) -> Case:
    return Case(
        f"{name} is not sent on", "Parameters", asks(HI, **{name: value}), (("absent", name), ("has", M0, "hi"))
    )


def neutral(name: str, value: Any) -> Case:
    return Case(f"a neutral {name} never fails", "Parameters", asks(HI, **{name: value}), (("has", M0, "hi"),))


def refused(name: str, value: Any) -> Case:
    return Case(f"{name}: {str(value).lower()[:24]} is refused", "Parameters", asks(HI, **{name: value}), REFUSED)


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}

PARAMETERS = [
    Case("the newer limit wins", "Parameters", asks(HI, max_completion_tokens=7), (("is", "max_tokens", 7),)),
    Case(
        "a default limit is sent",
        "Parameters",
        {"model": "claude-sonnet-4-5", "messages": [HI]},
        (("matches", "max_tokens", r"[1-9]\d+"),),
    ),
    Case(
        "temperature above the maximum is capped", "Parameters", asks(HI, temperature=1.6), (("is", "temperature", 1),)
    ),
    Case("stop as a text is a list", "Parameters", asks(HI, stop="END"), (("is", "stop_sequences", ["END"]),)),
    Case(
        "blank stop sequences are left out",
        "Parameters",
        asks(HI, stop=["a", "\n"]),
        (("is", "stop_sequences", ["a"]),),
    ),
    Case("an empty stop list is left out", "Parameters", asks(HI, stop=[]), (("absent", "stop_sequences"),)),
    Case("user is metadata.user_id", "Parameters", asks(HI, user="u1"), (("is", "metadata.user_id", "u1"),)),
    Case(
        "safety_identifier is metadata.user_id",
        "Parameters",
        asks(HI, safety_identifier="s1"),
        (("is", "metadata.user_id", "s1"),),
    ),
    Case("an empty user is left out", "Parameters", asks(HI, user=""), (("absent", "metadata"),)),
    Case(
        "client metadata is not native metadata",
        "Parameters",
        asks(HI, metadata={"a": "b"}),
        (("absent", "metadata.a"),),
    ),
    Case(
        "service tier default is standard_only",
        "Parameters",
        asks(HI, service_tier="default"),
        (("is", "service_tier", "standard_only"),),
    ),
    Case(
        "effort turns thinking on",
        "Parameters",
        {**asks(HI, reasoning_effort="low"), "max_tokens": 9000},
        (("is", "thinking.type", "enabled"),),
    ),
    Case(
        "a budget stays below the limit",
        "Parameters",
        {**asks(HI, reasoning_effort="high"), "max_tokens": 4000},
        (("below", "thinking.budget_tokens", "max_tokens"),),
    ),
    Case(
        "thinking takes no other temperature",
        "Parameters",
        {**asks(HI, reasoning_effort="low", temperature=0.2), "max_tokens": 9000},
        (("either", "temperature", [None, 1]),),
    ),
    Case(
        "JSON mode is forced",
        "Parameters",
        asks(HI, response_format={"type": "json_object"}),
        (("is", "tool_choice.type", "tool"),),
    ),
    Case(
        "a JSON schema arrives whole",
        "Parameters",
        asks(HI, response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}),
        (("has", "", '"a": {"type": "string"}'),),
    ),
    ignored("seed", 4),
    ignored("logit_bias", {"1": 5}),
    ignored("frequency_penalty", 1),
    ignored("presence_penalty", 1),
    ignored("prompt_cache_key", "k"),
    ignored("store", True),
    ignored("verbosity", "low"),
    neutral("n", 1),
    neutral("logprobs", False),
    neutral("logit_bias", {}),
    neutral("frequency_penalty", 0),
    neutral("modalities", ["text"]),
    refused("n", 2),
    ignored("logprobs", True),
    refused("modalities", ["text", "audio"]),
    refused("moderation", {"model": "x"}),
    refused("max_tokens", -1),
    refused("max_tokens", "5"),
    refused("temperature", "hot"),
    refused("temperature", 3),
    Case(
        "five stop strings arrive",
        "Parameters",
        asks(HI, stop=["a", "b", "c", "d", "e"]),
        (("is", "stop_sequences", ["a", "b", "c", "d", "e"]),),
    ),
    Case(
        "a whole number written as a float is an integer",
        "Parameters",
        asks(HI) | {"max_tokens": 4096.0},
        (("is", "max_tokens", 4096),),
    ),
    refused("stream", "true"),
]
