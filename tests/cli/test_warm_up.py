"""The first request that a process of `chatcompat serve` gets is no slower than the next."""

import subprocess
import sys

import pytest

SCRIPT = """
import asyncio, gc, json, sys
from asgi_lifespan import LifespanManager
from chatcompat.cli.open_requests import OpenRequests
from chatcompat.cli.serve_app import Settings, create_app
from chatcompat.cli.warm_up import warm_up

REPLY = b'{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"end_turn"}'

async def answer(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    head = b"HTTP/1.1 200 OK\\r\\nconnection: close\\r\\ncontent-type: application/json\\r\\n"
    head += b"content-length: %d\\r\\n\\r\\n"
    writer.write(head % len(REPLY) + REPLY)
    await writer.drain()
    writer.close()

async def post(app, stream):
    body = json.dumps({"model": "sim-1", "messages": [{"role": "user", "content": "hi"}], "stream": stream})
    headers = [(b"content-type", b"application/json"), (b"authorization", b"Bearer k")]
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "root_path": "", "query_string": b"",
             "raw_path": b"/v1/chat/completions", "headers": headers, "http_version": "1.1", "scheme": "http",
             "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "asgi": {"version": "3.0"}}
    messages = [{"type": "http.request", "body": body.encode(), "more_body": False}]
    sent = []

    async def receive():
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    assert sent[0]["status"] == 200, sent

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    app = create_app(Settings(access_log=False, upstream=UPSTREAM), OpenRequests())
    async with LifespanManager(app):
        await warm_up()
        assert gc.get_freeze_count() > 10_000
        before = set(sys.modules)
        for stream in (True, False):
            await post(app, stream)
        print(sorted(set(sys.modules) - before))

asyncio.run(main())
"""


@pytest.mark.parametrize("upstream", ["None", 'f"http://127.0.0.1:{port}"'])
def test_the_first_request_imports_nothing(upstream: str) -> None:
    script = SCRIPT.replace("UPSTREAM", upstream)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ran.stdout.strip(), ran.returncode) == ("[]", 0), ran.stderr
