"""Fuzz one target by hand, guided by coverage: `python -m tests.fuzz TARGET [CORPUS...] [-runs=N] [-seed=N]`."""

import sys

import atheris

with atheris.instrument_imports(include=["chatcompat"]):
    from tests.fuzz.targets import TARGETS
from tests.fuzz.mutators import mutate_json, mutate_stream

MUTATORS = {"request": mutate_json, "reply": mutate_json, "stream": mutate_stream}


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"{__doc__}\nTargets: {', '.join(TARGETS)}")
    name = sys.argv.pop(1)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        changed = MUTATORS[name](data, seed) if seed % 4 else None
        if changed is None or len(changed) > max_size:
            return bytes(atheris.Mutate(data, max_size))
        return changed

    atheris.Setup(sys.argv, TARGETS[name], **({"custom_mutator": mutate} if name in MUTATORS else {}))
    atheris.Fuzz()


main()
