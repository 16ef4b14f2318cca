"""Serves an app of `stalls_apps.py` on a free port, by uvicorn with the settings of `chatcompat serve`."""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn

sys.path.insert(0, str(Path(__file__).parent))


def main() -> None:
    config = uvicorn.Config(f"stalls_apps:{sys.argv[1]}", port=0, access_log=False, log_level="warning")
    with config.bind_socket() as listener:
        listener.listen(config.backlog)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
