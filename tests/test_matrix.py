"""The tables of clients and servers come from tests that are there."""

import re
from collections.abc import Callable

import pytest

from tests import matrix
from tests.clients import test_python
from tests.clients.python.environments import CLIENTS, HERE
from tests.clients.test_node import FILES, SCENARIOS
from tests.test_readme import README

DOCS = README.parent / "docs"


@pytest.mark.parametrize(
    ("page", "table"),
    [("clients.md", matrix.clients), ("clients.md", matrix.frameworks), ("servers.md", matrix.servers)],
)
def test_a_page_has_the_table(page: str, table: Callable[[], str]) -> None:
    name = table.__name__
    shown = (DOCS / page).read_text(encoding="utf-8").partition(f"<!-- {name}: made from tests.matrix -->\n")[2]
    assert shown.partition(f"<!-- end of {name} -->")[0] == table(), f"put this between the marks:\n{table()}"


@pytest.mark.parametrize("scenario", matrix.PYTHON)
def test_each_cell_of_the_python_client_has_its_tests(scenario: str) -> None:
    there = matrix.functions(*(matrix.HERE / "clients").glob("test_openai*.py"))
    assert matrix.PYTHON[scenario].tests
    assert set(matrix.PYTHON[scenario].tests) - set(there) == set()


@pytest.mark.parametrize("file", FILES)
def test_each_cell_of_a_client_for_node_has_its_test(file: str) -> None:
    there = re.findall(r'^test\("([^"]+)"', (matrix.NODE / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert there == SCENARIOS == list(matrix.NODE_TEXTS[file]) == list(matrix.PYTHON)


@pytest.mark.parametrize("client", CLIENTS)
def test_each_cell_of_a_framework_has_its_test(client: str) -> None:
    (ran,) = re.findall(r"^run\((.+)\)$", (HERE / f"use_{client}.py").read_text(encoding="utf-8"), re.MULTILINE)
    there = [name.replace("_", " ") for name in ran.split(", ")]
    assert there == test_python.SCENARIOS == [name for name in matrix.SCRIPTS[client] if name]


def test_the_collected_tests_are_the_cells_of_the_table() -> None:
    marks = {mark.args[0]: [*mark.args[1]] for mark in test_python.test_python_client.pytestmark}  # type: ignore[attr-defined]
    rows = [row.split(" | ") for row in matrix.frameworks().splitlines()[2:]]
    assert len(rows) == len(marks["client"])
    assert {len(row) - 1 for row in rows} == {len(marks["scenario"])}
    assert (marks["client"], marks["scenario"]) == ([*matrix.SCRIPTS], test_python.SCENARIOS)


def test_each_script_belongs_to_a_client() -> None:
    assert {path.stem.removeprefix("use_") for path in HERE.glob("use_*.py")} == set(CLIENTS) == set(matrix.SCRIPTS)
    assert {path.stem for path in (HERE / "requirements").glob("*.txt")} == set(CLIENTS)
