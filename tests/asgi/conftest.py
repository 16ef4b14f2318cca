"""Time in these tests is virtual, but for those marked `real_time`, in which something runs without a pause."""

from typing import Any

import pytest

from tests.asgi.virtual_time import to_backend


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str | tuple[str, dict[str, Any]]:
    """Tests marked `anyio` run on both event loops."""
    if request.node.get_closest_marker("real_time"):
        return str(request.param)
    return to_backend(request.param, monkeypatch)
