"""What becomes of recorded requests: each goes through the middleware to the simulator, with and without `strict`."""

from functools import cache

import anyio
from msgspec import Struct

from chatcompat import ChatCompatMiddleware, RequestBounds
from chatcompat.simulator import create_app
from tests.asgi.driver import call
from tests.clients.recorded.clients import CLIENTS, NODE_CLIENTS
from tests.clients.recorded.recording import Recording, Request, load

BOUNDS = RequestBounds(choices=4)
"""Some ask for two choices, which a service must allow."""


class Outcome(Struct, frozen=True):
    """What became of a request: its status without and with `strict`, and what was reported."""

    request: Request
    status: int
    strict_status: int
    ignored: list[str]

    @property
    def passes(self) -> bool:
        """Whether nothing of the request is lost."""
        return self.strict_status == 200


@cache
def replay(client: str) -> list[Outcome]:
    """Send all requests of a client, in their order: a tool loop finds the thinking of its turns again."""
    return anyio.run(_replay, load(client))


async def _replay(recording: Recording) -> list[Outcome]:
    lenient = ChatCompatMiddleware(create_app(), bounds=BOUNDS)
    strict = ChatCompatMiddleware(create_app(), bounds=BOUNDS, strict=True)
    outcomes = []
    for request in recording.requests:
        reply, under_strict = await call(lenient, bytes(request.body)), await call(strict, bytes(request.body))
        ignored = [path for path in reply.headers.get("x-chatcompat-ignored", "").split(", ") if path]
        outcomes.append(Outcome(request, reply.status, under_strict.status, ignored))
    return outcomes


def table() -> str:
    """A row for each client: how many of its requests pass `strict`, and what the others ask for."""
    rows, all_requests, all_passed = [], 0, 0
    for client in CLIENTS:
        outcomes = replay(client)
        passed = sum(outcome.passes for outcome in outcomes)
        asked = dict.fromkeys(path for outcome in outcomes if not outcome.passes for path in outcome.ignored)
        package, version = next(iter(load(client).packages.items()))
        platform = " for Node" if client in NODE_CLIENTS else ""
        rest = ", ".join(f"`{path}`" for path in asked)
        rows.append(f"| `{package}` {version}{platform} | {len(outcomes)} | {passed} | {rest} |")
        all_requests += len(outcomes)
        all_passed += passed
    head = ["| client | requests | pass `strict` | the others ask for |", "|---|---|---|---|"]
    total = f"| {len(rows)} clients | {all_requests} | {all_passed} ({all_passed / all_requests:.0%}) | |"
    return "\n".join([*head, *rows, total]) + "\n"
