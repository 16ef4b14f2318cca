"""A short soak, so that the long one can be trusted."""

import subprocess
import sys


def test_a_short_soak_finds_nothing_wrong() -> None:
    command = [sys.executable, "-m", "tests.soak", "--minutes", "0.1", "--streams", "10", "--seed", "1"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.rstrip().splitlines()[-1:]) == (0, ["nothing is wrong"]), ran.stderr[-2000:]
