"""Records what clients send: `python -m tests.clients.recorded.record`, with the names of clients or for all.

`--upgrade` installs their newest releases first.
"""

import os
import subprocess
import sys
import tempfile

from tests.clients.recorded.clients import CLIENTS, command, make, remove, versions
from tests.clients.recorded.recorder import serving
from tests.clients.recorded.recording import Recording, save

_TIMEOUT = 120.0  # seconds
_FOREIGN = ("OPENAI_", "ANTHROPIC_", "COVERAGE_", "VIRTUAL_ENV", "PYTHONPATH")


def record(client: str) -> bool:
    """Record one client, and say whether all went well. What it sent is written in any case."""
    make(client)
    with serving() as (recorder, url), tempfile.TemporaryDirectory() as home:
        own = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        done = subprocess.run(
            command(client),
            env=own | {"CHATCOMPAT_URL": url, "HOME": home, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    save(Recording(client, versions(client), recorder.requests))
    failed = recorder.failed + [line for line in done.stdout.splitlines() if line.startswith("not ok")]
    print(f"{client}: {len(recorder.requests)} requests", *failed, sep="\n  ", flush=True)
    if failed or done.returncode:
        print(done.stdout, flush=True)
    return not failed and done.returncode == 0


if __name__ == "__main__":
    names = [name for name in sys.argv[1:] if not name.startswith("--")] or CLIENTS
    if "--upgrade" in sys.argv[1:]:
        for name in names:
            remove(name)
    worked = [record(name) for name in names]
    sys.exit(not all(worked))
