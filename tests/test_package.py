"""What the package promises as a whole: what it imports, and what it does not have."""

import subprocess
import sys

import pytest

import chatcompat


@pytest.mark.parametrize(
    ("code", "not_loaded"),
    [
        ("import chatcompat", {"msgspec", "chatcompat.translation", "chatcompat.wire"}),
        ("from chatcompat import Dialect", {"chatcompat.translation", "chatcompat.wire"}),
        ("from chatcompat import translate", {"hashlib", "json", "base64"}),
        ("from chatcompat import translate", {"anyio", "starlette", "asyncio"}),
        ("import anyio, starlette.types; from chatcompat import ChatCompatMiddleware", {"asyncio"}),
    ],
)
def test_what_is_not_needed_is_not_imported(code: str, not_loaded: set[str]) -> None:
    """Who translates needs no ASGI; who serves has an event loop already, which takes longer than all else."""
    counted = f"import sys; before = {{*sys.modules}}; {code}; print(*({{*sys.modules}} - before))"
    command = [sys.executable, "-c", counted]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not_loaded.isdisjoint(loaded)


@pytest.mark.parametrize("name", chatcompat.__all__)
def test_each_public_name_is_imported_on_first_use(name: str) -> None:
    command = [sys.executable, "-c", f"from chatcompat import {name}; import chatcompat; chatcompat.{name}"]
    subprocess.run(command, check=True)


@pytest.mark.parametrize(
    "module", ["asgi", "capabilities", "dialect", "errors", "record", "reply", "request", "store", "translation"]
)
def test_a_module_of_the_package_needs_no_import_of_its_own(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import chatcompat; chatcompat.{module}"], check=True)


def test_all_public_names_are_listed() -> None:
    code = "import chatcompat; print(set(chatcompat.__all__) <= {*dir(chatcompat)})"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"


def test_another_name_is_no_part_of_the_package() -> None:
    with pytest.raises(AttributeError, match="module 'chatcompat' has no attribute 'Middleware'"):
        chatcompat.Middleware  # type: ignore[attr-defined]  # noqa: B018
