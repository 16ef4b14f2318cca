"""The rules as tests of a pytest run. `pytest_chatcompat` registers them if the run has `--chatcompat-url`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import anyio
import httpx2
import pytest

from chatcompat.check import RULES, Endpoint, Rule, judge
from chatcompat.check.target import CannotRun, choose, reach, to_base, to_key

NAME: Final = "chatcompat"
PATIENCE: Final = 60.0  # seconds without data after which a request fails
_OPTIONS: Final = "--chatcompat-"


class _Fails(Exception):
    """A rule does not hold."""


class _Target:
    """The endpoint that the options name. The first test that needs a model asks the endpoint for one."""

    def __init__(self, base: str, model: str, key: str) -> None:
        self.base = base
        self._model = model
        self._key = key
        self._reached: str | CannotRun | None = None

    async def check(self, rule: Rule) -> None:
        """Try a rule. Raises `CannotRun`, or `_Fails` if the rule does not hold."""
        async with httpx2.AsyncClient(timeout=PATIENCE) as client:
            model = await self._reach(Endpoint(client, self.base, self._model, self._key))
            endpoint = Endpoint(client, self.base, model, self._key)
            outcome = await judge(rule, endpoint, seconds=PATIENCE * 5)
        if outcome.why is not None:
            raise _Fails(outcome.why)

    async def _reach(self, endpoint: Endpoint) -> str:
        if self._reached is None:
            try:
                self._reached = await reach(endpoint, PATIENCE, options=_OPTIONS)
            except CannotRun as error:
                self._reached = error
        if isinstance(self._reached, CannotRun):
            raise self._reached
        return self._reached


class RuleItem(pytest.Item):
    """A rule as a test."""

    rule: Rule
    target: _Target

    def runtest(self) -> None:
        """Try the rule."""
        anyio.run(self.target.check, self.rule)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> object:  # type: ignore[override]
        """The promise and what happened instead, without a traceback."""
        if isinstance(excinfo.value, _Fails):
            return f"{self.rule.title}\n{excinfo.value}"
        if isinstance(excinfo.value, CannotRun):
            return f"This rule could not be tried: {excinfo.value}"
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, None, str]:
        """The heading of a failure."""
        return self.path, None, f"{NAME}: {self.rule.id}"


class _Rules:
    """The plugin for a run with `--chatcompat-url`."""

    def __init__(self, rules: list[Rule], target: _Target) -> None:
        self._rules = rules
        self._target = target

    def pytest_report_header(self) -> str:
        """Say what is tested, in the header of the run."""
        return f"{NAME}: {len(self._rules)} rules at {self._target.base}"

    @pytest.hookimpl(tryfirst=True)  # before `-k` and `-m` deselect
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add one test for each rule."""
        added = list(self._items(session))
        items += added
        report = pytest.CollectReport(NAME, "passed", None, [*added])
        session.ihook.pytest_collectreport(report=report)  # so that they count as collected

    def _items(self, session: pytest.Session) -> Iterator[pytest.Item]:
        for rule in self._rules:
            item: RuleItem = RuleItem.from_parent(session, name=rule.id, nodeid=f"{NAME}::{rule.id}")
            item.rule, item.target = rule, self._target
            item.add_marker(NAME)
            yield item


def register(config: pytest.Config) -> None:
    """Add the rules to the run. Raises `pytest.UsageError` for options that cannot be used."""
    key = config.getoption("chatcompat_api_key") or os.environ.get("OPENAI_API_KEY", "")
    try:
        rules = choose(RULES, config.getoption("chatcompat_only"))
        target = _Target(to_base(config.getoption("chatcompat_url")), config.getoption("chatcompat_model"), to_key(key))
    except CannotRun as error:
        raise pytest.UsageError(f"--chatcompat-url: {error}") from None
    config.addinivalue_line("markers", f"{NAME}: a rule for the endpoint at --chatcompat-url")
    config.pluginmanager.register(_Rules(rules, target), f"{NAME}-rules")
