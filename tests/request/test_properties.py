"""Any request of the vendor's type is refused properly or becomes a valid messages request."""

import json
import re
from dataclasses import replace
from typing import Any, Final

from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st

from chatcompat import Dialect, InvalidRequest, Translation, translate
from chatcompat.dialect import PRESETS
from tests.strategies.requests import any_requests, as_body, taken_requests
from tests.strategies.walker import PROPERTY
from tests.vendor import LATEST, Json, Refusal, chat_error, chat_request, check_messages_request

VERSIONS: Final = st.sampled_from([None, "2023-06-01", LATEST])
_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+|\.\.\.)\]")
MOST_ERROR_BYTES: Final = 700


@st.composite
def dialects(draw: st.DrawFn) -> Dialect:
    """A preset, sometimes with some options inverted."""
    dialect = draw(st.sampled_from([*PRESETS.values()]))
    changes: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "sampling": st.booleans(),
                "temperature_and_top_p": st.booleans(),
                "forced_tools": st.booleans(),
                "json_schema": st.booleans(),
                "reasoning": st.sampled_from(["budget", "effort", "none"]),
                "efforts": st.just({"low": "low"}),
                "adaptive_thinking": st.booleans(),
                "thinking_off": st.sampled_from([True, False, "between_tools", "none"]),
                "display": st.sampled_from([None, "summarized", "omitted"]),
                "web_search": st.just("web_search_20260318"),
                "prefill": st.booleans(),
                "system_messages": st.booleans(),
                "exact_tool_choice": st.booleans(),
                "repeats_prefill": st.booleans(),
            },
        )
    )
    return replace(dialect, **changes) if draw(st.booleans()) else dialect


def check(translation: Translation) -> list[str]:
    """Problems of the messages request for the service that the dialect describes."""
    dialect = translation.dialect
    refuses: dict[Refusal, bool] = {
        "forced_tool": not dialect.forced_tools,
        "prefill": not dialect.prefill,
        "system_role": not dialect.system_messages,
        "thinking_budget": dialect.reasoning != "budget",
    }
    problems = check_messages_request(
        json.loads(translation.body),
        version=translation.version,
        refuses=[refusal for refusal, refused in refuses.items() if refused],
        max_temperature=dialect.max_temperature,
    )
    if not dialect.exact_tool_choice:  # where no tool may be called none is sent, whatever was called before
        problems = [problem for problem in problems if not problem.startswith("tools: history has tool blocks")]
    return problems


def has_place(request: Json, param: str) -> bool:
    """Whether `param` is a path in the request, or of a missing field."""
    here: Any = request
    *steps, last = [found[1] or found[2] for found in _STEP.finditer(param)]
    for step in steps:
        if step == "..." and isinstance(here, dict):
            return True  # msgspec does not tell the key of a mapping
        try:
            here = here[int(step) if isinstance(here, list) else step]
        except (KeyError, IndexError, TypeError, ValueError):
            return False
    if isinstance(here, list):
        return last.isdigit() and int(last) < len(here)
    return isinstance(here, dict)


@PROPERTY
@given(any_requests(), dialects(), VERSIONS, st.booleans())
def test_any_request_is_refused_or_becomes_a_valid_messages_request(
    request: Json, dialect: Dialect, version: str | None, strict: bool
) -> None:
    assert chat_request(request) == []
    try:
        problems = check(translate(as_body(request), dialect=dialect, version=version, strict=strict))
        note("taken")
    except InvalidRequest as refusal:
        problems = check_refusal(refusal, None if strict else request)
        note(f"refused: {refusal.code}")
    assert problems == []


def check_refusal(refusal: InvalidRequest, request: Json | None) -> list[str]:
    """Problems of a refusal, including its `param` if there is a request."""
    problems = chat_error(json.loads(refusal.body))
    if len(refusal.body) > MOST_ERROR_BYTES:
        problems.append("a long error")
    if refusal.param is None or (request is not None and not has_place(request, refusal.param)):
        problems.append(f"no such place: {refusal.param}")
    return problems


@PROPERTY
@given(taken_requests(), dialects(), VERSIONS)
def test_a_request_without_a_fault_is_taken(request: Json, dialect: Dialect, version: str | None) -> None:
    assert chat_request(request) == []
    assert check(translate(as_body(request), dialect=dialect, version=version)) == []


@PROPERTY
@given(taken_requests(prefill=True), dialects(), VERSIONS)
def test_a_request_that_ends_with_the_start_of_a_reply_is_taken(
    request: Json, dialect: Dialect, version: str | None
) -> None:
    assert check(translate(as_body(request), dialect=replace(dialect, prefill=True), version=version)) == []
