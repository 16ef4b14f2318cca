"""Fixtures for all tests."""

import os

import pytest

# The tests talk to this machine alone. Clients and servers that they start must not ask a proxy for that.
for _name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[_name]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Tests marked `anyio` run on both event loops."""
    return str(request.param)
