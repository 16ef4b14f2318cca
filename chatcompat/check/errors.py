"""Rules for errors: `{"error": {"message", "type", "param", "code"}}` with a fitting status."""

from typing import Final

from chatcompat.check.endpoint import PATH, Endpoint, need
from chatcompat.check.rule import Rule

_JSON: Final = "application/json"


async def _invalid_json(endpoint: Endpoint) -> None:
    (await endpoint.send("POST", PATH, endpoint.body()[:-1])).error(400)


async def _missing(endpoint: Endpoint) -> None:
    (await endpoint.send("POST", PATH, b'{"model":"any"}')).error(400)


async def _empty(endpoint: Endpoint) -> None:
    (await endpoint.post([])).error(400)


async def _role(endpoint: Endpoint) -> None:
    (await endpoint.post([{"role": "nobody", "content": "Hello"}])).error(400)


async def _wrong_temperature(endpoint: Endpoint, temperature: object) -> None:
    error = (await endpoint.post(temperature=temperature)).error(400).error
    need(error.param is not None and "temperature" in error.param, "wanted param temperature", error)


async def _type(endpoint: Endpoint) -> None:
    await _wrong_temperature(endpoint, "hot")


async def _range(endpoint: Endpoint) -> None:
    await _wrong_temperature(endpoint, 3)


async def _message(endpoint: Endpoint) -> None:
    error = (await endpoint.post(temperature="hot")).error(400).error
    need("temperature" in error.message, "wanted a message that names temperature", error)


async def _media(endpoint: Endpoint) -> None:
    reply = await endpoint.post(temperature="hot")
    reply.error(400)
    need(reply.media == _JSON, f"wanted content-type {_JSON}", reply.headers.get("content-type"))


async def _stream(endpoint: Endpoint) -> None:
    (await endpoint.post(stream=True, temperature="hot")).error(400)


async def _path(endpoint: Endpoint) -> None:
    (await endpoint.send("POST", "/no/such/endpoint", endpoint.body())).having(404)


async def _doubled(endpoint: Endpoint) -> None:
    version = f"/{endpoint.base.rpartition('/')[2]}"
    (await endpoint.send("POST", f"{version}{PATH}", endpoint.body())).error(404)


async def _method(endpoint: Endpoint) -> None:
    (await endpoint.send("GET", PATH)).having(405)


RULES: Final = (
    Rule("invalid-json", "invalid JSON gets a 400 with an error body", _invalid_json),
    Rule("messages-missing", "a request without messages gets a 400 with an error body", _missing),
    Rule("messages-empty", "an empty list of messages gets a 400 with an error body", _empty),
    Rule("role-unknown", "an unknown role gets a 400 with an error body", _role),
    Rule("wrong-type", "a value of the wrong type gets a 400, and param names the field", _type),
    Rule("wrong-range", "a value out of range gets a 400, and param names the field", _range),
    Rule("error-message", "the message of an error names the field, for clients that print nothing else", _message),
    Rule("error-content-type", "errors have the content type application/json", _media),
    Rule("error-before-stream", "a refused stream gets a 400, not an event stream", _stream),
    Rule("unknown-path", "an unknown path gets a 404", _path),
    Rule("doubled-path", "a base URL with /v1 twice gets a 404 with an error body", _doubled),
    Rule("wrong-method", "GET on the endpoint gets a 405", _method),
)
