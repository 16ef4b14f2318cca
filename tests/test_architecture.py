"""The documents name files, functions and folders that are there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.test_layering import IMPORTS, MODULES, PACKAGE, PLACES, place_of

ROOT = PACKAGE.parent
ARCHITECTURE = ROOT / "docs" / "architecture.md"
DOCUMENTS = [ARCHITECTURE, ROOT / "CONTRIBUTING.md"]  # `tests/docs` has the other pages
MAX_FILES = 4

# `[text](target)`; a target in this repository has neither a scheme nor only an anchor.
LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)")


def links(document: Path) -> list[tuple[str, Path]]:
    """The text and the target of each link to this repository."""
    found = LINK.findall(document.read_text(encoding="utf-8"))
    return [(text, (document.parent / target).resolve()) for text, target in found]


def names(body: list[ast.stmt], prefix: str = "") -> set[str]:
    """What a module or a class defines, `Class.method` included."""
    found = set()
    for statement in body:
        match statement:
            case ast.ClassDef(name):
                found |= {prefix + name} | names(statement.body, f"{prefix}{name}.")
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                found.add(prefix + name)
            case ast.Assign(targets):
                found |= {prefix + target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(ast.Name(name)):
                found.add(prefix + name)
    return found


@cache
def defined(path: Path) -> set[str]:
    return names(ast.parse(path.read_text(encoding="utf-8")).body)


def walks() -> dict[str, list[str]]:
    """The steps of each walk, by its question."""
    section = ARCHITECTURE.read_text(encoding="utf-8").partition("\n## Four walks")[2].partition("\n## ")[0]
    parts = [part.partition("\n") for part in section.split("\n### ")[1:]]
    return {question: re.split(r"^\d+\. ", steps, flags=re.MULTILINE)[1:] for question, _, steps in parts}


WALKS = walks()


def below(place: str, edges: dict[str, set[str]]) -> set[str]:
    """All that a place imports, directly or by way of another."""
    return edges[place].union(*(below(other, edges) for other in edges[place]))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_each_linked_file_exists(document: Path) -> None:
    assert links(document)
    assert {str(target) for _, target in links(document) if not target.exists()} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_each_path_that_is_named_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"`((?:benchmarks|chatcompat|docs|examples|tests|\.ci)/[\w./-]*)`", text)
    assert named
    assert {path for path in named if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_each_linked_name_is_defined_in_its_file(document: Path) -> None:
    linked = [(text.strip("`"), target) for text, target in links(document) if target.suffix == ".py"]
    assert linked
    assert {name for name, target in linked if name not in defined(target)} == set()


def test_there_are_four_walks() -> None:
    assert len(WALKS) == 4


@pytest.mark.parametrize("question", WALKS)
def test_each_step_of_a_walk_links_to_one_file(question: str) -> None:
    for step in WALKS[question]:
        assert len({target for _, target in LINK.findall(step)}) == 1, step


@pytest.mark.parametrize("question", WALKS)
def test_no_walk_opens_more_than_four_files(question: str) -> None:
    files = [{target for _, target in LINK.findall(step)} for step in WALKS[question]]
    assert 0 < len(set().union(*files)) <= MAX_FILES


def test_each_folder_and_module_has_its_purpose() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    listed = re.findall(r"^\| `chatcompat/(\w+)(?:/|\.py)` \| \S", text, re.MULTILINE)
    assert sorted(listed) == sorted(set(PLACES) - {"chatcompat"})


def test_the_arrows_between_folders_are_the_imports() -> None:
    """Without those that follow from others."""
    edges = {
        place: {
            place_of(imported)
            for module, found in IMPORTS.items()
            if place_of(module) == place
            for imported in found & MODULES.keys()
        }
        - {place}
        for place in PLACES
    }
    direct = {
        (place, imported)
        for place, found in edges.items()
        for imported in found
        if not any(imported in below(other, edges) for other in found)
    }
    drawn = re.findall(r"^    (\w+) --> (\w+)$", ARCHITECTURE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(drawn) == direct
    assert len(drawn) == len(direct)


def files_of(folder: str) -> list[str]:
    """The files that the section of a folder names."""
    text = ARCHITECTURE.read_text(encoding="utf-8").partition(f"\n### `{folder}/`\n")[2].partition("\n##")[0]
    return sorted(re.findall(r"`(\w+\.py)`", text))


@pytest.mark.parametrize("folder", ["asgi", "reply", "request", "wire"])
def test_each_file_of_a_large_folder_is_named_once(folder: str) -> None:
    assert files_of(folder) == sorted(path.name for path in (PACKAGE / folder).glob("[!_]*.py"))
