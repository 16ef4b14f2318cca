"""`chatcompat check`."""

import math
import sys
from functools import partial
from typing import Annotated

import anyio
import httpx2
import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column, Table
from rich.text import Text

from chatcompat.check import RULES, Endpoint, Outcome, Rule, judge
from chatcompat.check.endpoint import quote
from chatcompat.check.target import CannotRun, choose, reach, to_base, to_key
from chatcompat.cli.serve_options import ORIGIN


def check(
    url: Annotated[
        str | None, Parameter(help="The base URL that clients use, such as http://127.0.0.1:8000/v1.")
    ] = None,
    /,
    *,
    model: Annotated[str | None, Parameter(help="The model to request. Defaults to the first one listed.")] = None,
    api_key: Annotated[
        str | None, Parameter(help="Sent as a bearer token, masked in the output.", env_var="OPENAI_API_KEY")
    ] = None,
    only: Annotated[
        list[str] | None,
        Parameter(help="Run only the rules with these ids. May be repeated.", consume_multiple=True, negative=""),
    ] = None,
    cors: Annotated[
        str | None,
        Parameter(help="Also check that web pages of this origin, such as https://app.example, are allowed."),
    ] = None,
    timeout: Annotated[float, Parameter(help="Seconds without data after which a request fails.")] = 60.0,
    json: Annotated[bool, Parameter(help="Print the results as JSON.", negative="")] = False,
    list_: Annotated[bool, Parameter(name="--list", help="Print the rules without running them.", negative="")] = False,
) -> int:
    """Check whether a live chat-completions endpoint behaves as clients expect.

    The exit status is 0 if all rules hold, 1 if some fail, and 2 if they could not be run.
    """
    try:
        rules = choose(RULES, only or [], has_origin=list_ or cors is not None)
        if list_:
            _print_rules(rules)
            return 0
        base = _base(url)
        if not (timeout > 0 and math.isfinite(timeout)):
            raise CannotRun("--timeout must be a finite number of seconds greater than 0.")  # noqa: TRY301
        report = _print_json if json else _print_table
        run = partial(_run, base, model, to_key(api_key or ""), rules, patience=timeout, origin=_origin(cors))
        return report(base, *anyio.run(run))
    except CannotRun as error:
        print(f"chatcompat check: {error}", file=sys.stderr)
        return 2


def _origin(cors: str | None) -> str:
    """Return the origin. Refuses a value that no browser would send."""
    if cors is not None and ORIGIN.fullmatch(cors) is None:
        raise CannotRun("--cors must be an origin without a path, such as https://app.example.")
    return cors or ""


def _base(url: str | None) -> str:
    base = to_base(url or "")
    if url is not None and not url.startswith(base):
        print(f"chatcompat check: the URL has no path, so /v1 is added: {base}", file=sys.stderr)
    return base


async def _run(
    base: str, model: str | None, key: str, rules: list[Rule], *, patience: float, origin: str
) -> tuple[str, list[Outcome]]:
    async with httpx2.AsyncClient(timeout=patience) as client:
        chosen = await reach(Endpoint(client, base, model or "", key), patience)
        endpoint = Endpoint(client, base, chosen, key, origin)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task("", total=len(rules))
            outcomes = []
            for number, rule in enumerate(rules, 1):
                progress.update(task, description=rule.id)
                outcomes.append(await judge(rule, endpoint, seconds=patience * 5))
                progress.advance(task)
                if not console.is_terminal:  # a log shows how far an interrupted run got
                    verdict = "holds" if outcomes[-1].why is None else "fails"
                    print(f"{number}/{len(rules)} {rule.id} {verdict}", file=sys.stderr, flush=True)
    return chosen, outcomes


# ---------------------------------------------------------------- output


def _print_rules(rules: list[Rule]) -> None:
    table = Table("rule", "promise", box=None, pad_edge=False)
    for rule in rules:
        table.add_row(rule.id, rule.title)
    Console().print(table)


def _print_table(base: str, model: str, outcomes: list[Outcome]) -> int:
    """Print the outcomes as a table and return the exit status."""
    promise = Column("promise, and what happened instead", overflow="fold")  # JSON has no spaces to break at
    table = Table("", "rule", promise, box=None, pad_edge=False)
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
    """Print the outcomes as JSON and return the exit status."""
    rules = [
        {"id": outcome.rule.id, "title": outcome.rule.title, "holds": outcome.why is None, "why": outcome.why}
        for outcome in outcomes
    ]
    holding = sum(outcome.why is None for outcome in outcomes)
    summary = {"url": base, "model": model, "holding": holding, "failing": len(rules) - holding, "rules": rules}
    print(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
    return 0 if holding == len(outcomes) else 1
