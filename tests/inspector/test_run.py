"""A run: both sides as frames, in order, while they stream; and the list of exchanges."""

import json
from typing import Any

import anyio
import pytest
from starlette.types import Receive, Scope, Send

from chatcompat import ChatCompatMiddleware
from chatcompat.inspector.run import MAX_FRAME
from tests.asgi.driver import HELLO, REPLY, Reply, call, chat, frame
from tests.inspector.service import around, inspector, upstream

pytestmark = pytest.mark.anyio

KEY = b"Bearer sk-secret"
HEADERS = [(b"content-type", b"application/json"), (b"host", b"localhost"), (b"authorization", KEY)]
STREAM = {"stream": True, "stream_options": {"include_usage": True}}


def frames(reply: Reply) -> list[dict[str, Any]]:
    return [json.loads(part[6:]) for part in reply.body.decode().split("\n\n") if part]


async def run(app: Any, body: bytes, **more: Any) -> list[dict[str, Any]]:
    reply = await call(app, body, path="/inspect/run", headers=HEADERS, **more)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream")
    assert reply.complete
    return frames(reply)


def streaming(*events: dict[str, Any], pieces: int = 1, status: int = 200) -> Any:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for at in range(0, len(events), pieces):
            body = b"".join(frame(event) for event in events[at : at + pieces])
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return inner


def whole(message: dict[str, Any]) -> Any:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(message).encode()})

    return inner


async def test_events_and_chunks_are_tied_as_they_stream() -> None:
    found = await run(around(streaming(*HELLO)), chat(**STREAM))
    native = [frame for frame in found if frame["side"] == "native"]
    assert [frame["piece"] for frame in native] == list(range(1, len(HELLO) + 2))
    assert [json.loads(frame["data"]) for frame in native[1:]] == HELLO
    chunks = [frame for frame in found if frame["side"] == "chat"]
    texts = {json.loads(frame["data"])["choices"][0]["delta"].get("content"): frame["piece"] for frame in chunks[1:4]}
    assert texts == {"": 2, "Hel": 4, "lo": 5}
    assert chunks[-1]["data"] == "[DONE]"
    assert [frame["t"] for frame in found] == sorted(frame["t"] for frame in found)
    assert found[-1]["side"] == "end"


async def test_events_that_come_together_are_one_piece() -> None:
    found = await run(around(streaming(*HELLO, pieces=3)), chat(**STREAM))
    assert [frame["piece"] for frame in found if frame["side"] == "native"] == [1, 2, 2, 2, 3, 3, 3, 4]
    (hel,) = [frame for frame in found if frame["side"] == "chat" and "Hel" in frame.get("data", "")]
    assert hel["piece"] == 2


async def test_the_end_has_usage_credits_times_and_costs() -> None:
    end = (await run(around(streaming(*HELLO)), chat(**STREAM)))[-1]
    record = end["record"]
    assert (record["status"], record["finish_reason"], record["error_type"]) == (200, "stop", None)
    assert (record["prompt_tokens"], record["completion_tokens"], record["credits"]) == (3, 2, 7)
    assert 0 < record["first_byte"] <= record["first_token"] <= record["duration"]
    assert record["tokens_per_second"] == pytest.approx(2 / (record["duration"] - record["first_token"]))
    assert end["request_us"] > 0
    assert end["reply_us"] > 0


async def test_credits_that_are_not_told_are_unknown() -> None:
    usage = {"input_tokens": 3, "output_tokens": 0}
    end = (await run(around(whole(REPLY | {"usage": usage})), chat()))[-1]
    assert (end["record"]["credits"], end["record"]["tokens_per_second"]) == (None, None)


async def test_a_whole_reply_is_one_frame_on_each_side() -> None:
    found = await run(around(whole(REPLY)), chat())
    assert [(frame["side"], frame.get("status")) for frame in found] == [
        *(("native", 200), ("native", None), ("chat", 200), ("chat", None), ("end", None))
    ]
    assert json.loads(found[1]["data"]) == REPLY
    assert json.loads(found[3]["data"])["choices"][0]["message"]["content"] == "Hello"


async def test_a_refused_request_never_reaches_the_inner_app() -> None:
    found = await run(around(whole(REPLY)), chat(modalities=["audio"]))
    assert [frame["side"] for frame in found] == ["chat", "chat", "end"]
    assert found[0]["status"] == 400
    assert json.loads(found[1]["data"])["error"]["param"] == "modalities"
    assert (found[-1]["request_us"], found[-1]["reply_us"]) == (None, None)


async def test_the_credential_reaches_the_inner_app_and_nothing_else() -> None:
    seen: list[Scope] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await whole(REPLY)(scope, receive, send)

    browser = [(b"cookie", b"a=b"), (b"sec-fetch-mode", b"cors"), (b"referer", b"http://localhost/inspect")]
    reply = await call(around(inner), chat(), path="/inspect/run", query_string=b"x", headers=[*HEADERS, *browser])
    headers = dict(seen[0]["headers"])
    assert (seen[0]["path"], seen[0]["query_string"], headers[b"authorization"]) == ("/v1/messages", b"", KEY)
    assert headers.keys() == {b"authorization", b"host", b"content-type", b"content-length", b"anthropic-version"}
    assert b"sk-secret" not in reply.body


