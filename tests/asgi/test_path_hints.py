"""A 404 at a path that a wrong base URL leads to says which endpoint there is."""

import json

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from chatcompat import ChatCompatMiddleware
from chatcompat.asgi.path_hints import PathHints
from tests.asgi.driver import Inner, Reply, call

pytestmark = pytest.mark.anyio

NATIVE_404 = b'{"type":"error","error":{"type":"not_found_error","message":"Not Found"}}'


def missing() -> Inner:
    return Inner(NATIVE_404, status=404, headers=[(b"access-control-allow-origin", b"*"), (b"etag", b'"x"')])


def hint(reply: Reply) -> str:
    assert (reply.status, reply.headers["content-type"]) == (404, "application/json")
    error = reply.error
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, "unknown_url")
    return str(error["message"])


WRONG = [
    "/v1/v1/chat/completions",
    "/v1/v1/models",
    "/v1/v1/responses",
    "/v1/chat/completions/chat/completions",
    "/v1/chat/completions/models",
    "/v1/chat/completions/v1/chat/completions",
    "/v1/chat/completions/",
    "/v1//chat/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/images/generations",
]
ABOVE = ["/chat/completions", "/models", "/responses", "/embeddings", "/completions"]


@pytest.mark.parametrize("path", WRONG)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_likely_mistake_in_the_base_url_is_explained(path: str, method: str) -> None:
    reply = await call(ChatCompatMiddleware(missing()), path=path, method=method)
    assert "The endpoint is POST /v1/chat/completions" in hint(reply)
    assert reply.headers["access-control-allow-origin"] == "*"  # a browser must be able to read it
    assert "etag" not in reply.headers


@pytest.mark.parametrize("path", [*ABOVE, "/", "/v1", "/v1/messages/x", "/v2/chat/completions", "/v1/v1/messages"])
async def test_any_other_404_passes_unchanged(path: str) -> None:
    assert (await call(ChatCompatMiddleware(missing()), path=path)).body == NATIVE_404


@pytest.mark.parametrize("path", WRONG)
async def test_a_path_that_the_inner_app_serves_is_not_hidden(path: str) -> None:
    reply = await call(ChatCompatMiddleware(Inner(b'{"own":1}'), models_path=None), path=path)
    assert (reply.status, reply.body) == (200, b'{"own":1}')


async def test_hints_can_be_turned_off() -> None:
    reply = await call(ChatCompatMiddleware(missing(), path_hints=False), path="/v1/responses")
    assert reply.body == NATIVE_404


async def test_options_is_not_explained() -> None:
    reply = await call(ChatCompatMiddleware(missing()), path="/v1/responses", method="OPTIONS")
    assert reply.body == NATIVE_404


@pytest.mark.parametrize("path", [*WRONG, *ABOVE])
async def test_from_the_root_a_missing_prefix_is_explained_too(path: str) -> None:
    reply = await call(PathHints(missing(), "/v1/chat/completions", from_root=True), path=path)
    assert "/v1/chat/completions" in hint(reply)


@pytest.mark.parametrize(
    ("path", "wrong", "fragment"),
    [
        ("/chat/completions", "/responses", "The endpoint is POST /chat/completions"),
        ("/api/openai/chat/completions", "/api/openai/openai/models", "/openai twice"),
        ("/v1/chat/completions/", "/v1/embeddings", "The endpoint is POST /v1/chat/completions/"),
        ("/ask", "/ask/chat/completions", "Change the base URL"),
        ("/{x}/chat/completions", "/{x}/responses", "The endpoint is POST /{x}/chat/completions"),
    ],
)
async def test_the_hints_follow_the_path_option(path: str, wrong: str, fragment: str) -> None:
    assert fragment in hint(await call(ChatCompatMiddleware(missing(), path=path), path=wrong))


async def test_the_endpoint_itself_has_no_hint() -> None:
    for path in ("/v1/chat/completions", "/v1/chat/completions/", "/chat/completions"):
        assert (await call(PathHints(missing(), path, from_root=True), path=path)).body == NATIVE_404


async def test_a_mounted_service_names_the_whole_path() -> None:
    mounted = ChatCompatMiddleware(Starlette(), models_path=None)
    reply = await call(Starlette(routes=[Mount("/compat", mounted)]), path="/compat/v1/v1/chat/completions")
    assert "POST /compat/v1/chat/completions." in hint(reply)
    assert "ends with /compat/v1, once" in hint(reply)


async def test_a_service_keeps_its_own_routes_and_its_own_404() -> None:
    def embed(_request: Request) -> Response:
        return JSONResponse({"data": []})

    app = ChatCompatMiddleware(Starlette(routes=[Route("/v1/embeddings", embed, methods=["POST"])]))
    assert json.loads((await call(app, path="/v1/embeddings")).body) == {"data": []}
    assert (await call(app, path="/v1/elsewhere")).body == b"Not Found"


@pytest.mark.parametrize("path", ["/v1/v1/chat/completions/count_tokens", "/chat/completions/count_tokens"])
async def test_a_wrong_base_url_is_explained_for_a_count_too(path: str) -> None:
    app = PathHints(Inner(b"", status=404), "/v1/chat/completions", from_root=True, count_tokens=True)
    reply = await call(app, path=path, method="POST")
    assert (reply.status, reply.error["code"]) == (404, "unknown_url")
    assert "/v1" in reply.error["message"]
