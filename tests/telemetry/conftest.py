"""An observer's fault is logged and goes no further, so it has to be looked for."""

from collections.abc import Iterator

import pytest

# Replies of an inner app, and a dialect that fails, are logged for the operator.
_OTHERS = ("chatcompat.asgi.options", "chatcompat.replies")


@pytest.fixture(autouse=True)
def no_observer_fails(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [
        record.getMessage()
        for record in caplog.get_records("call")
        if record.levelname in ("ERROR", "WARNING") and record.name not in _OTHERS
    ] == []
