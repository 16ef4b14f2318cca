"""What the package promises as a whole: its public names, and a core without IO."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import chatcompat

PACKAGE = Path(chatcompat.__file__).parent
SHELL = {"__init__.py", "__main__.py", "asyncio_guard.py", "continued.py", "exchange.py", "guard.py", "middleware.py"}
SHELL |= {"models.py", "respond.py", "scopes.py", "upstream.py"}
EXTRAS = {"otel.py", "prometheus.py"}
CORE = sorted(
    path for path in PACKAGE.rglob("*.py") if path.name not in SHELL | EXTRAS or path.parent.name == "request"
)
CORE = [path for path in CORE if path.parent.name not in {"check", "cli", "simulator"}]
IO = {"anyio", "asyncio", "http", "socket", "starlette", "trio", "urllib", "json"}


def test_the_public_names_are_these() -> None:
    assert sorted(chatcompat.__all__) == [
        "ChatCompatError",
        "ChatCompatMiddleware",
        "Dialect",
        "ExchangeRecord",
        "InvalidReply",
        "InvalidRequest",
        "MemoryStore",
        "RequestBounds",
        "ThinkingStore",
        "Translation",
        "translate",
    ]
    assert all(hasattr(chatcompat, name) for name in chatcompat.__all__)
    assert (PACKAGE / "py.typed").exists()


def test_importing_the_package_brings_no_event_loop() -> None:
    """It would take longer than all else; servers have it already, and who only translates needs none."""
    code = "import sys, anyio, msgspec, starlette.types{}; print('asyncio' in sys.modules)"
    commands = [[sys.executable, "-c", code.format(more)] for more in ("", ", chatcompat")]
    told = [subprocess.run(command, capture_output=True, check=True).stdout for command in commands]
    assert told[1] == told[0]


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
    slow = {"json"} if path.name == "free_json.py" else set()  # it alone tells a key that is there twice
    assert imports(path) & IO - slow == set()
    assert imports(path) - set(sys.stdlib_module_names) <= {"chatcompat", "msgspec"}
