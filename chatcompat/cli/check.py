"""`chatcompat check`."""

import math
import sys
from typing import Annotated, Final
from urllib.parse import urlsplit

import anyio
import httpx2
import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column, Table
from rich.text import Text

from chatcompat.check import RULES, Broken, Endpoint, Outcome, Rule, judge
from chatcompat.check.endpoint import PATH, EndpointReply, quote, read

_UNAUTHORIZED: Final = frozenset({401, 403})
_NOT_FOUND: Final = 404


class _CannotRun(Exception):
    """The endpoint cannot be tested at all."""


class _Model(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(min_length=1)]


class _Models(msgspec.Struct):
    """The least that a model can be chosen from; what else the list must have is a rule of its own."""

    data: Annotated[list[_Model], msgspec.Meta(min_length=1)]


def check(
    url: Annotated[str | None, Parameter(help="As clients have it, such as http://127.0.0.1:8000/v1.")] = None,
    /,
    *,
    model: Annotated[str | None, Parameter(help="The model to ask for. By default the first in the list.")] = None,
    api_key: Annotated[
        str | None, Parameter(help="Sent as a bearer credential, shown nowhere.", env_var="OPENAI_API_KEY")
    ] = None,
    only: Annotated[
        list[str] | None, Parameter(help="Rules to try, by id; may be repeated.", consume_multiple=True, negative="")
    ] = None,
    timeout: Annotated[float, Parameter(help="Seconds of silence after which a request has failed.")] = 60.0,
    json: Annotated[bool, Parameter(help="Print the outcome as JSON.", negative="")] = False,
    list_: Annotated[bool, Parameter(name="--list", help="Print the rules and try none.", negative="")] = False,
) -> int:
    """Try the promises of any live chat-completions endpoint, and tell which hold, which fail, and why.

    The exit status is 0 if all hold, 1 if some fail, and 2 if they could not be tried.
    """
    try:
        rules = _chosen(only or [])
        if list_:
            _print_rules(rules)
            return 0
        base = _base(url)
        if not (timeout > 0 and math.isfinite(timeout)):
            raise _CannotRun("--timeout must be a number of seconds above 0.")  # noqa: TRY301
        report = _print_json if json else _print_table
        return report(base, *anyio.run(_run, base, model, _sendable(api_key or ""), rules, timeout))
    except _CannotRun as error:
        print(f"chatcompat check: {error}", file=sys.stderr)
        return 2


def _chosen(only: list[str]) -> list[Rule]:
    known = {rule.id for rule in RULES}
    if unknown := [name for name in only if name not in known]:
        raise _CannotRun(f"no such rule: {quote(', '.join(unknown))}. `--list` prints them all.")
    return [rule for rule in RULES if not only or rule.id in only]


def _base(url: str | None) -> str:
    """The URL in front of the endpoint's own path, which may stand at its end; without any path, that of the vendor."""
    if url is None:
        raise _CannotRun("name the URL of the endpoint, such as http://127.0.0.1:8000/v1.")
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and parts.port != 0
    except ValueError:  # of the brackets of an address, or of the port
        is_url = False
    if not is_url:
        raise _CannotRun("the URL must be http:// or https://, a host, perhaps a port and a path, and no credential.")
    base = url.partition("?")[0].partition("#")[0].rstrip("/").removesuffix(PATH)
    return base if urlsplit(base).path else f"{base}/v1"


def _sendable(key: str) -> str:
    """The key, which may be empty; what a client library says of one that is no header value would show it."""
    if not (key.isascii() and key.isprintable()):
        raise _CannotRun("the API key has a character in it that cannot be sent, such as a line end.")
    return key


async def _run(base: str, model: str | None, key: str, rules: list[Rule], patience: float) -> tuple[str, list[Outcome]]:
    async with httpx2.AsyncClient(timeout=patience) as client:
        asked = await _reach(Endpoint(client, base, model or "", key), patience)
        endpoint = Endpoint(client, base, asked, key)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task("", total=len(rules))
            outcomes = []
            for number, rule in enumerate(rules, 1):
                progress.update(task, description=rule.id)
                outcomes.append(await judge(rule, endpoint, seconds=patience * 5))
                progress.advance(task)
                if not console.is_terminal:  # the log of a run that is stopped tells how far it came
                    verdict = "holds" if outcomes[-1].why is None else "fails"
                    print(f"{number}/{len(rules)} {rule.id} {verdict}", file=sys.stderr, flush=True)
    return asked, outcomes


async def _reach(endpoint: Endpoint, patience: float) -> str:
    """The model to ask for; raises `_CannotRun` where nobody answers, or not to this credential."""
    try:
        with anyio.fail_after(patience):
            if not endpoint.model:
                endpoint.model = await _first_model(endpoint)
            reply = await endpoint.post()
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, Broken) as error:
        text = f"{endpoint.base} does not answer: {type(error).__name__} {error}"
        raise _CannotRun(endpoint.without_key(text)) from None
    _look_at(reply)
    if reply.status == _NOT_FOUND:
        text = f"{endpoint.base}{PATH} is not there, or has no model {quote(endpoint.model)}: {quote(reply.body)}"
        raise _CannotRun(endpoint.without_key(text))
    return endpoint.model


async def _first_model(endpoint: Endpoint) -> str:
    reply = await endpoint.send("GET", "/models")
    _look_at(reply)
    try:
        return read(reply.ok().body, _Models).data[0].id
    except Broken as broken:
        text = f"no model is listed at {endpoint.base}/models; name one with --model. {broken}"
        raise _CannotRun(endpoint.without_key(text)) from None


def _look_at(reply: EndpointReply) -> None:
    if reply.status in _UNAUTHORIZED:
        raise _CannotRun(f"the endpoint refuses the credential, with status {reply.status}; set OPENAI_API_KEY.")
    if reply.pause is not None:
        raise _CannotRun(f"the endpoint refuses by its rate limit or quota, with status {reply.status}.")


# ---------------------------------------------------------------- what is printed


def _print_rules(rules: list[Rule]) -> None:
    table = Table("rule", "promise", box=None, pad_edge=False)
    for rule in rules:
        table.add_row(rule.id, rule.title)
    Console().print(table)


def _print_table(base: str, model: str, outcomes: list[Outcome]) -> int:
    """Print the outcomes as a table, and give the exit status."""
    told_column = Column("promise, and what was seen instead", overflow="fold")  # JSON has no blanks to break at
    table = Table("", "rule", told_column, box=None, pad_edge=False)
    for outcome in outcomes:
        cell = Text(outcome.rule.title)
        if outcome.why is not None:
            cell.append(f"\n{outcome.why}", "red")
        mark = Text("fails", "red") if outcome.why is not None else Text("holds", "green")
        table.add_row(mark, Text(outcome.rule.id, no_wrap=True), cell)
    holding = sum(outcome.why is None for outcome in outcomes)
    console = Console()
    console.print(table)
    console.print(Text(f"\n{holding} of {len(outcomes)} rules hold at {base} for {quote(model)}"))
    return 0 if holding == len(outcomes) else 1


def _print_json(base: str, model: str, outcomes: list[Outcome]) -> int:
    """Print the outcomes as JSON, and give the exit status."""
    rules = [
        {"id": outcome.rule.id, "title": outcome.rule.title, "holds": outcome.why is None, "why": outcome.why}
        for outcome in outcomes
    ]
    holding = sum(outcome.why is None for outcome in outcomes)
    summary = {"url": base, "model": model, "holding": holding, "failing": len(rules) - holding, "rules": rules}
    print(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
    return 0 if holding == len(outcomes) else 1
