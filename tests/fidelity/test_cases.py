"""Every case of the side by side, judged for chatcompat."""

from pathlib import Path

import pytest

from tests.fidelity.cases import CASES, Case
from tests.fidelity.checks import holds
from tests.fidelity.ours import Crashed, Ours, outcome


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_all_checks_of_the_case_hold(case: Case) -> None:
    got = outcome(Ours(), case)
    assert not isinstance(got, Crashed)
    assert [check for check in case.checks if not holds(check, got)] == []


def test_each_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


def test_the_number_of_cases_is_the_one_in_the_docs() -> None:
    text = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    assert f"\n{len(CASES)} cases that translators often get wrong" in text
