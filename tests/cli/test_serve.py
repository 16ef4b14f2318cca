"""`chatcompat serve` as a user starts it: in front of a real upstream, by one process or more, and how it stops."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, IncompleteRead
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest
from openai import OpenAI

from chatcompat.cli.serve import DialectName
from chatcompat.cli.serve_app import load
from chatcompat.dialect import PRESETS
from tests.servers.running import stop

CHAT: Any = {"model": "caicaini/auto", "max_tokens": 50, "messages": [{"role": "user", "content": "Secret words"}]}


@dataclass
class Served:
    url: str
    process: subprocess.Popen[str]
    errors: Path
    banner: str

    def client(self) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key="sk-hidden", timeout=60, max_retries=0)

    def lines(self, count: int) -> list[Any]:
        """So many lines of the access log, once they are there."""
        return [json.loads(line) for line in self.written(count)]

    def written(self, count: int) -> list[str]:
        """So many lines on stderr, once they are there."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            lines = self.errors.read_text().rpartition("\n")[0].splitlines()  # whole ones
            if len(lines) >= count:
                return lines
            time.sleep(0.02)
        raise AssertionError(self.errors.read_text())

    def stop(self, number: int = signal.SIGINT) -> int:
        return stop(self.process, number, 30)


@contextmanager
def served(folder: Path, *options: str, **environment: str) -> Iterator[Served]:
    errors = folder / f"errors-{len(list(folder.iterdir()))}"
    command = [sys.executable, "-m", "chatcompat", "serve", *options]
    more: dict[str, Any] = {"cwd": folder, "env": {**os.environ, "CHATCOMPAT_PORT": "0", **environment}}
    with (
        errors.open("w") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, **more) as process,
    ):
        assert process.stdout is not None
        banner, found = "", None
        while found is None:
            line = process.stdout.readline()
            assert line, errors.read_text()
            banner += line
            found = re.search(r"https?://127\.0\.0\.1:\d+", line)
        try:
            yield Served(found[0], process, errors, banner)
        finally:
            if process.poll() is None:
                stop(process, signal.SIGINT, 30)


def get(url: str) -> tuple[int, Any]:
    with urllib.request.urlopen(url, timeout=60) as response:
        return response.status, json.load(response)


def test_in_front_of_an_upstream(tmp_path: Path) -> None:
    with served(tmp_path, "--no-access-log") as inner, served(tmp_path, "--upstream", inner.url) as outer:
        client = outer.client()
        whole = client.chat.completions.create(**CHAT, seed=1)
        pieces = [chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**CHAT, stream=True)]
        assert "".join(pieces) == whole.choices[0].message.content
        with pytest.raises(Exception, match="model: "):
            client.chat.completions.create(**CHAT | {"model": "none"})
        client.close()
        assert get(f"{outer.url}/healthz") == (200, {"status": "ok"})
        with pytest.raises(urllib.error.HTTPError) as missing:
            get(f"{outer.url}/elsewhere")
        assert json.load(missing.value)["error"]["type"] == "not_found_error"
        lines = [line for line in outer.lines(5) if line["path"] == "/v1/chat/completions"]
        assert outer.stop() == 0
        assert inner.errors.read_text() == ""
    assert [line["status"] for line in lines] == [200, 200, 404]
    assert [line["streaming"] for line in lines] == [False, True, False]
    assert [line["finish_reason"] for line in lines] == ["stop", "stop", None]
    assert lines[0]["ignored"] == "seed"
    assert lines[0]["usage"]["prompt_tokens"] > 0
    assert lines[0]["duration_ms"] >= lines[0]["first_byte_ms"] >= 0
    assert lines[2]["error_type"] == "invalid_request_error"
    log = outer.errors.read_text()
    assert "Secret" not in log
    assert "hidden" not in log


