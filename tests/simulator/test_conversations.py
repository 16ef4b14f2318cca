"""Invalid conversations, and some valid ones."""

from typing import Any

import pytest

from tests.simulator.driver import (
    BUDGET,
    LONG_MARK,
    MARK,
    OLD,
    THOUGHT,
    WEATHER,
    ask,
    assistant,
    body,
    call,
    document,
    image,
    keeps_quiet,
    post,
    refused,
    result,
    text,
    user,
)

FORMAT = {
    "output_config": {"format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}}}
}
DOCUMENT = document({"type": "text", "media_type": "text/plain", "data": "b"})
SYSTEM = {"role": "system", "content": "Be kind."}

CONVERSATIONS: dict[str, tuple[Any, str]] = {
    "no message": (body() | {"messages": []}, "messages: at least one message is required"),
    "first is not the user's": (body(assistant("a"), "b"), 'messages: first message must use the "user" role'),
    "empty text": (body(user("a", "")), "messages: text content blocks must be non-empty"),
    "blank text": (body(" \n"), "messages: text content blocks must contain non-whitespace text"),
    "empty content": (body(user("")), "messages.0: all messages must have non-empty content"),
    "no blocks": (body({"role": "user", "content": []}), "messages.0: all messages must have non-empty content"),
    "empty assistant in the middle": (
        body("a", assistant(""), "b"),
        "messages.1: all messages must have non-empty content",
    ),
    "empty system": (body(system=""), "system: text content blocks must be non-empty"),
    "blank system block": (
        body(system=[text("a"), text(" ")]),
        "system: text content blocks must contain non-whitespace",
    ),
    "call in a user turn": (
        body(user(call("t")), tools=[WEATHER]),
        "messages.0.content.0: `tool_use` blocks can only be in `assistant`",
    ),
    "thinking in a user turn": (body(user(THOUGHT)), "`thinking` blocks can only be in `assistant` messages"),
    "redacted thinking in a user turn": (
        body(user({"type": "redacted_thinking", "data": "x"})),
        "`redacted_thinking` blocks can only be in `assistant` messages",
    ),
    "result in an assistant turn": (
        body("a", assistant(result("t"))),
        "`tool_result` blocks can only be in `user` messages",
    ),
    "image in an assistant turn": (
        body("a", assistant(image())),
        "messages.1.content.0: `image` blocks can only be in `user`",
    ),
    "image in a system turn": (
        body("a", {"role": "system", "content": [image()]}, model="sim-2"),
        "can only have `text` blocks",
    ),
    "bad base64": (body(user(image("@@@"))), "messages.0.content.0.source.data: invalid base64 data"),
    "base64 that is not ASCII": (body(user(image("\u00e9"))), "messages.0.content.0.source.data: invalid base64 data"),
    "no base64": (body(user(image(""))), "messages.0.content.0.source.data: invalid base64 data"),
    "another type than it says": (
        body(user(image(media_type="image/jpeg"))),
        "messages.0.content.0.source.media_type: The file was specified using the image/jpeg media type, but it "
        "appears to be image/png",
    ),
    "bad base64 of a PDF": (
        body(user(document({"type": "base64", "media_type": "application/pdf", "data": "@"}))),
        "messages.0.content.0.source.data: invalid base64 data",
    ),
    "bad base64 in a result": (
        body("a", assistant(call("t")), user(result("t", [text("a"), image("@")])), tools=[WEATHER]),
        "messages.2.content.0.content.1.source.data: invalid base64 data",
    ),
    "image by another scheme": (
        body(user({"type": "image", "source": {"type": "url", "url": "ftp://a"}})),
        "messages.0.content.0.source.url: Only HTTP and HTTPS URLs are supported",
    ),
    "id of a call": (
        body("a", assistant(call("t.1"))),
        "messages.1.content.0.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    ),
    "name of a call": (
        body("a", assistant(call("t", "a.b"))),
        "messages.1.content.0.name: String should match pattern",
    ),
    "same id twice": (
        body("a", assistant(call("t"), call("t")), user(result("t")), tools=[WEATHER]),
        "messages.1.content.1: `tool_use` ids must be unique",
    ),
    "call without a result": (
        body("a", assistant(call("t"), call("u")), user(result("t"), "b"), tools=[WEATHER]),
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: u. ",
    ),
    "call at the end": (
        body("a", assistant(call("t")), tools=[WEATHER]),
        "ids were found without `tool_result` blocks immediately after: t. ",
    ),
    "result behind text": (
        body("a", assistant(call("t")), user("b", result("t")), tools=[WEATHER]),
        "ids were found without `tool_result` blocks immediately after: t. ",
    ),
    "system between call and result": (
        body("a", assistant(call("t")), SYSTEM, user(result("t")), tools=[WEATHER], model="sim-2"),
        "messages.2: a system message must follow a user message",
    ),
    "result without a call": (
        body(user(result("t")), tools=[WEATHER]),
        "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: t. ",
    ),
    "result of an earlier call": (
        body("a", assistant(call("t")), user(result("t")), assistant("b"), user(result("t")), tools=[WEATHER]),
        "messages.4.content.0: unexpected `tool_use_id` found in `tool_result` blocks: t. ",
    ),
    "two results": (
        body("a", assistant(call("t")), user(result("t"), result("t")), tools=[WEATHER]),
        "messages.2.content.1: each tool_use must have a single result. Found multiple `tool_result` blocks with id: t",
    ),
    "image in an error": (
        body("a", assistant(call("t")), user(result("t", [image()], is_error=True)), tools=[WEATHER]),
        "messages.2.content.0: all content must be type `text` if `is_error` is true",
    ),
    "altered thinking": (
        body("a", assistant({**THOUGHT, "thinking": "ho"}, "b"), "c"),
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ),
    "calls without tools": (
        body("a", assistant(call("t")), user(result("t"))),
        "Requests which have `tool_use` or `tool_result` blocks in `messages` must define tools.",
    ),
    "system role on an old model": (body("a", SYSTEM), "messages.1: role 'system' is not supported on this model"),
    "system before a user message": (
        body("a", SYSTEM, "b", model="sim-2"),
        "messages.1: a system message must be last or be followed by an assistant message",
    ),
    "prefill on a new model": (
        body("a", assistant("b"), model="sim-2"),
        "This model does not support assistant message prefill.",
    ),
    "prefill with a format": (body("a", assistant("b"), **FORMAT), "output_config.format: not supported together with"),
    "prefill that ends in space": (
        body("a", assistant("b ")),
        "messages: final assistant content cannot end with trailing whitespace",
    ),
    "document with a long title": (
        body(user({**DOCUMENT, "title": "a" * 501})),
        "messages.0.content.0.document.title: String should have at most 500 characters",
    ),
    "document with an empty title": (
        body(user({**DOCUMENT, "title": ""})),
        "messages.0.content.0.document.title: String should have at least 1 character",
    ),
    "document in an assistant turn": (
        body("a", assistant(DOCUMENT), "c"),
        "messages.1.content.0: `document` blocks can only be in `user` messages",
    ),
    "citations of the user": (
        body(
            user(
                {
                    **text("a"),
                    "citations": [
                        {
                            "type": "web_search_result_location",
                            "cited_text": "a",
                            "encrypted_index": "b",
                            "title": None,
                            "url": "c",
                        }
                    ],
                }
            )
        ),
        "messages.0.content.0.citations: Extra inputs are not permitted",
    ),
    "five breakpoints": (
        body(user(*[{**text("a"), **MARK}] * 4), **MARK),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "breakpoints within results": (
        body("a", assistant(call("t")), user({**result("t", [{**text("a"), **MARK}]), **MARK}), tools=[WEATHER]),
        "cache_control may not be specified within `tool_result.content`",
    ),
    "long breakpoint behind a short one": (
        body(user({**text("a"), **LONG_MARK}), system=[{**text("a"), **MARK}]),
        "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block",
    ),
}


@pytest.mark.parametrize(("request_body", "message"), CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_a_conversation_that_cannot_be_is_refused(request_body: Any, message: str) -> None:
    refused(post(request_body), 400, "invalid_request_error", message)


def test_more_than_100000_messages_are_refused() -> None:
    message = "messages: List should have at most 100000 items"
    refused(post(body(*["a"] * 100_001)), 400, "invalid_request_error", message)


def test_errors_do_not_quote_the_conversation() -> None:
    keeps_quiet({name: case for name, case in CONVERSATIONS.items() if name != "first is not the user's"})


# ---------------------------------------------------------------- what must not be refused


def test_a_running_loop_begins_with_its_thinking() -> None:
    loop = ["a", assistant(THOUGHT, call("t")), user(result("t"))]
    assert ask(*loop, tools=[WEATHER], **BUDGET)["stop_reason"] == "end_turn"
    redacted = {"type": "redacted_thinking", "data": "x"}
    loop[1] = assistant(redacted, call("t"))
    assert ask(*loop, tools=[WEATHER], **BUDGET)["stop_reason"] == "end_turn"


def test_an_earlier_loop_needs_no_thinking() -> None:
    loop = ["a", assistant(call("t")), user(result("t")), assistant("b"), "c"]
    assert ask(*loop, tools=[WEATHER], tool_choice={"type": "none"}, **BUDGET)["stop_reason"] == "end_turn"
    assert ask("a", {"role": "assistant", "content": []}, **BUDGET)["stop_reason"] == "end_turn"


def test_the_old_version_takes_assistant_documents_and_user_citations() -> None:
    cited = [
        {
            "type": "char_location",
            "cited_text": "a",
            "document_index": 0,
            "document_title": None,
            "start_char_index": 0,
            "end_char_index": 1,
        }
    ]
    paper = document({"type": "text", "media_type": "text/plain", "data": "b"})
    reply = ask(user({**text("a"), "citations": cited}), assistant(paper), "c", version=OLD)
    assert reply["stop_reason"] == "end_turn"


def test_empty_text_in_a_result_is_taken() -> None:
    loop = ["a", assistant({**call("t"), "caller": {"type": "direct"}}), user(result("t", [text("")]))]
    assert ask(*loop, tools=[WEATHER])["stop_reason"] == "end_turn"
