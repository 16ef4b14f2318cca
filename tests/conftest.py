"""Fixtures for all tests."""

import os

import pytest

from chatcompat.asgi import exchange

# The tests talk to this machine alone. Clients and servers that they start must not ask a proxy for that.
for _name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[_name]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Tests marked `anyio` run on both event loops."""
    return str(request.param)


def pytest_report_header() -> str:
    """Say which of the two is tested, since compiled modules hide the sources beside them."""
    compiled = not str(exchange.__file__).endswith(".py")
    return "chatcompat: compiled, see docs/speed.md" if compiled else "chatcompat: Python"
