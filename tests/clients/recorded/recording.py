"""The recorded requests of a client, and the file that holds them."""

from pathlib import Path

import msgspec
from msgspec import Raw, Struct

DATA = Path(__file__).parent / "data"
"""The folder of the files, one a client."""

HEADERS = ("accept", "content-type", "user-agent")
"""The headers that are kept. None of them holds a credential."""


class Request(Struct, frozen=True):
    """A request as the client sent it. `body` has its bytes."""

    scenario: str
    method: str
    path: str
    headers: dict[str, str]
    body: Raw


class Recording(Struct, frozen=True):
    """What one client sent, in order. `packages` has the versions of what it is made of, the client first."""

    client: str
    packages: dict[str, str]
    requests: list[Request]


_decode = msgspec.json.Decoder(Recording).decode
_encode = msgspec.json.Encoder().encode


def clients() -> list[str]:
    """The names of the clients that are recorded."""
    return sorted(path.stem for path in DATA.glob("*.json"))


def load(client: str) -> Recording:
    """Read the recording of a client."""
    return _decode((DATA / f"{client}.json").read_bytes())


def save(recording: Recording) -> None:
    """Write the recording of a client: one line a request, so that a difference shows which of them changed."""
    head = _encode({"client": recording.client, "packages": recording.packages})[:-1]
    lines = b",\n".join(_encode(request) for request in recording.requests)
    DATA.mkdir(exist_ok=True)
    (DATA / f"{recording.client}.json").write_bytes(head + b',"requests":[\n' + lines + b"\n]}\n")
