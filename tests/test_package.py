"""What the package promises as a whole: its public names, and a core without IO."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import chatcompat

PACKAGE = Path(chatcompat.__file__).parent
FREE_OF_IO = [PACKAGE / folder for folder in ("wire", "request", "reply")]
CORE = sorted(path for folder in FREE_OF_IO for path in folder.rglob("*.py"))
CORE += [PACKAGE / name for name in ("dialect.py", "errors.py", "record.py", "store.py", "translation.py")]
IO = {"anyio", "asyncio", "http", "socket", "starlette", "trio", "urllib", "json"}


def test_the_public_names_are_these() -> None:
    assert sorted(chatcompat.__all__) == [
        "ChatCompatError",
        "ChatCompatMiddleware",
        "ChunkStream",
        "Dialect",
        "DialectOption",
        "ExchangeRecord",
        "InvalidReply",
        "InvalidRequest",
        "MemoryStore",
        "OnExchange",
        "RequestBounds",
        "StreamError",
        "ThinkingStore",
        "Translation",
        "translate",
    ]
    assert all(hasattr(chatcompat, name) for name in chatcompat.__all__)
    assert (PACKAGE / "py.typed").exists()


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


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_the_core_has_no_io_and_no_slow_json(path: Path) -> None:
    slow = {"json"} if path.name == "raw_json.py" else set()  # it alone tells a key that is there twice
    assert imports(path) & IO - slow == set()
    assert imports(path) - set(sys.stdlib_module_names) <= {"chatcompat", "msgspec"}
