"""Cache marks wherever a client may put them: what is sent is what the service takes, and no mark is lost silently."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chatcompat import Dialect, translate
from chatcompat.simulator.catalogue import find_model
from chatcompat.simulator.decode import decode_messages_request, decode_tools
from chatcompat.simulator.rules import check_prompt

MODEL = find_model("sim-1")
LONG = "word " * 500
LONG_PART = {"type": "text", "text": LONG}
URL = {"type": "url", "url": "https://x.example/a.png"}

marks = st.sampled_from([None, None, {}, {"ttl": "5m"}, {"ttl": "1h"}])


def marked(draw: st.DrawFn, block: dict[str, Any]) -> dict[str, Any]:
    """The block, perhaps with a mark."""
    mark = draw(marks)
    return block if mark is None else {**block, "cache_control": {"type": "ephemeral", **mark}}


@st.composite
def texts(draw: st.DrawFn) -> dict[str, Any]:
    part = {"type": "text", "text": draw(st.sampled_from(["a", " ", LONG]))}
    if draw(st.booleans()):
        return marked(draw, part)
    ttl = draw(st.sampled_from([{}, {"ttl": "30m"}]))
    return part | draw(st.sampled_from([{}, {"prompt_cache_breakpoint": {"mode": "explicit", **ttl}}]))


@st.composite
def parts(draw: st.DrawFn) -> dict[str, Any]:
    inner = draw(st.lists(texts(), min_size=1, max_size=3))
    inner.append({"type": "text", "text": "a"})
    kinds: list[dict[str, Any]] = [
        draw(texts()),
        {"type": "image_url", "image_url": {"url": URL["url"]}},
        {"type": "image", "source": URL},
        {"type": "search_result", "source": "s", "title": "t", "content": inner},
        {"type": "document", "source": {"type": "content", "content": inner}},
    ]
    part = draw(st.sampled_from(kinds))
    return part if "prompt_cache_breakpoint" in part else marked(draw, part)


@st.composite
def turns(draw: st.DrawFn, number: int) -> list[dict[str, Any]]:
    user = marked(
        draw, {"role": "user", "content": [*draw(st.lists(parts(), max_size=3)), {"type": "text", "text": "a"}]}
    )
    if not draw(st.booleans()):
        return [user, marked(draw, {"role": "assistant", "content": [draw(texts()), {"type": "text", "text": "b"}]})]
    call = {"id": f"c{number}", "type": "function", "function": {"name": "f0", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": f"c{number}", "content": draw(st.lists(parts(), min_size=1, max_size=3))}
    return [user, marked(draw, {"role": "assistant", "tool_calls": [call]}), marked(draw, result)]


@st.composite
def tools(draw: st.DrawFn, number: int) -> dict[str, Any]:
    chat = {"type": "function", "function": {"name": f"f{number}"}}
    native = {"type": "custom", "name": f"f{number}", "input_schema": {"type": "object"}}
    tool = draw(st.sampled_from([chat, native])) | draw(st.sampled_from([{}, {"defer_loading": True}]))
    return marked(draw, tool)


@st.composite
def chats(draw: st.DrawFn) -> dict[str, Any]:
    messages = [marked(draw, {"role": "system", "content": draw(st.lists(texts(), max_size=3))})]
    for number in range(draw(st.integers(1, 3))):
        messages += draw(turns(number))
    chat = {
        "model": "sim-1",
        "messages": [*messages, {"role": "user", "content": [draw(texts()), draw(parts()), marked(draw, LONG_PART)]}],
    }
    chat["tools"] = [draw(tools(number)) for number in range(draw(st.integers(1, 3)))]
    options = draw(st.sampled_from([{}, {"mode": "implicit"}, {"mode": "explicit"}, {"ttl": "30m"}, {"ttl": "5m"}]))
    return marked(draw, chat | ({"prompt_cache_options": options} if options else {}))


@settings(max_examples=100, deadline=None)
@given(chats(), st.sampled_from(["automatic", "breakpoints", "off"]))
def test_any_marks_become_marks_that_the_service_takes(chat: dict[str, Any], caching: Any) -> None:
    body = json.dumps(chat)
    translation = translate(body.encode(), dialect=Dialect(caching=caching), created=1)
    request = decode_messages_request(translation.body)
    check_prompt(request, decode_tools(request), MODEL, "2023-06-01")
    sent = translation.body.count(b'"cache_control"')
    explicit = "explicit" in json.dumps(chat.get("prompt_cache_options"))
    asked = body.count('"cache_control"') + body.count('"prompt_cache_breakpoint"')
    if asked:
        assert sent or any("cache_control" in name for name in translation.ignored)
    else:
        assert (sent > 0) == (caching != "off" and not explicit)
