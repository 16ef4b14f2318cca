"""What `help()` shows: all public names, and a text for each field and each option."""

import ast
import importlib
import inspect
import pydoc
import re
import subprocess
import sys
from dataclasses import is_dataclass
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

import chatcompat

PACKAGE = Path(chatcompat.__file__).parent
PUBLIC = ["check", "dialect", "errors", "otel", "prometheus", "record", "simulator", "store", "translation", "upstream"]
MODULES = [chatcompat, *(importlib.import_module(f"chatcompat.{name}") for name in PUBLIC)]
CLASSES = sorted(
    {
        value
        for module in MODULES
        for name in module.__all__
        if isinstance(value := getattr(module, name), type)
        and (is_dataclass(value) or issubclass(value, msgspec.Struct))
    },
    key=lambda kind: kind.__name__,
)


def section(kind: type, title: str) -> list[str]:
    """The names that a section of the class's docstring describes, in order."""
    text = inspect.cleandoc(kind.__doc__ or "")
    found = re.search(rf"^{title}:\n((?: {{4}}.*\n?)+)", text, re.MULTILINE)
    return [] if found is None else re.findall(r"^ {4}(\w+): \S", found[1], re.MULTILINE)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_public_module_says_what_is_public(module: object) -> None:
    assert set(module.__all__) <= set(dir(module))  # type: ignore[attr-defined]


def test_help_shows_names_that_are_not_imported_yet() -> None:
    code = "import chatcompat; print(*dir(chatcompat)); help(chatcompat)"
    command = [sys.executable, "-c", code]
    names, _, text = subprocess.run(command, capture_output=True, text=True, check=True).stdout.partition("\n")
    assert set(chatcompat.__all__) <= set(names.split())
    assert [
        name for name in chatcompat.__all__ if not re.search(rf"^    (?:class )?{name}\b", text, re.MULTILINE)
    ] == []


def test_the_classes_with_fields_are_known() -> None:
    assert {kind.__name__ for kind in CLASSES} >= {"Dialect", "ExchangeRecord", "RequestBounds", "Translation"}


@pytest.mark.parametrize("kind", CLASSES)
def test_help_describes_each_field_of_a_class(kind: type) -> None:
    fields = [name for name in inspect.get_annotations(kind) if not name.startswith("_")]
    assert section(kind, "Attributes") == fields
    shown = pydoc.plain(pydoc.render_doc(kind))
    assert all(f" {name}: " in shown for name in fields)


def test_help_describes_each_option_of_the_middleware() -> None:
    options = inspect.signature(chatcompat.ChatCompatMiddleware).parameters
    assert section(chatcompat.ChatCompatMiddleware, "Args") == list(options)
    assert section(chatcompat.ChatCompatMiddleware, "Raises") == ["TypeError", "ValueError"]


def test_no_field_is_described_where_help_does_not_look() -> None:
    """A string behind a field is no docstring: nothing shows it."""
    hidden = [
        f"{path.name}: {before.target.id}"
        for path in PACKAGE.rglob("*.py")
        for body in (node.body for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef))
        for before, after in pairwise(body)
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name)
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    ]
    assert hidden == []
