"""Each promise of `promises.md` has its tests."""

import re
from pathlib import Path

import pytest

from tests.fidelity.cases import CASES

HERE = Path(__file__).parent
PROMISES = [line[2:] for line in (HERE / "promises.md").read_text().splitlines() if line.startswith("- ")]
TESTS = {name for path in HERE.rglob("test_*.py") for name in re.findall(r"def test_(\w+)\(", path.read_text())}
GOLDEN = {f"{path.parent.name}/{path.name.partition('.')[0]}" for path in (HERE / "golden").rglob("*.*")}
SENTENCES = {case.name for case in CASES}


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.partition(": ")[0])
def test_each_promise_has_its_tests(promise: str) -> None:
    tests = re.split(r': (?=["`])', promise, maxsplit=1)[1]
    named = set(re.findall(r"`([^`]+)`", tests))
    told = set(re.findall(r'"([^"]+)"', tests))
    assert named | told, "no test is named"
    assert named - TESTS - GOLDEN == set()
    assert told - SENTENCES == set()
