"""A messages API elsewhere: a real socket, on which each request is answered by a script."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]

JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Origin:
    """What came over its connections, and how many are open."""

    def __init__(self, script: Script, *, reads: bool) -> None:
        self._script = script
        self._reads = reads
        self.url = ""
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.asked = asyncio.Event()
        self.left = asyncio.Event()  # a client closed its connection

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not writer.is_closing():
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                length = re.search(rb"content-length: (\d+)", self.heads[-1], re.IGNORECASE)
                self.bodies.append(await reader.readexactly(int(length[1]) if length and self._reads else 0))
                self.asked.set()
                await self._script(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left.set()
        finally:
            writer.close()

    def lines(self, index: int = -1) -> list[bytes]:
        """The request line and the headers of a request, in order."""
        return self.heads[index].removesuffix(b"\r\n\r\n").split(b"\r\n")


@asynccontextmanager
async def origin(script: Script, *, reads: bool = True) -> AsyncIterator[Origin]:
    """A listening origin; `reads` the body of a request, if it tells its length, before the script."""
    found = Origin(script, reads=reads)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        server.close()


def says(*pieces: bytes) -> Script:
    """Write these."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
        await writer.drain()

    return script


def breaks_off(*pieces: bytes) -> Script:
    """The same, and close the connection."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await says(*pieces)(reader, writer)
        writer.close()

    return script


def falls_silent(*pieces: bytes) -> Script:
    """The same, and wait until the client closes the connection."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await says(*pieces)(reader, writer)
        await reader.readexactly(1)

    return script


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece)
