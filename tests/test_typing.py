"""Type checkers take what the package has, and find each misspelt name and option."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from inspect import signature
from pathlib import Path
from typing import get_type_hints

import pytest

import chatcompat
from chatcompat import ChatCompatMiddleware
from chatcompat.otel import TracedChatCompatMiddleware

CHECKERS = ["mypy", "pyright"]
CORRECT = f"""
from starlette.applications import Starlette

from chatcompat import {", ".join(chatcompat.__all__)}
from chatcompat.otel import TracedChatCompatMiddleware

dialect: DialectOption = Dialect(max_tokens=1)
translation: Translation = translate(b"", dialect=dialect, bounds=RequestBounds(tools=1))
stream: ChunkStream = translation.stream()
error: StreamError | None = stream.error


def tell(record: ExchangeRecord) -> None:
    pass


observer: OnExchange = tell
store: ThinkingStore = MemoryStore()
app = Starlette()
app.add_middleware(ChatCompatMiddleware, dialect=dialect, on_exchange=observer, store=store, keep_alive=1)
app.add_middleware(TracedChatCompatMiddleware, dialect=dialect, on_exchange=observer, store=None, keep_alive=1)
ChatCompatMiddleware(app, dialect=dialect)
TracedChatCompatMiddleware(app, dialect=dialect)
"""
WRONG = {
    "import": ("from chatcompat import Dialekt", "Dialekt"),
    "lazy_import": ("from chatcompat import ChatCompatMiddelware", "ChatCompatMiddelware"),
    "attribute": ("import chatcompat\nprint(chatcompat.Dialekt)", "Dialekt"),
    "module": ("from chatcompat.dialect import Dialekt", "Dialekt"),
    "field": ("from chatcompat import Dialect\nDialect(max_tokns=1)", "max_tokns"),
    "option": (
        "from chatcompat import ChatCompatMiddleware\nfrom starlette.applications import Starlette\n"
        "ChatCompatMiddleware(Starlette(), dialekt=None)",
        "dialekt",
    ),
    "added_option": (
        "from chatcompat import ChatCompatMiddleware\nfrom starlette.applications import Starlette\n"
        "Starlette().add_middleware(ChatCompatMiddleware, dialekt=None)",
        "dialekt",
    ),
    "traced_option": (
        "from chatcompat.otel import TracedChatCompatMiddleware\nfrom starlette.applications import Starlette\n"
        "TracedChatCompatMiddleware(Starlette(), dialekt=None)",
        "dialekt",
    ),
    "type_of_an_option": (
        "from chatcompat.otel import TracedChatCompatMiddleware\nfrom starlette.applications import Starlette\n"
        "TracedChatCompatMiddleware(Starlette(), strict='yes')",
        "strict",
    ),
}
FILES = {"correct": CORRECT} | {name: code for name, (code, _) in WRONG.items()}


@pytest.fixture(scope="module", params=CHECKERS)
def errors(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What one run of a type checker says of each file."""
    checker: str = request.param
    if importlib.util.find_spec(checker) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"needs {checker}")
        pytest.skip(f"needs {checker}: pip install --group lint -e '.[test]'")
    folder = tmp_path_factory.mktemp(checker)
    for name, code in FILES.items():
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
    return {"mypy": run_mypy, "pyright": run_pyright}[checker](folder)


def run(folder: Path, *command: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    completed = subprocess.run(
        [sys.executable, "-m", *command, *(f"{name}.py" for name in FILES)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert completed.returncode == 1, completed.stderr or completed.stdout
    return completed.stdout


def run_mypy(folder: Path) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {name: [] for name in FILES}
    output = run(folder, "mypy", "--strict", "--config-file=", "--no-error-summary", "--hide-error-context")
    for name, error in re.findall(r"^(\w+)\.py:\d+: error: (.*)$", output, re.MULTILINE):
        errors[name].append(error)
    return errors


def run_pyright(folder: Path) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {name: [] for name in FILES}
    output = run(folder, "pyright", "--pythonpath", sys.executable, "--outputjson")
    for found in json.loads(output)["generalDiagnostics"]:
        if found["severity"] == "error":
            errors[Path(found["file"]).stem].append(found["message"])
    return errors


def test_a_type_checker_takes_every_public_name(errors: dict[str, list[str]]) -> None:
    assert errors["correct"] == []


@pytest.mark.parametrize(("name", "word"), [(name, word) for name, (_, word) in WRONG.items()])
def test_a_type_checker_finds_the_mistake(errors: dict[str, list[str]], name: str, word: str) -> None:
    (error,) = errors[name]
    assert f'"{word}"' in error


def test_the_traced_middleware_has_the_options_of_the_plain_one() -> None:
    plain = signature(ChatCompatMiddleware).parameters
    traced = signature(TracedChatCompatMiddleware).parameters
    options = get_type_hints(TracedChatCompatMiddleware.__init__)["options"].__args__[0]
    assert options.__annotations__.keys() == plain.keys() - traced.keys()
