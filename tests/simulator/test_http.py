"""Routes, credentials, versions, headers, models."""

import json
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.types import Message

from chatcompat.simulator import create_app
from tests.simulator.driver import LATEST, OLD, body, client, post, refused

LIMITS = [
    f"anthropic-ratelimit-{what}-{field}"
    for what in ("requests", "tokens")
    for field in ("limit", "remaining", "reset")
]


def get(path: str, **headers: str) -> Any:
    return client().get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


# ---------------------------------------------------------------- credentials and versions


def bare(**headers: str) -> Any:
    """Post without the credentials and the version that other tests have."""
    http = client()
    for name in ("x-api-key", "anthropic-version"):
        del http.headers[name]
    return http.post("/v1/messages", json=body(), headers={name.replace("_", "-"): v for name, v in headers.items()})


@pytest.mark.parametrize("headers", [{"x_api_key": "k"}, {"authorization": "Bearer k"}, {"authorization": "bearer k"}])
def test_either_credential_is_enough(headers: dict[str, str]) -> None:
    assert bare(**headers, anthropic_version=LATEST).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"x_api_key": ""}, {"authorization": "Basic k"}, {"authorization": "Bearer "}])
def test_a_credential_is_needed(headers: dict[str, str]) -> None:
    refused(bare(**headers), 401, "authentication_error", "x-api-key header is required")


@pytest.mark.parametrize("headers", [{"x_api_key": "an-invalid-key"}, {"authorization": "Bearer invalid"}])
def test_an_invalid_credential_is_refused_and_not_quoted(headers: dict[str, str]) -> None:
    response = bare(**headers)
    refused(response, 401, "authentication_error", "invalid x-api-key")
    assert "an-invalid-key" not in response.text


def test_a_known_version_is_needed() -> None:
    refused(bare(x_api_key="k"), 400, "invalid_request_error", "anthropic-version: header is required")
    message = f"anthropic-version: is not a valid version; known ones are {OLD} and {LATEST}"
    refused(bare(x_api_key="k", anthropic_version="2024-01-01"), 400, "invalid_request_error", message)


# ---------------------------------------------------------------- bodies and routes


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/jsonl"])
def test_only_json_is_taken(content_type: str) -> None:
    response = post(body(), content_type=content_type)
    refused(response, 400, "invalid_request_error", "content-type: must be application/json")


def test_a_content_type_may_have_parameters() -> None:
    assert post(body(), content_type="Application/JSON; charset=utf-8").status_code == 200


def test_a_body_of_32_mb_is_taken_and_one_byte_more_is_not() -> None:
    request = json.dumps(body()).encode()
    limit = 32 * 1024 * 1024
    assert post(request.ljust(limit)).status_code == 200
    refused(post(request.ljust(limit + 1)), 413, "request_too_large", "Request exceeds the maximum size")


def test_another_method_is_not_allowed() -> None:
    response = get("/v1/messages")
    refused(response, 405, "invalid_request_error", "Method Not Allowed")
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/", "/v1/messages/", "/v1/chat/completions"])
def test_another_path_is_not_found(path: str) -> None:
    refused(post(body(), path), 404, "not_found_error", "Not Found")


def test_an_unknown_model_is_not_found() -> None:
    refused(post(body(model="sim-3")), 404, "not_found_error", "model: sim-3")


def test_token_counts_take_no_options_of_the_reply() -> None:
    response = post(body(), "/v1/messages/count_tokens")
    refused(response, 400, "invalid_request_error", "max_tokens: Extra inputs are not permitted")


def test_every_reply_has_its_id_and_the_limits() -> None:
    responses = [
        post(body()),
        post(body(stream=True)),
        post(body(), x_simulate="overflow"),
        get("/v1/models"),
        get("/x"),
    ]
    for response in responses:
        assert response.headers["request-id"].startswith("req_")
        assert all(name in response.headers for name in LIMITS)


def test_apps_are_apart() -> None:
    assert isinstance(create_app(), Starlette)
    assert create_app() is not create_app()


# ---------------------------------------------------------------- models


def test_models_are_listed() -> None:
    page = get("/v1/models").json()
    assert [model["id"] for model in page["data"]] == ["caicaini/auto", "sim-1", "sim-2"]
    assert (page["first_id"], page["last_id"], page["has_more"]) == ("caicaini/auto", "sim-2", False)


@pytest.mark.parametrize(
    ("query", "ids", "has_more"),
    [
        ("limit=1", ["caicaini/auto"], True),
        ("limit=1&after_id=caicaini/auto", ["sim-1"], True),
        ("after_id=sim-2", [], False),
        ("limit=1&before_id=sim-2", ["sim-1"], True),
        ("before_id=sim-2", ["caicaini/auto", "sim-1"], False),
        ("before_id=caicaini/auto", [], False),
        ("limit=1000", ["caicaini/auto", "sim-1", "sim-2"], False),
    ],
)
def test_models_are_listed_in_pages(query: str, ids: list[str], has_more: bool) -> None:
    page = get(f"/v1/models?{query}").json()
    assert [model["id"] for model in page["data"]] == ids
    assert page["has_more"] is has_more
    assert page["first_id"] == (ids[0] if ids else None)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit: Input should be a valid integer from 1 to 1000"),
        ("limit=1001", "limit: Input should be a valid integer from 1 to 1000"),
        ("limit=a", "limit: Input should be a valid integer from 1 to 1000"),
        ("after_id=x", "after_id: is not the id of a model"),
        ("after_id=sim-1&before_id=sim-2", "after_id: cannot be used together with before_id"),
    ],
)
def test_a_page_that_cannot_be_is_refused(query: str, message: str) -> None:
    refused(get(f"/v1/models?{query}"), 400, "invalid_request_error", message)


@pytest.mark.parametrize("model", ["caicaini/auto", "caicaini%2Fauto", "sim-2"])
def test_a_model_is_found_by_its_id(model: str) -> None:
    found = get(f"/v1/models/{model}").json()
    assert found["id"] == model.replace("%2F", "/")
    assert found["capabilities"]["thinking"]["types"]["enabled"]["supported"] == (model != "sim-2")


def test_a_model_that_is_not_there_is_not_found() -> None:
    refused(get("/v1/models/sim-3"), 404, "not_found_error", "model: sim-3")


def test_models_need_a_credential_too() -> None:
    refused(get("/v1/models", x_api_key="invalid"), 401, "authentication_error", "invalid x-api-key")


# ---------------------------------------------------------------- a client that goes away


@pytest.mark.anyio
async def test_a_client_that_goes_away_ends_the_stream(anyio_backend: str) -> None:
    sent: list[Message] = []
    gone = anyio.Event()
    content = json.dumps(body(stream=True)).encode()
    incoming = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> Message:
        if incoming:
            return incoming.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) == 3:
            gone.set()

    headers = {
        "x-api-key": "k",
        "anthropic-version": LATEST,
        "content-type": "application/json",
        "x-simulate": "delay=0.01",
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/messages",
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    with anyio.fail_after(5):
        await create_app()(scope, receive, send)
    assert 3 <= len(sent) <= 5


def test_nothing_about_a_request_is_logged(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0, logger="chatcompat")
    post(body(), x_api_key="a-secret-key")
    assert "a-secret-key" not in caplog.text + "".join(capsys.readouterr())
