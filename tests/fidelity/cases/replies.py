"""Cases: replies."""

from __future__ import annotations

from tests.fidelity.cases.forms import HI, Case, asks, function, message, text_block, use

CITED = {
    "type": "web_search_result_location",
    "cited_text": "x",
    "encrypted_index": "e",
    "url": "https://x",
    "title": "T",
}
MAPPED = asks(HI, tools=[function("a.b")])
AS_JSON = asks(HI, response_format={"type": "json_object"})
CACHED = {"input_tokens": 10, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 30, "output_tokens": 5}


def stops(native: str, finish: str) -> Case:
    return Case(
        f"{native} is {finish}",
        "Replies",
        asks(HI),
        (("is", "finish_reason", finish),),
        reply=message(text_block("a"), stop=native),
    )


REPLIES = [
    stops("end_turn", "stop"),
    stops("stop_sequence", "stop"),
    stops("max_tokens", "length"),
    stops("model_context_window_exceeded", "length"),
    stops("refusal", "content_filter"),
    stops("some_new_reason", "stop"),
    Case(
        "calls that end with end_turn finish with tool_calls",
        "Replies",
        asks(HI, tools=[function()]),
        (("is", "finish_reason", "tool_calls"),),
        reply=message(use("t1")),
    ),
    Case(
        "text blocks are joined in order",
        "Replies",
        asks(HI),
        (("is", "content", "ab"),),
        reply=message(text_block("a"), text_block("b")),
    ),
    Case(
        "no text is null",
        "Replies",
        asks(HI, tools=[function()]),
        (("is", "content", None),),
        reply=message(use("t1"), stop="tool_use"),
    ),
    Case(
        "the service's own calls never appear",
        "Replies",
        asks(HI),
        (("is", "tool_calls", []), ("is", "content", "a")),
        reply=message({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}, text_block("a")),
    ),
    Case(
        "mapped tool names are mapped back",
        "Replies",
        MAPPED,
        (("is", "tool_calls[0].name", "a.b"),),
        reply=message(use("t1", "$native:a.b"), stop="tool_use"),
    ),
    Case(
        "two calls of one id get distinct ids",
        "Replies",
        asks(HI, tools=[function()]),
        (("distinct", "tool_calls[*].id"),),
        reply=message(use("t1"), use("t1"), stop="tool_use"),
    ),
    Case(
        "an unknown block is skipped",
        "Replies",
        asks(HI),
        (("is", "content", "a"),),
        reply=message({"type": "hologram", "data": 1}, text_block("a")),
    ),
    Case(
        "prompt tokens count the cache",
        "Replies",
        asks(HI),
        (
            ("is", "usage.prompt_tokens", 60),
            ("is", "usage.total_tokens", 65),
            ("is", "usage.prompt_tokens_details.cached_tokens", 20),
        ),
        reply=message(text_block("a"), usage=CACHED),
    ),
    Case(
        "usage of the operator's own arrives",
        "Replies",
        asks(HI),
        (("is", "usage.credits_consumed", 27),),
        reply=message(text_block("a"), usage={"input_tokens": 1, "output_tokens": 2, "credits_consumed": 27}),
    ),
    Case(
        "the id joins with the native one",
        "Replies",
        asks(HI),
        (("has", "id", "1"), ("lacks", "id", "msg_")),
        reply=message(text_block("a")),
    ),
    Case(
        "citations of the web are annotations",
        "Replies",
        asks(HI),
        (
            ("is", "annotations[0].url_citation.url", "https://x"),
            ("is", "annotations[0].url_citation.start_index", 1),
            ("is", "annotations[0].url_citation.end_index", 3),
        ),
        reply=message(text_block("a"), {**text_block("bc"), "citations": [CITED]}),
    ),
    Case(
        "thinking is reasoning_content",
        "Replies",
        asks(HI),
        (("is", "reasoning_content", "hm"),),
        reply=message({"type": "thinking", "thinking": "hm", "signature": "s"}, text_block("a")),
    ),
    Case(
        "a refusal is told",
        "Replies",
        asks(HI),
        (("is", "refusal", "No."),),
        reply=message(stop="refusal", stop_details={"type": "refusal", "category": None, "explanation": "No."}),
    ),
    Case(
        "a refusal without words names its category",
        "Replies",
        asks(HI),
        (("is", "refusal", "cyber"),),
        reply=message(stop="refusal", stop_details={"type": "refusal", "category": "cyber", "explanation": None}),
    ),
    Case(
        "JSON by a tool is the content",
        "Replies",
        AS_JSON,
        (("json", "content", {"a": 1}), ("is", "finish_reason", "stop")),
        reply=message(use("t1", "$json", {"a": 1}), stop="tool_use"),
    ),
    Case(
        "text before the JSON does not spoil it",
        "Replies",
        AS_JSON,
        (("json", "content", {"a": 1}),),
        reply=message(text_block("Here: "), use("t1", "$json", {"a": 1}), stop="tool_use"),
    ),
]
