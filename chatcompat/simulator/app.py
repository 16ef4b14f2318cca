"""The ASGI app: routes, credentials, versions, headers."""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from hashlib import sha256
from http import HTTPStatus
from typing import Final, cast

import anyio
import msgspec
from msgspec import UNSET, Struct
from msgspec.json import encode
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from chatcompat.simulator.betas import check_betas, read_betas
from chatcompat.simulator.cache import PromptCache, to_pieces
from chatcompat.simulator.catalogue import find_model, to_model_info, to_model_page
from chatcompat.simulator.decode import decode_messages_request, decode_prompt, decode_tools
from chatcompat.simulator.errors import RETRY_AFTER, ErrorBody, ErrorDetail, Failure, invalid
from chatcompat.simulator.events import to_events, to_frame, to_message
from chatcompat.simulator.faults import HEADER, parse_faults
from chatcompat.simulator.model import answer
from chatcompat.simulator.prefix import BETA, check_binding
from chatcompat.simulator.reply import TokensCount
from chatcompat.simulator.rules import VERSIONS, check_limits, check_prompt

MAX_BODY: Final = 32 * 1024 * 1024  # bytes

# No limit is ever reached. A fixed time keeps replies deterministic.
RATE_LIMITS: Final = {
    "anthropic-ratelimit-requests-limit": "1000",
    "anthropic-ratelimit-requests-remaining": "999",
    "anthropic-ratelimit-requests-reset": "2030-01-01T00:00:00Z",
    "anthropic-ratelimit-tokens-limit": "1000000",
    "anthropic-ratelimit-tokens-remaining": "999000",
    "anthropic-ratelimit-tokens-reset": "2030-01-01T00:00:00Z",
}


def create_app(*, clock: Callable[[], float] = time.monotonic) -> Starlette:
    """Create a simulator. It keeps nothing between requests but the prompt cache, so tests can share one.

    Args:
        clock: The time for the prompt cache, in seconds.
    """
    app = Starlette(
        routes=[
            Route("/v1/messages", create_message, methods=["POST"]),
            Route("/v1/messages/count_tokens", count_tokens, methods=["POST"]),
            Route("/v1/models", list_models),
            Route("/v1/models/{model_id:path}", retrieve_model),
        ],
        exception_handlers={
            Failure: _on_failure,
            HTTPException: _on_http_exception,
            RecursionError: _on_recursion,
        },
    )
    app.state.prompt_cache = PromptCache(clock)
    app.router.redirect_slashes = False  # the real service does not redirect either
    return app


# ---------------------------------------------------------------- endpoints


async def create_message(request: Request) -> Response:
    """`POST /v1/messages`."""
    version = _admit(request)
    faults = parse_faults(request.headers.getlist(HEADER))
    body = decode_messages_request(await _body(request))
    model, tools = find_model(body.model), decode_tools(body)
    betas = read_betas(request.headers.getlist("anthropic-beta"))
    check_betas(body, tools, model, betas)
    turns = check_prompt(body, tools, model, version)
    binding = check_binding(body, tools, turns, model)
    check_limits(body, model, version)
    faults.raise_early(streamed=body.stream is True)
    key = _digest(encode(msgspec.structs.replace(body, stream=UNSET)))  # a stream and a whole reply have the same ids
    cache: PromptCache = request.app.state.prompt_cache
    counted = cache.use(to_pieces(body, tools, turns, model, _credential(request)), model)
    answered = answer(body, tools, turns, key, faults, prefix=binding.prefix, shows_thinking=model.shows_thinking)
    message = to_message(answered, f"msg_01{key}", body.model, counted)
    if BETA in betas:
        message.input_transformations = binding.dropped
    if body.stream is True:
        frames = faults.frames(map(to_frame, to_events(answered, message, counted)), _request_id(request))
        return StreamingResponse(
            _paced(frames, faults.delay),
            media_type="text/event-stream",
            headers={**_headers(request), "cache-control": "no-cache"},
        )
    await anyio.sleep(faults.delay)
    return _json(request, message)


