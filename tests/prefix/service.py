"""The simulator behind the middleware, with a store that processes share: a folder, named in the environment."""

import os
from dataclasses import replace
from pathlib import Path

from chatcompat import ChatCompatMiddleware
from chatcompat.dialect import NATIVE_2026
from chatcompat.simulator import create_app

ADAPTIVE = replace(NATIVE_2026, adaptive_thinking=True)


class FolderStore:
    """Keeps each value in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def get(self, key: bytes) -> bytes | None:
        file = self.folder / key.hex()
        return file.read_bytes() if file.exists() else None

    async def put(self, key: bytes, value: bytes) -> None:
        (self.folder / key.hex()).write_bytes(value)


def service() -> ChatCompatMiddleware:
    return ChatCompatMiddleware(create_app(), dialect=ADAPTIVE, store=FolderStore(Path(os.environ["SHARED_STORE"])))