class Native(BaseHTTPRequestHandler):
    """A messages service that keeps the credentials that it was sent."""

    seen: ClassVar[list[tuple[str | None, str | None]]] = []

    def do_POST(self) -> None:
        self.seen.append((self.headers["authorization"], self.headers["x-api-key"]))
        self.rfile.read(int(self.headers["content-length"]))
        content = [{"type": "text", "text": "Hi"}]
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content}
        body = json.dumps({**message, "stop_reason": "end_turn", "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(("options", "key"), [((), None), (("--api-key-header",), "sk-hidden")])
def test_the_credential_goes_as_an_api_key_where_that_is_asked_for(
    tmp_path: Path, options: tuple[str, ...], key: str | None
) -> None:
    with HTTPServer(("127.0.0.1", 0), Native) as inner:
        thread = threading.Thread(target=inner.serve_forever)
        thread.start()
        try:
            with served(tmp_path, "--upstream", f"http://127.0.0.1:{inner.server_port}", *options) as found:
                found.client().chat.completions.create(**CHAT)
        finally:
            inner.shutdown()
            thread.join()
    assert Native.seen.pop() == ("Bearer sk-hidden", key)


def test_options_come_from_the_environment_or_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "chatcompat.toml").write_text('[serve]\nstrict = true\nupstream = "http://127.0.0.1:9"\n')
    with served(tmp_path, CHATCOMPAT_ACCESS_LOG="false") as found:
        with pytest.raises(Exception, match="strict mode does not allow"):
            found.client().chat.completions.create(**CHAT, seed=1)
        with pytest.raises(Exception, match="cannot be reached"):
            found.client().chat.completions.create(**CHAT)
        assert found.stop() == 0
        (failure,) = [json.loads(line) for line in found.errors.read_text().splitlines()]
        assert (failure["logger"], failure["level"]) == ("chatcompat.upstream", "warning")
        assert (failure["host"], failure["port"]) == ("127.0.0.1", 9)
        assert failure["reason"] == "ClientConnectorError: Connection refused"
        assert failure["request_id"].startswith("req_")


def test_an_option_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    urls = (
        ["--upstream", "nowhere"],
        ["--upstream", "http://user:sk-hidden@x"],
        ["--upstream", "http://user:sk-hidden"],
    )
    for options in (*urls, ["--workers", "0"], ["--dialect", "x"], ["--port", "65536"]):
        command = [sys.executable, "-m", "chatcompat", "serve", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
        assert done.returncode != 0
        output = (done.stdout + done.stderr).lower()
        assert options[0].strip("-") in output
        assert "traceback" not in output
        assert "sk-hidden" not in output


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "chatcompat", "serve"]
    environment = {**os.environ, "CHATCOMPAT_CONFIG": "missing.toml"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path, env=environment
    )
    assert done.returncode != 0
    assert "missing.toml" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_several_processes_serve_one_port(tmp_path: Path) -> None:
    with served(tmp_path, "--workers", "2", PYTHONWARNINGS="default::ResourceWarning") as found:
        completion = found.client().chat.completions.create(**CHAT)
        assert completion.choices[0].message.content
        assert found.lines(1)[0]["status"] == 200
        assert found.stop() == 0
        assert "unclosed <socket" not in found.errors.read_text()


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_right_after_the_welcome_stops_the_server(tmp_path: Path, options: Any, number: int) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for what it starts with `&`
    try:
        with served(tmp_path, *options) as found:
            assert found.stop(number) in (0, -number)
            assert found.errors.read_text() == ""
    finally:
        signal.signal(signal.SIGINT, before)


def stream_of(found: Served, delay: float) -> tuple[Any, HTTPConnection]:
    connection = HTTPConnection(found.url.removeprefix("http://"), timeout=60)
    headers = {"content-type": "application/json", "authorization": "Bearer k", "x-simulate": f"delay={delay}"}
    connection.request("POST", "/v1/chat/completions", json.dumps(CHAT | {"stream": True}), headers)
    response = connection.getresponse()
    assert response.readline().startswith(b"data: ")
    return response, connection


@pytest.mark.parametrize("seconds", ["30", "1"])
def test_a_stream_has_its_time_to_finish_when_the_server_is_stopped(tmp_path: Path, seconds: str) -> None:
    finishes = seconds == "30"
    with served(tmp_path, "--shutdown-timeout", seconds) as found:
        response, connection = stream_of(found, 0.1 if finishes else 2)
        stopped = threading.Thread(target=found.stop, args=(signal.SIGTERM,))
        stopped.start()
        try:
            rest = response.read()
        except IncompleteRead as cut:
            rest = cut.partial
        stopped.join(30)
        connection.close()
    assert rest.endswith(b"data: [DONE]\n\n") is finishes


def test_the_names_of_dialects_are_the_presets() -> None:
    assert set(get_args(DialectName)) == set(PRESETS)


def test_a_model_is_discovered_where_that_is_asked_for(tmp_path: Path) -> None:
    thinks = CHAT | {"model": "sim-2", "max_tokens": 9_000, "reasoning_effort": "high"}
    with served(tmp_path) as inner, served(tmp_path, "--upstream", inner.url, "--dialect", "discover") as outer:
        client = outer.client()
        assert client.chat.completions.create(**thinks).choices[0].finish_reason == "stop"
        client.close()
        paths = [line["path"] for line in inner.lines(2)]
        outer.lines(1)
    assert paths == ["/v1/models/sim-2", "/v1/messages"]
    assert "Nothing is known" not in outer.errors.read_text()


def test_metrics_are_served_where_they_are_asked_for(tmp_path: Path) -> None:
    with served(tmp_path, "--metrics", "--traces") as server:
        server.client().chat.completions.create(**CHAT)
        server.lines(1)  # the exchange is over
        with urllib.request.urlopen(f"{server.url}/metrics", timeout=60) as page:
            output = page.read().decode()
    labels = 'finish_reason="stop",model="caicaini/auto",status="200",streaming="false"'
    assert f"chatcompat_requests_total{{{labels}}} 1.0" in output
    assert "Secret" not in output


def test_what_is_missing_for_metrics_is_said(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "chatcompat", "serve", "--metrics", "--workers", "2"]
    environment = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path, env=environment
    )
    assert result.returncode == 2
    assert "PROMETHEUS_MULTIPROC_DIR" in result.stderr


def test_an_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "chatcompat.otel", raising=False)
    with pytest.raises(SystemExit, match=r"pip install 'chatcompat\[otel\]'"):
        load("chatcompat.otel")
