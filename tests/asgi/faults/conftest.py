"""Whatever is done to an exchange, nothing goes wrong unseen."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def nothing_goes_wrong_unseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record for record in caplog.get_records("call") if record.levelname == "ERROR"] == []
