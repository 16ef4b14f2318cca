"""Files, functions and names stay as short as CONTRIBUTING.md says."""

import ast
from pathlib import Path

import pytest

import chatcompat

PACKAGE = Path(chatcompat.__file__).parent
TESTS = Path(__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MAX_FILE = 350  # lines
MAX_FUNCTION = 40  # lines, without signature and docstring
MAX_NAME = 70  # characters of the name of a test

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> list[Function]:
    return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, Function)]


def length_of(function: Function) -> int:
    has_docstring = ast.get_docstring(function) is not None
    body = function.body[1:] if has_docstring else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_and_its_functions_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE
    assert [function.name for function in functions(path) if length_of(function) > MAX_FUNCTION] == []


def test_the_names_of_tests_are_short() -> None:
    paths = [path for path in TESTS.rglob("test_*.py") if "node_modules" not in path.parts]
    names = {function.name for path in paths for function in functions(path) if function.name.startswith("test_")}
    assert len(names) > 1_000
    assert {name for name in names if len(name) > MAX_NAME} == set()
