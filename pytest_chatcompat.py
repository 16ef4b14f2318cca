"""A pytest plugin: `pytest --chatcompat-url URL` tests the endpoint, with a test for each rule of `chatcompat check`.

pytest imports this module in every run of an environment that has chatcompat installed. So it imports nothing by
itself, and without the option it does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("chatcompat", "rules for chat completions endpoints")
    group.addoption(
        "--chatcompat-url",
        metavar="URL",
        help="test the endpoint at this base URL, such as http://127.0.0.1:8000/v1: one test for each rule",
    )
    group.addoption("--chatcompat-model", metavar="ID", default="", help="the model to request; the first one listed")
    group.addoption("--chatcompat-api-key", metavar="KEY", help="sent as a bearer token; OPENAI_API_KEY")
    group.addoption(
        "--chatcompat-only", metavar="RULE", action="append", default=[], help="run only this rule; may be repeated"
    )


def pytest_configure(config: pytest.Config) -> None:
    """With `--chatcompat-url`, add the rules to the run."""
    if config.getoption("chatcompat_url") is not None:
        import pytest  # noqa: PLC0415

        try:
            from chatcompat.check.pytest_rules import register  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise pytest.UsageError(f"--chatcompat-url: {error}. Run: pip install 'chatcompat[serve]'") from None
        register(config)
