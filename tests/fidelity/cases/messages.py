"""Cases: messages."""

from __future__ import annotations

from tests.fidelity.cases.forms import (
    HI,
    JSON,
    LOOP,
    REFUSED,
    Case,
    Check,
    asks,
    assistant,
    call,
    function,
    result,
    system,
    text_block,
    user,
)

M0 = "messages[0].content"
PNG = "data:image/png;base64,AAAA"


def image(url: str) -> JSON:
    return user([{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": url}}])


def image_is(source: JSON) -> tuple[Check, ...]:
    return (("is", f"{M0}[1].source", source),)


def base64(media_type: str) -> JSON:
    return {"type": "base64", "media_type": media_type, "data": "AAAA"}


MESSAGES = [
    Case(
        "leading system messages are the system, in order",
        "Messages",
        asks(system("a"), system("b"), HI),
        (("is", "system", [text_block("a"), text_block("b")]),),
    ),
    Case(
        "developer messages are system messages",
        "Messages",
        asks({"role": "developer", "content": "a"}, HI),
        (("is", "system", [text_block("a")]), ("is", "messages[0].role", "user")),
    ),
    Case(
        "a system message in mid-conversation keeps its place",
        "Messages",
        asks(HI, assistant("a"), system("be brief"), user("b")),
        (("has", "messages[2:]", "be brief"), ("lacks", "system", "be brief")),
    ),
    Case(
        "only system messages: the last one speaks as the user",
        "Messages",
        asks(system("a"), system("b")),
        (("has", M0, "b"),),
    ),
    Case(
        "system messages before a reply are rendered as in the request before it",
        "Messages",
        asks(system("a"), system("b"), assistant("c"), user("d")),
        (("has", M0, "b"), ("is", "system", [text_block("a")])),
    ),
    Case(
        "an id that was given to the client comes back as the native id",
        "Messages",
        asks(HI, assistant(tool_calls=[call("call_toolu01A")]), result("call_toolu01A"), tools=[function()]),
        (("is", "messages[1].content[0].id", "toolu_01A"), ("is", "messages[2].content[0].tool_use_id", "toolu_01A")),
    ),
    Case(
        "consecutive messages of one role are one turn",
        "Messages",
        asks(HI, user("b"), assistant("c"), user("d")),
        (("is", "messages[*].role", ["user", "assistant", "user"]),),
    ),
    Case(
        "no prose is invented for a call without content",
        "Messages",
        asks(*LOOP, tools=[function()]),
        (("is", "messages[1].content[*].type", ["tool_use"]),),
    ),
    Case(
        "blank text parts are dropped",
        "Messages",
        asks(user([text_block(" "), text_block("a")])),
        (("is", M0, [text_block("a")]),),
    ),
    Case("a user message with nothing in it is refused", "Messages", asks(user("")), REFUSED),
    Case(
        "an empty assistant message is skipped",
        "Messages",
        asks(HI, assistant(""), user("b")),
        (("is", "messages[*].role", ["user"]),),
    ),
    Case(
        "results come first, in the order of the calls",
        "Messages",
        asks(
            HI,
            assistant(tool_calls=[call("c1"), call("c2")]),
            user("wait"),
            result("c2"),
            result("c1"),
            tools=[function()],
        ),
        (
            ("is", "messages[2].content[*].type", ["tool_result", "tool_result", "text"]),
            ("is", "messages[2].content[*].tool_use_id", ["c1", "c2", None]),
        ),
    ),
    Case(
        "a call without a result is refused",
        "Messages",
        asks(HI, assistant(tool_calls=[call("c1")]), user("b"), tools=[function()]),
        REFUSED,
    ),
    Case("a result without a call is refused", "Messages", asks(HI, result("c9"), tools=[function()]), REFUSED),
    Case(
        "ids that are not legal natively are mapped in pairs",
        "Messages",
        asks(HI, assistant(tool_calls=[call("a.b")]), result("a.b"), tools=[function()]),
        (
            ("matches", "messages[1].content[0].id", r"[a-zA-Z0-9_-]+"),
            ("same", "messages[1].content[0].id", "messages[2].content[0].tool_use_id"),
        ),
    ),
    Case(
        "distinct ids stay distinct",
        "Messages",
        asks(HI, assistant(tool_calls=[call("a.b"), call("a:b")]), result("a.b"), result("a:b"), tools=[function()]),
        (("distinct", "messages[1].content[*].id"),),
    ),
    Case(
        "a call without a type is a function call",
        "Messages",
        asks(
            HI,
            assistant(tool_calls=[{"id": "c1", "function": {"name": "f", "arguments": "{}"}}]),
            result("c1"),
            tools=[function()],
        ),
        (("is", "messages[1].content[0].name", "f"),),
    ),
    Case(
        "blank arguments are an empty object",
        "Messages",
        asks(HI, assistant(tool_calls=[call("c1", arguments="")]), result("c1"), tools=[function()]),
        (("is", "messages[1].content[0].input", {}),),
    ),
    Case(
        "arguments that are no object are refused",
        "Messages",
        asks(HI, assistant(tool_calls=[call("c1", arguments="[1]")]), result("c1"), tools=[function()]),
        REFUSED,
    ),
    Case(
        "arguments that are no JSON are refused",
        "Messages",
        asks(HI, assistant(tool_calls=[call("c1", arguments="nope")]), result("c1"), tools=[function()]),
        REFUSED,
    ),
    Case(
        "arguments cut off by a limit do not kill the session",
        "Messages",
        asks(HI, assistant(tool_calls=[call("c1", arguments='{"a": "b')]), result("c1"), tools=[function()]),
        (("is", "messages[1].content[0].input", {}),),
    ),
    Case(
        "large integers keep their digits",
        "Messages",
        asks(
            HI,
            assistant(tool_calls=[call("c1", arguments='{"a": 12345678901234567890123}')]),
            result("c1"),
            tools=[function()],
        ),
        (("is", "messages[1].content[0].input", {"a": 12345678901234567890123}),),
    ),
    Case(
        "a legacy function_call is paired with its result",
        "Messages",
        asks(
            HI,
            assistant(function_call={"name": "f", "arguments": "{}"}),
            {"role": "function", "name": "f", "content": "r"},
            functions=[function()["function"]],
        ),
        (("same", "messages[1].content[0].id", "messages[2].content[0].tool_use_id"),),
    ),
    Case(
        "an image in a result stays in it",
        "Messages",
        asks(
            HI,
            assistant(tool_calls=[call("c1")]),
            result("c1", [{"type": "image_url", "image_url": {"url": PNG}}]),
            tools=[function()],
        ),
        (("is", "messages[2].content[0].content[0].type", "image"),),
    ),
    Case(
        "is_error of a result is passed on",
        "Messages",
        asks(HI, assistant(tool_calls=[call("c1")]), result("c1", "boom", is_error=True), tools=[function()]),
        (("is", "messages[2].content[0].is_error", True),),
    ),
    Case(
        "an https image is a URL source",
        "Messages",
        asks(image("https://example.com/a.png")),
        image_is({"type": "url", "url": "https://example.com/a.png"}),
    ),
    Case("a data URL is base64", "Messages", asks(image(PNG)), image_is(base64("image/png"))),
    Case(
        "image/jpg is image/jpeg", "Messages", asks(image("data:image/jpg;base64,AAAA")), image_is(base64("image/jpeg"))
    ),
    Case("an image of another type is refused", "Messages", asks(image("data:image/svg+xml;base64,AAAA")), REFUSED),
    Case("a file URL is refused", "Messages", asks(image("file:///etc/passwd")), REFUSED),
    Case(
        "a PDF is a document with its name as title",
        "Messages",
        asks(
            user([{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}])
        ),
        (("is", f"{M0}[0].type", "document"), ("is", f"{M0}[0].title", "a.pdf")),
    ),
    Case(
        "an image of another type than it says has its true type",
        "Messages",
        asks(image("data:image/png;base64,/9j/4AAQSkZJRg==")),
        (("is", f"{M0}[1].source.media_type", "image/jpeg"),),
    ),
    Case("an image that is not base64 is refused", "Messages", asks(image("data:image/png;base64,$$$$")), REFUSED),
    Case(
        "a CSV file is a text document",
        "Messages",
        asks(user([{"type": "file", "file": {"file_data": "data:text/csv;base64,YSxi", "filename": "a.csv"}}])),
        (("is", f"{M0}[0].source", {"type": "text", "media_type": "text/plain", "data": "a,b"}),),
    ),
    Case(
        "audio is refused",
        "Messages",
        asks(user([{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}])),
        REFUSED,
    ),
    Case("a part of an unknown type is refused", "Messages", asks(user([{"type": "video", "video": {}}])), REFUSED),
    Case("an unknown role is refused", "Messages", asks(HI, {"role": "robot", "content": "a"}), REFUSED),
    Case(
        "a blank user message in mid-history is skipped",
        "Messages",
        asks(HI, assistant("a"), user(" "), assistant("b"), HI),
        (("is", "messages[*].role", ["user", "assistant", "user"]),),
    ),
    Case(
        "an image URL that is a string is taken",
        "Messages",
        asks(user([{"type": "image_url", "image_url": "https://example.com/a.png"}])),
        (("is", f"{M0}[0].source", {"type": "url", "url": "https://example.com/a.png"}),),
    ),
    Case(
        "arguments that are an object are taken",
        "Messages",
        asks(
            HI, assistant(tool_calls=[{**call("c1"), "function": {"name": "f", "arguments": {"a": 1}}}]), result("c1")
        ),
        (("is", "messages[1].content[0].input", {"a": 1}),),
    ),
    Case(
        "cache_control of a part passes",
        "Messages",
        asks(user([{**text_block("a"), "cache_control": {"type": "ephemeral"}}])),
        (("is", f"{M0}[0].cache_control", {"type": "ephemeral"}),),
    ),
    Case(
        "a prefill loses trailing white space only",
        "Messages",
        asks(HI, assistant(" one  \n")),
        (("is", "messages[1].content[0].text", " one"),),
    ),
    Case("a name on a message is not sent", "Messages", asks({**HI, "name": "Ann"}), (("absent", "messages[0].name"),)),
    Case(
        "an unknown field of a message is not sent",
        "Messages",
        asks({**HI, "odd": 1}),
        (("absent", "messages[0].odd"),),
    ),
    *(
        Case(
            f"reasoning of another vendor is dropped: {name}",
            "Messages",
            asks(HI, assistant("a", reasoning_details=[entry]), user("b")),
            (("lacks", "messages[1]", "thinking"), ("has", "messages[1]", "a")),
        )
        for name, entry in {
            "openai": {"type": "reasoning.encrypted", "data": "gAAAAABo", "format": "openai-responses-v1"},
            "gemini": {"type": "reasoning.encrypted", "data": "CikB", "format": "google-gemini-v1"},
            "signed": {"type": "reasoning.text", "text": "t", "signature": "s", "format": "google-gemini-v1"},
        }.items()
    ),
    Case(
        "thinking blocks of other gateways go back",
        "Messages",
        asks(
            HI,
            assistant("a", thinking_blocks=[{"type": "thinking", "thinking": "t", "signature": "s"}]),
            user("b"),
        ),
        (("is", "messages[1].content[0]", {"type": "thinking", "thinking": "t", "signature": "s"}),),
    ),
    Case(
        "fragments of one index are one thinking block",
        "Messages",
        asks(
            HI,
            assistant(
                "a",
                reasoning_details=[
                    {"type": "reasoning.text", "index": 0, "text": "t"},
                    {"type": "reasoning.text", "index": 0, "text": "u", "signature": "s"},
                ],
            ),
            user("b"),
        ),
        (("is", "messages[1].content[0]", {"type": "thinking", "thinking": "tu", "signature": "s"}),),
    ),
]
