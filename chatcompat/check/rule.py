"""Rules, and how to run one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import anyio
import httpx2

from chatcompat.check.endpoint import Broken, Endpoint

MAX_WHY: Final = 400  # characters


@dataclass(frozen=True, slots=True)
class Rule:
    """A promise that an endpoint must keep.

    Attributes:
        id: The short name of the rule.
        title: The promise, in one sentence.
        probe: Sends requests to the endpoint. Raises `Broken` if the promise is not kept.
        needs_origin: Whether the rule is about web pages of another origin, which not every endpoint serves.
    """

    id: str
    title: str
    probe: Callable[[Endpoint], Awaitable[None]]
    needs_origin: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a rule holds.

    Attributes:
        rule: The rule that was tried.
        why: What was seen instead, at most 400 characters. None if the rule holds.
    """

    rule: Rule
    why: str | None = None


async def judge(rule: Rule, endpoint: Endpoint, *, seconds: float = 300.0) -> Outcome:
    """Run one rule. Failed connections and timeouts are outcomes, not exceptions.

    Args:
        rule: The rule to run.
        endpoint: The endpoint to test.
        seconds: The time limit, in seconds.
    """
    try:
        with anyio.fail_after(seconds):
            await rule.probe(endpoint)
    except Broken as broken:
        why = str(broken)
    except TimeoutError:
        why = f"no outcome after {seconds:g} seconds"
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        why = f"the connection failed: {type(error).__name__} {error}"
    else:
        return Outcome(rule)
    why = endpoint.without_key(why)
    return Outcome(rule, why if len(why) <= MAX_WHY else f"{why[:MAX_WHY]}\u2026")
