"""What to check: the rules, the URL, the key and the model."""

from typing import Annotated, Final
from urllib.parse import urlsplit

import anyio
import httpx2
import msgspec

from chatcompat.check.endpoint import PATH, Broken, Endpoint, EndpointReply, quote, read
from chatcompat.check.rule import Rule

_UNAUTHORIZED: Final = frozenset({401, 403})
_NOT_FOUND: Final = 404


class CannotRun(Exception):
    """The endpoint cannot be tested."""


class _Model(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(min_length=1)]


class _Models(msgspec.Struct):
    """The minimum needed to choose a model. The rule `models` checks the full shape."""

    data: Annotated[list[_Model], msgspec.Meta(min_length=1)]


def choose(rules: tuple[Rule, ...], only: list[str], *, has_origin: bool = False) -> list[Rule]:
    """The rules with these ids, or all rules without ids. Some need the origin of a web page.

    Raises `CannotRun` for an unknown id, or for one that needs an origin where there is none.
    """
    known = {rule.id for rule in rules}
    if unknown := [name for name in only if name not in known]:
        raise CannotRun(f"no such rule: {quote(', '.join(unknown))}. `chatcompat check --list` prints all rules.")
    if not has_origin and (missing := [rule.id for rule in rules if rule.needs_origin and rule.id in only]):
        raise CannotRun(f"{', '.join(missing)} needs an origin. Pass one with --cors, such as https://app.example.")
    return [rule for rule in rules if (not only or rule.id in only) and (has_origin or not rule.needs_origin)]


def to_base(url: str) -> str:
    """The base URL: without `/chat/completions` at its end, and with `/v1` if it has no path. Raises `CannotRun`."""
    if not url:
        raise CannotRun("the URL of the endpoint is missing. Pass one, such as http://127.0.0.1:8000/v1.")
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and parts.port != 0
    except ValueError:  # bad brackets or a bad port
        is_url = False
    if not is_url:
        raise CannotRun("the URL must have the form http(s)://host[:port][/path], without credentials.")
    base = url.partition("?")[0].partition("#")[0].rstrip("/").removesuffix(PATH)
    return base if urlsplit(base).path else f"{base}/v1"


def to_key(key: str) -> str:
    """Return the key. An invalid one is refused here, since the HTTP client's error would quote it."""
    if not (key.isascii() and key.isprintable()):
        raise CannotRun("the API key may only contain printable ASCII characters. Check it for line breaks.")
    return key


async def reach(endpoint: Endpoint, patience: float, *, options: str = "--") -> str:
    """Return the model to request. Raises `CannotRun` if the endpoint is unreachable or refuses the credential.

    `options` is the prefix of the caller's options.
    """
    try:
        with anyio.fail_after(patience):
            if not endpoint.model:
                endpoint.model = await _first_model(endpoint, options)
            reply = await endpoint.post()
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, Broken) as error:
        text = f"{endpoint.base} does not answer: {type(error).__name__} {error}"
        raise CannotRun(endpoint.without_key(text)) from None
    _look_at(reply, options)
    if reply.status == _NOT_FOUND:
        text = f"{endpoint.base}{PATH} does not exist, or has no model {quote(endpoint.model)}: {quote(reply.body)}"
        raise CannotRun(endpoint.without_key(text))
    return endpoint.model


async def _first_model(endpoint: Endpoint, options: str) -> str:
    reply = await endpoint.send("GET", "/models")
    _look_at(reply, options)
    try:
        return read(reply.ok().body, _Models).data[0].id
    except Broken as broken:
        text = f"{endpoint.base}/models lists no model. Choose one with {options}model. {broken}"
        raise CannotRun(endpoint.without_key(text)) from None


def _look_at(reply: EndpointReply, options: str) -> None:
    if reply.status in _UNAUTHORIZED:
        raise CannotRun(
            f"the endpoint refuses the credential with status {reply.status}. Set OPENAI_API_KEY or {options}api-key."
        )
    if reply.pause is not None:
        raise CannotRun(f"the rate limit or quota is exceeded (status {reply.status}). Try again later.")