async def count_tokens(request: Request) -> Response:
    """`POST /v1/messages/count_tokens`: all tokens, cached or not."""
    version = _admit(request)
    faults = parse_faults(request.headers.getlist(HEADER))
    prompt = decode_prompt(await _body(request))
    model, tools = find_model(prompt.model), decode_tools(prompt)
    betas = read_betas(request.headers.getlist("anthropic-beta"))
    check_betas(prompt, tools, model, betas)
    turns = check_prompt(prompt, tools, model, version)
    check_binding(prompt, tools, turns, model)
    faults.raise_early(streamed=False)
    pieces = to_pieces(prompt, tools, turns, model, _credential(request))
    return _json(request, TokensCount(pieces[-1].tokens))


async def list_models(request: Request) -> Response:
    """`GET /v1/models`, with `limit` and one of `after_id` and `before_id`."""
    _admit(request)
    query = request.query_params
    page = to_model_page(query.get("limit", "20"), query.get("after_id"), query.get("before_id"))
    return _json(request, page)


async def retrieve_model(request: Request) -> Response:
    """`GET /v1/models/{id}`. An id may contain slashes."""
    _admit(request)
    return _json(request, to_model_info(find_model(request.path_params["model_id"])))


# ---------------------------------------------------------------- requests


def _admit(request: Request) -> str:
    """Check the credential and return the requested version."""
    credential = _credential(request)
    if not credential:
        raise Failure("authentication_error", "x-api-key header is required")
    if "invalid" in credential:
        raise Failure("authentication_error", "invalid x-api-key")
    version = request.headers.get("anthropic-version")
    if version is None:
        raise invalid("anthropic-version: header is required")
    if version not in VERSIONS:
        raise invalid(f"anthropic-version: is not a valid version; known ones are {' and '.join(VERSIONS)}")
    return version


def _credential(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return request.headers.get("x-api-key") or bearer


async def _body(request: Request) -> bytes:
    """Read the body, up to `MAX_BODY` bytes."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise invalid("content-type: must be application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Failure("request_too_large", "Request exceeds the maximum size")
    request.state.simulator_body = _digest(body)
    return bytes(body)


def _request_id(request: Request) -> str:
    """Return an id that depends on the method, the path and, once read, the body."""
    body: str = getattr(request.state, "simulator_body", "")
    return f"req_01{_digest(request.method.encode(), request.url.path.encode(), body.encode())}"


def _digest(*parts: bytes | bytearray) -> str:
    """Return the part of an id that depends on the request."""
    return sha256(b"\n".join(parts)).hexdigest()[:22]


# ---------------------------------------------------------------- replies


async def _paced(frames: Iterable[bytes], delay: float) -> AsyncIterator[bytes]:
    """Wait before each frame. Even a delay of 0 lets a disconnect cancel the stream."""
    for frame in frames:
        await anyio.sleep(delay)
        yield frame


def _json(request: Request, reply: Struct) -> Response:
    return Response(encode(reply), media_type="application/json", headers=_headers(request))


def _headers(request: Request) -> dict[str, str]:
    return {"request-id": _request_id(request), **RATE_LIMITS}


def _failed(request: Request, failure: Failure) -> Response:
    headers = _headers(request)
    if failure.kind in RETRY_AFTER:
        headers["retry-after"] = RETRY_AFTER[failure.kind]
    body = ErrorBody(ErrorDetail(failure.kind, failure.message), headers["request-id"])
    return Response(encode(body), failure.status, headers, media_type="application/json")


async def _on_failure(request: Request, error: Exception) -> Response:
    return _failed(request, cast("Failure", error))


async def _on_recursion(request: Request, _: Exception) -> Response:
    """Refuse JSON that is nested too deeply."""
    return _failed(request, invalid("The request is nested too deeply"))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """Turn a routing error, such as an unknown path or method, into a native error."""
    routing = cast("HTTPException", error)
    kind = "not_found_error" if routing.status_code == HTTPStatus.NOT_FOUND else "invalid_request_error"
    response = _failed(request, Failure(kind, routing.detail, status=routing.status_code))
    response.headers.update(routing.headers or {})
    return response
