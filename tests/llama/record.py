"""Record what the real server answers to each request in `recorded/`, and what clients get of it.

    python -m tests.llama.record

Each `NAME.chat.json` is translated and sent; `NAME.exchange.json` keeps what was sent and what came, byte for byte, and
`NAME.client` what a client gets: review it.
"""

import json
import urllib.error
import urllib.request
from pathlib import Path

from chatcompat import Translation, translate
from chatcompat.dialect import LLAMA_CPP
from tests.llama.server import llama_server

FOLDER = Path(__file__).parent / "recorded"
NAMES = sorted(path.name.removesuffix(".chat.json") for path in FOLDER.glob("*.chat.json"))


def translation_of(name: str) -> Translation:
    return translate((FOLDER / f"{name}.chat.json").read_bytes(), dialect=LLAMA_CPP, created=0)


def to_client(name: str, status: int, reply: bytes) -> bytes:
    translation = translation_of(name)
    if status != 200:
        return translation.error(status, reply)
    if translation.streaming:
        stream = translation.stream()
        return stream.feed(reply) + stream.close()
    return translation.reply(reply)


def main() -> None:
    with llama_server() as url:
        for name in NAMES:
            translation = translation_of(name)
            headers = {"content-type": "application/json", "anthropic-version": translation.version}
            request = urllib.request.Request(f"{url}/v1/messages", translation.body, headers)
            try:
                with urllib.request.urlopen(request, timeout=300) as response:
                    status, reply = response.status, response.read()
            except urllib.error.HTTPError as error:
                status, reply = error.code, error.read()
            kept = {"status": status, "sent": json.loads(translation.body), "reply": reply.decode()}
            (FOLDER / f"{name}.exchange.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
            (FOLDER / f"{name}.client").write_bytes(to_client(name, status, reply))


if __name__ == "__main__":
    main()
