"""The modules that can be compiled keep to what the compiler translates faithfully (see docs/speed.md)."""

import ast
import tomllib
from pathlib import Path

import msgspec
import pytest

from tests.cost.patterns import modules, source_of

ROOT = Path(__file__).parent.parent
BUILD = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
HOOK = BUILD["targets"]["wheel"]["hooks"]["mypyc"]
APPS = {"ChatCompatMiddleware", "ModelsApp", "PathHints"}  # servers and frameworks look into these
TASKS = "choices.py"  # its tasks call the rest, see docs/speed.md


def files(patterns: list[str]) -> set[Path]:
    """The files that the patterns of a list mean; each means some."""
    found: set[Path] = set()
    for pattern in patterns:
        paths = {*ROOT.glob(pattern[1:] if pattern.startswith("/") else f"chatcompat/**/{pattern}")}
        assert paths, f"no file: {pattern}"
        found |= paths
    return found


LEFT_OUT = files(HOOK["exclude"])
COMPILED = files(HOOK["include"]) - LEFT_OUT


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def structs() -> set[str]:
    """The names of all structs, and of what they are made from."""
    values = [value for module in modules() for value in vars(module).values()]
    return {"Struct"} | {value.__name__ for value in values if isinstance(value, msgspec.StructMeta)}


def parsed(path: Path) -> list[ast.AST]:
    return [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]


def bases(path: Path) -> set[str]:
    """The names of all classes that the classes of a file are made from, without modules and parameters."""
    found = [base for node in parsed(path) if isinstance(node, ast.ClassDef) for base in node.bases]
    return {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in found}


def apps(path: Path) -> set[str]:
    return APPS & {node.name for node in parsed(path) if isinstance(node, ast.ClassDef)}


def calls_itself(path: Path) -> set[str]:
    """The functions of a file that name themselves."""
    functions = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]
    return {
        function.name
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and node.id == function.name
    }


def test_a_good_part_of_the_package_is_compiled() -> None:
    assert len(COMPILED) > 35
    assert {*map(source_of, modules())} >= COMPILED


@pytest.mark.parametrize("path", sorted(COMPILED), ids=name_of)
def test_a_compiled_module_means_the_same_when_compiled(path: Path) -> None:
    assert not bases(path) & structs(), "mypyc drops the options of a struct's class"
    assert not apps(path), "mypyc gives `__call__` a signature that cannot be read"
    finals = [line for node in parsed(path) if isinstance(node, ast.Try) for line in node.finalbody]
    awaits = [node for line in finals for node in ast.walk(line) if isinstance(node, ast.Await)]
    assert not calls_itself(path), "compiled functions count no depth, so what is nested deeply ends the process"
    within = [node for node in parsed(path) if isinstance(node, ast.AsyncWith)]
    assert not within, "in `async with`, mypyc loses an exception while `__aexit__` waits"
    assert not awaits, "behind an `await` in `finally`, mypyc raises what the caller is handling"


def test_each_module_that_is_left_out_has_a_reason() -> None:
    for path in LEFT_OUT:
        assert path.name in ("__init__.py", TASKS) or bases(path) & structs() or apps(path) or calls_itself(path), path
