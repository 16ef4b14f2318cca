"""The tables of clients and servers in the documentation come from tests that are there."""

import re
from collections.abc import Callable

import pytest

from tests import matrix
from tests.clients.test_node import FILES, SCENARIOS
from tests.test_readme import README

DOCS = README.parent / "docs"


@pytest.mark.parametrize(("page", "table"), [("clients.md", matrix.clients), ("servers.md", matrix.servers)])
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
