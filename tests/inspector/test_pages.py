"""Who gets the inspector's pages and answers, and what every reply of it says to the browser."""

import json
from importlib.resources import files
from typing import Any

import pytest

from tests.asgi.driver import Reply, call, chat, scope
from tests.inspector.service import around, inspector, upstream

pytestmark = pytest.mark.anyio

STATIC = files("chatcompat.inspector") / "static"
PAGES = ["/inspect", *sorted(f"/inspect/{file.name}" for file in STATIC.iterdir())]
JSON = {b"content-type": b"application/json", b"host": b"127.0.0.1:8000"}
POLICY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


async def ask(path: str, method: str = "GET", body: bytes = b"", **options: Any) -> Reply:
    headers = {name.encode(): value for name, value in options.pop("headers", {}).items()} or JSON
    more: Any = {"path": path, "method": method, "headers": [*headers.items()]}
    return await call(around(upstream, **options), body, **more)


async def receive_nothing() -> dict[str, Any]:
    return {"type": "http.disconnect"}


async def with_headers(path: str, method: str, headers: dict[bytes, bytes], **options: Any) -> Reply:
    more: Any = {"path": path, "method": method, "headers": [*(JSON | headers).items()]}
    return await call(around(upstream, **options), chat() if method == "POST" else b"", **more)


@pytest.mark.parametrize("path", PAGES)
async def test_each_file_is_served_with_its_type_and_the_policy(path: str) -> None:
    reply = await ask(path)
    assert (reply.status, int(reply.headers["content-length"])) == (200, len(reply.body))
    assert {name: reply.headers[name] for name in POLICY} == POLICY
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "json": "application/json"}
    expected = kinds.get(path.rpartition(".")[2], "text/html")
    assert reply.headers["content-type"].startswith(expected)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await around(upstream)(scope(path, "HEAD", headers=[*JSON.items()]), receive_nothing, send)
    assert (sent[0]["headers"], sent[1]["body"]) == (reply.messages[0]["headers"], b"")


@pytest.mark.parametrize("path", PAGES)
async def test_no_file_names_another_host_or_has_inline_code(path: str) -> None:
    text = (await ask(path)).body.decode().replace("http://www.w3.org/2000/svg", "")
    assert "http" not in text.lower().replace("http ${", "").replace("http 200", "") or path.endswith("examples.json")
    assert "innerHTML" not in text
    assert " style=" not in text
    assert " onclick=" not in text
    assert "<script>" not in text


@pytest.mark.parametrize("path", ["/inspect/", "/inspect/nothing", "/inspect/static/index.html", "/inspect/../x"])
async def test_any_other_path_is_a_404(path: str) -> None:
    reply = await ask(path)
    assert (reply.status, reply.error["code"]) == (404, "not_found")
    assert {name: reply.headers[name] for name in POLICY} == POLICY


@pytest.mark.parametrize(
    ("path", "method"),
    [("/inspect", "POST"), ("/inspect/recent", "PUT"), ("/inspect/translate", "GET"), ("/inspect/run", "GET")],
)
async def test_another_method_is_a_405(path: str, method: str) -> None:
    assert (await ask(path, method)).status == 405


HOSTS = [b"127.0.0.1:8000", b"127.0.0.1", b"localhost:1", b"LOCALHOST", b"[::1]:80", b"[::1]", b"127.9.9.9"]
OTHERS = [
    b"evil.example",
    b"127.0.0.1.evil.example",
    b"localhost.evil.example",
    b"",
    b"10.0.0.1:8000",
    b"[::2]",
    b"[",
    b"0.0.0.0",
]
ALL = [
    ("/inspect", "GET"),
    ("/inspect/inspector.js", "GET"),
    ("/inspect/recent", "GET"),
    ("/inspect/translate", "POST"),
    ("/inspect/run", "POST"),
]


@pytest.mark.parametrize("host", HOSTS)
async def test_a_name_of_this_machine_is_answered(host: bytes) -> None:
    for path, method in ALL:
        assert (await with_headers(path, method, {b"host": host})).status == 200


@pytest.mark.parametrize("host", OTHERS)
async def test_another_name_is_refused(host: bytes) -> None:
    for path, method in ALL:
        reply = await with_headers(path, method, {b"host": host})
        assert (reply.status, reply.error["code"]) == (403, "wrong_host")
        assert "--inspect-anywhere" in reply.error["message"]


async def test_another_name_is_answered_if_the_server_says_so() -> None:
    for path, method in ALL:
        assert (await with_headers(path, method, {b"host": b"dev.example"}, anywhere=True)).status == 200


async def test_without_a_host_nothing_is_answered() -> None:
    reply = await call(around(upstream), b"", path="/inspect", method="GET", headers=[])
    assert reply.status == 403


FOREIGN = [
    {b"origin": b"http://evil.example"},
    {b"origin": b"null"},
    {b"origin": b"http://127.0.0.1:9000"},
    {b"origin": b""},
    {b"sec-fetch-site": b"cross-site"},
    {b"sec-fetch-site": b"same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("anywhere", [False, True])
async def test_pages_of_other_origins_are_refused(headers: dict[bytes, bytes], anywhere: bool) -> None:
    for path, method in ALL[2:]:
        reply = await with_headers(path, method, headers, anywhere=anywhere)
        assert (reply.status, reply.error["code"]) == (403, "cross_origin")
        assert "access-control-allow-origin" not in reply.headers


async def test_the_page_itself_is_answered() -> None:
    own = {b"origin": b"http://127.0.0.1:8000", b"sec-fetch-site": b"same-origin"}
    for path, method in ALL:
        assert (await with_headers(path, method, own)).status == 200


@pytest.mark.parametrize("media", [b"text/plain", b"application/x-www-form-urlencoded", b""])
async def test_what_other_origins_send_without_asking_is_refused(media: bytes) -> None:
    for path, method in ALL[3:]:
        reply = await with_headers(path, method, {b"content-type": media})
        assert (reply.status, reply.error["code"]) == (415, "unsupported_media_type")


async def test_a_body_above_the_limit_is_a_413() -> None:
    reply = await ask("/inspect/translate", "POST", b" " * 101, max_body_bytes=100)
    assert (reply.status, reply.error["code"]) == (413, "request_too_large")


async def test_a_client_that_leaves_early_gets_nothing() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [*JSON.items()]
    await around(upstream)(scope("/inspect/translate", headers=headers), receive_nothing, send)
    assert sent == []


async def test_the_report_is_of_the_translation_that_is_sent() -> None:
    body = (await ask("/inspect/translate", "POST", chat(seed=1, stream=True))).json()
    assert body["refusal"] is None
    assert body["request"]["streaming"]
    assert body["request"]["microseconds"] > 0
    assert [field["path"] for field in body["report"]["fields"] if field["fate"] == "ignored"] == ["seed"]


async def test_a_refused_request_is_an_answer_too() -> None:
    reply = await ask("/inspect/translate", "POST", b"{")
    assert (reply.status, reply.json()["refusal"]["code"]) == (200, "invalid_json")


async def test_a_slow_translation_is_timed_once() -> None:
    own = inspector()
    large = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}] * 2_000}).encode()
    assert json.loads(own.translate(large))["request"]["microseconds"] > 0
