"""Fixtures of these tests."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # the client library knows no other
