"""How many cases each translator gets right: chatcompat, litellm and llm-rosetta, side by side.

    pip install --group bench -e '.[serve]' && python -m tests.fidelity

All three are judged by the same checks. `README.md` says how each peer is run.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from tests.fidelity.cases import CASES
from tests.fidelity.checks import holds
from tests.fidelity.ours import Crashed, Ours, Translator, outcome
from tests.fidelity.peers import LiteLLM, Rosetta


def judge(translator: Translator) -> dict[str, str]:
    """The name of each case that does not hold, and why."""
    failed: dict[str, str] = {}
    for case in CASES:
        got = outcome(translator, case)
        if isinstance(got, Crashed):
            failed[case.name] = f"crashed: {got}"
            continue
        for check in case.checks:
            if not holds(check, got):
                failed[case.name] = f"{check} does not hold" + (": refused" if got is None else "")
                break
    return failed


def table(results: dict[str, dict[str, str]]) -> str:
    """The passed cases of each group as a Markdown table."""
    groups = Counter(case.group for case in CASES)
    lines = ["| cases | " + " | ".join(results) + " |", "|---|" + "---|" * len(results)]
    for group, total in groups.items():
        names = {case.name for case in CASES if case.group == group}
        cells = [f"{total - len(names & failed.keys())} of {total}" for failed in results.values()]
        lines.append(f"| {group} | " + " | ".join(cells) + " |")
    cells = [f"**{len(CASES) - len(failed)} of {len(CASES)}**" for failed in results.values()]
    return "\n".join([*lines, "| all | " + " | ".join(cells) + " |"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verbose", action="store_true", help="name each case that does not hold, and why")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args()
    translators: list[Translator] = [Ours(), LiteLLM(), Rosetta()]
    results = {f"{one.name} {version(one.name)}": judge(one) for one in translators}
    print(f"Python {platform.python_version()}, {len(CASES)} cases\n\n{table(results)}")
    if options.verbose:
        for name, failed in results.items():
            print(f"\n{name}")
            for case, why in failed.items():
                print(f"  {case}: {why[:200]}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    return 1 if next(iter(results.values())) else 0


if __name__ == "__main__":
    sys.exit(main())