async def test_below_a_prefix_the_run_goes_below_it_too() -> None:
    seen: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["path"])
        await whole(REPLY)(scope, receive, send)

    await call(around(inner), chat(), path="/llm/inspect/run", root_path="/llm", headers=HEADERS)
    assert seen == ["/llm/v1/messages"]


async def test_several_choices_are_shown_and_their_cost_is_not_known() -> None:
    met = anyio.Event()
    waiting = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        waiting.append(1)
        if len(waiting) == 2:
            met.set()
        await met.wait()  # so that both calls are open at once
        await streaming(*HELLO)(scope, receive, send)

    found = await run(around(inner), chat(n=2, **STREAM))
    assert {frame["call"] for frame in found if frame["side"] == "native"} == {1, 2}
    assert found[-1]["reply_us"] is None
    assert found[-1]["record"]["completion_tokens"] == 4


async def test_an_event_that_is_too_long_is_cut() -> None:
    long = HELLO[2] | {"delta": {"type": "text_delta", "text": "x" * MAX_FRAME}}
    found = await run(around(streaming(*HELLO[:2], long, *HELLO[3:])), chat(**STREAM))
    assert max(frame["cut"] for frame in found if "cut" in frame) > 0
    assert max(len(frame.get("data", "")) for frame in found) == MAX_FRAME


async def test_an_event_above_the_limit_ends_as_the_client_sees_it() -> None:
    huge = HELLO[2] | {"delta": {"type": "text_delta", "text": "x" * 9_000_000}}
    found = await run(around(streaming(*HELLO[:2], huge, *HELLO[3:], pieces=3)), chat(**STREAM))
    assert any('"error"' in frame.get("data", "") for frame in found if frame["side"] == "chat")
    assert found[-1]["record"]["error_type"] == "server_error"


async def test_comments_and_other_messages_make_no_frame() -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"".join(map(frame, HELLO[:3])), "more_body": True})
        await send({"type": "http.response.debug"})
        await anyio.sleep(0.2)  # the middleware fills it with comments
        await send({"type": "http.response.body", "body": b"".join(map(frame, HELLO[3:]))})

    found = await run(around(inner), chat(**STREAM))
    assert all(frame.get("data") != "" for frame in found)
    assert found[-1]["record"]["finish_reason"] == "stop"


async def test_an_inner_app_that_raises_ends_the_run() -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("broken")

    pieces: list[bytes] = []

    async def send(message: Any) -> None:
        pieces.append(message.get("body", b""))

    bodies = [{"type": "http.request", "body": chat()}]

    async def receive() -> Any:
        if not bodies:
            await anyio.sleep_forever()
        return bodies.pop()

    scope = {"type": "http", "method": "POST", "path": "/inspect/run", "headers": HEADERS, "query_string": b""}
    with pytest.raises(RuntimeError, match="broken"):
        await around(inner)(scope, receive, send)
    end = json.loads(pieces[-1][6:])
    assert (end["side"], end["record"]["status"]) == ("end", 500)


async def test_a_client_that_leaves_ends_the_run() -> None:
    gone = anyio.Event()

    async def leave(reply: Reply) -> None:
        if b"Hel" in reply.body:
            gone.set()

    with anyio.fail_after(10):
        reply = await call(
            around(upstream),
            chat(messages=[{"role": "user", "content": "slow"}], **STREAM),
            path="/inspect/run",
            headers=HEADERS,
            leave=gone,
            on_send=leave,
        )
    assert frames(reply)[-1]["record"]["error_type"] == "client_disconnected"


async def test_recent_lists_exchanges_without_their_text() -> None:
    app = around(upstream)
    said = [{"role": "user", "content": "a secret of mine"}]
    await run(app, chat(messages=said, model="caicaini/auto", max_tokens=99, seed=1, **STREAM))
    await run(app, chat(messages=said, modalities=["audio"]))
    reply = await call(app, b"", path="/inspect/recent", method="GET", headers=HEADERS)
    first, second = reply.json()["exchanges"]
    assert (first["number"], first["model"], first["ignored"], first["finish_reason"]) == (
        1,
        "caicaini/auto",
        ["seed"],
        "stop",
    )
    assert (second["number"], second["status"], second["error_code"]) == (2, 400, "unsupported_parameter")
    assert b"secret" not in reply.body


async def test_recent_lists_the_exchanges_of_other_clients_too() -> None:
    own = inspector()
    middleware = ChatCompatMiddleware(own.tap(whole(REPLY)), on_exchange=own.observe)
    await call(middleware, chat())
    reply = await call(own.pages(middleware), b"", path="/inspect/recent", method="GET", headers=HEADERS)
    (entry,) = reply.json()["exchanges"]
    assert (entry["model"], entry["credits"], entry["at"] > 0) == ("m", 7, True)


async def test_recent_has_a_bound() -> None:
    app = around(whole(REPLY))
    for _ in range(105):
        await run(app, chat())
    reply = await call(app, b"", path="/inspect/recent", method="GET", headers=HEADERS)
    assert [entry["number"] for entry in reply.json()["exchanges"]] == list(range(6, 106))


async def test_other_requests_are_not_shown_to_any_run() -> None:
    seen: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])
        if scope["type"] == "http":
            await whole(REPLY)(scope, receive, send)

    tapped = inspector().tap(inner)
    await call(tapped, b"{}", path="/v1/messages")
    await tapped({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert seen == ["http", "lifespan"]
