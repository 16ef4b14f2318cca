"""Rules for web pages of another origin. A browser lets them call the endpoint only if its headers allow it.

https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from typing import Final

from chatcompat.check.endpoint import PATH, Endpoint, EndpointReply, need
from chatcompat.check.rule import Rule

_SENT: Final = ("authorization", "content-type")


def _need_origin(reply: EndpointReply, endpoint: Endpoint) -> None:
    allowed = reply.headers.get("access-control-allow-origin")
    need(allowed in ("*", endpoint.origin), f"wanted access-control-allow-origin {endpoint.origin} or *", allowed or "")


async def _preflight(endpoint: Endpoint) -> None:
    headers = {
        "origin": endpoint.origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": ",".join(_SENT),
    }
    reply = (await endpoint.send("OPTIONS", PATH, headers=headers)).having(200, 204)
    _need_origin(reply, endpoint)
    allowed = {name.strip() for name in reply.headers.get("access-control-allow-headers", "").lower().split(",")}
    for name in _SENT:  # `*` does not include authorization
        need(name in allowed, f"wanted {name} in access-control-allow-headers", sorted(allowed))


async def _reply(endpoint: Endpoint) -> None:
    reply = await endpoint.send("POST", PATH, endpoint.body(), {"origin": endpoint.origin})
    reply.ok()
    _need_origin(reply, endpoint)


async def _error(endpoint: Endpoint) -> None:
    reply = await endpoint.send("POST", PATH, endpoint.body(temperature="hot"), {"origin": endpoint.origin})
    reply.error(400)
    _need_origin(reply, endpoint)


RULES: Final = (
    Rule("cors-preflight", "a web page of the origin may send a chat request with a key", _preflight, True),
    Rule("cors-reply", "a web page of the origin may read a reply", _reply, True),
    Rule("cors-error", "a web page of the origin may read an error", _error, True),
)
