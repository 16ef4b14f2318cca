"""What the package promises as a whole: what it imports, and what it does not have."""

import subprocess
import sys

import pytest

import chatcompat


@pytest.mark.parametrize(
    ("code", "not_loaded"),
    [
        ("from chatcompat import translate", {"anyio", "starlette", "asyncio"}),
        ("import anyio, starlette.types; from chatcompat import ChatCompatMiddleware", {"asyncio"}),
    ],
)
def test_what_is_not_needed_is_not_imported(code: str, not_loaded: set[str]) -> None:
    """Who translates needs no ASGI; who serves has an event loop already, which takes longer than all else."""
    command = [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not_loaded.isdisjoint(loaded)


def test_another_name_is_no_part_of_the_package() -> None:
    with pytest.raises(AttributeError, match="module 'chatcompat' has no attribute 'Middleware'"):
        chatcompat.Middleware  # type: ignore[attr-defined]  # noqa: B018
