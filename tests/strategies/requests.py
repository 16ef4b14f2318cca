"""Chat requests from the vendor's request types: any, and such that must be taken."""

import json
from typing import Any, Final

from hypothesis import strategies as st
from openai.types import chat
from openai.types.chat import completion_create_params as params

from chatcompat.request.fields import FATES, Refused
from tests.strategies import values
from tests.strategies.values import Strategy
from tests.strategies.walker import Walker, objects, required_in
from tests.vendor import Json

FORMS: Final = (params.CompletionCreateParamsNonStreaming, params.CompletionCreateParamsStreaming)

# ---------------------------------------------------------------- leaves by their names


def _choices(names: Strategy) -> Strategy:
    """An entry of `allowed_tools`, which the vendor's type leaves open."""
    return st.one_of(
        st.builds(lambda name: {"type": "function", "function": {"name": name}}, names),
        st.builds(lambda name: {"type": "custom", "custom": {"name": name}}, names),
        st.builds(lambda name: {"type": "function", "name": name}, names),
    )


_NAMED: Final[dict[tuple[str, Any], Strategy]] = {
    ("id", str): values.IDS,
    ("tool_call_id", str): values.IDS,
    ("name", str): values.NAMES,
    ("model", str): st.sampled_from(["m", "caicaini/auto", "\u00e9"]),
    ("filename", str): values.FILE_NAMES,
    ("tools", dict): _choices(values.NAMES),
}
ANY: Final = Walker(
    _NAMED
    | {
        ("arguments", str): values.ANY_ARGUMENTS,
        ("url", str): values.URLS,
        ("file_data", str): values.ANY_FILES,
        ("parameters", dict): values.SCHEMAS,
        ("schema", dict): values.SCHEMAS | values.OBJECTS,
    }
)
TAKEN: Final = Walker(
    _NAMED
    | {
        ("content", str): values.SPOKEN,
        ("text", str): values.SPOKEN,
        ("arguments", str): values.LOST_ARGUMENTS,
        ("url", str): values.IMAGE_URLS,
        ("file_data", str): values.FILES,
        ("parameters", dict): values.OBJECT_SCHEMAS,
        ("schema", dict): values.SCHEMAS,
        ("max_tokens", int): values.TOKEN_LIMITS,
        ("max_completion_tokens", int): values.TOKEN_LIMITS,
        ("temperature", float): st.sampled_from([0, 0.5, 1, 1.0, 1.5, 2]),
        ("top_p", float): values.PORTIONS,
        ("frequency_penalty", float): values.PORTIONS,
        ("presence_penalty", float): values.PORTIONS,
    },
    without=frozenset({"input_audio"}),
    always=frozenset({"FileFile.file_data"}),
    least_items=1,
)
"""What is left out here is refused on purpose: cases.md says so."""

REFUSED: Final = frozenset(name for name, fate in FATES.items() if isinstance(fate, Refused)) | {"web_search_options"}


# ---------------------------------------------------------------- conversations


@st.composite
def answers(draw: st.DrawFn, walker: Walker, message: Json) -> list[Json]:
    """The results of an assistant message's calls, in any order."""
    result = walker.of(chat.ChatCompletionToolMessageParam)
    found: list[Json] = [{**draw(result), "tool_call_id": call["id"]} for call in message.get("tool_calls") or ()]
    if legacy := message.get("function_call"):
        found.append({**draw(walker.of(chat.ChatCompletionFunctionMessageParam)), "name": legacy["name"]})
    return draw(st.permutations(found))


@st.composite
def conversations(draw: st.DrawFn, walker: Walker, *, prefill: bool = False) -> list[Json]:
    """Turns in which each call has its result; system messages stand anywhere but between a call and its result."""
    system = walker.of(chat.ChatCompletionSystemMessageParam) | walker.of(chat.ChatCompletionDeveloperMessageParam)
    user, assistant = (
        walker.of(chat.ChatCompletionUserMessageParam),
        walker.of(chat.ChatCompletionAssistantMessageParam),
    )
    messages: list[Json] = draw(st.lists(system, max_size=2))
    for _ in range(draw(st.integers(1, 3))):
        messages += draw(st.lists(user | system, max_size=2))
        message = draw(assistant)
        messages += [message, *draw(answers(walker, message))]
    messages += draw(st.lists(system, max_size=1))
    messages.append(draw(user))
    if prefill:
        messages.append({"role": "assistant", "content": draw(walker.of(str, "content"))})
    return messages


@st.composite
def any_requests(draw: st.DrawFn) -> Json:
    """A request of the vendor's type, with nothing else said of it; what is refused in any case stands there seldom."""
    form = draw(st.sampled_from(FORMS))
    fields = ANY.of_fields(form)
    if draw(st.booleans()):
        fields |= {"messages": conversations(draw(st.sampled_from([ANY, TAKEN])), prefill=draw(st.booleans()))}
    return draw(objects(fields, required_in(form), 6, REFUSED | {"stream_options"}))


@st.composite
def taken_requests(draw: st.DrawFn, *, prefill: bool = False) -> Json:
    """A request that no service of the default dialect has a reason to refuse."""
    form = draw(st.sampled_from(FORMS))
    fields = TAKEN.of_fields(form) | {"messages": conversations(TAKEN, prefill=prefill)}
    fields = {name: field for name, field in fields.items() if name not in REFUSED}
    request: Json = draw(objects(fields, required_in(form), 8))
    if not request.get("stream"):
        request.pop("stream_options", None)
    if request.get("tools"):
        request.pop("functions", None)
    _keep_one_of_a_name(request)
    draw(_choose_offered(request))
    return request


def _keep_one_of_a_name(request: Json) -> None:
    for key in ("tools", "functions"):
        if request.get(key):
            request[key] = list({name_of(tool): tool for tool in request[key] if name_of(tool)}.values())


def name_of(tool: Json) -> str:
    """The name of a tool of any kind, or of a choice."""
    named = tool.get("function") or tool.get("custom") or tool
    return str(named["name"])


@st.composite
def _choose_offered(draw: st.DrawFn, request: Json) -> None:
    """Let choices name what is offered."""
    for key, offered in (("tool_choice", "tools"), ("function_call", "functions")):
        names = [name_of(tool) for tool in request.get(offered) or ()]
        choice = request.get(key)
        if not names:
            request.pop(key, None)
        elif isinstance(choice, dict):
            name = st.sampled_from(names)
            if "allowed_tools" in choice:
                choice["allowed_tools"]["tools"] = draw(st.lists(_choices(name), min_size=1, max_size=2))
            else:
                (choice.get("function") or choice.get("custom") or choice)["name"] = draw(name)


def as_body(request: Json) -> bytes:
    """The bytes of a request, as clients write them."""
    return json.dumps(request, ensure_ascii=False).encode()
