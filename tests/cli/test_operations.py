"""What an operator of `chatcompat serve` relies on: the log, stopping, pages for mistakes, and refused values."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_serve import CHAT, get, served, stream_of
from tests.servers.running import free_port, stop

KEY = {"authorization": "Bearer sk-hidden", "x-api-key": "sk-hidden", "anthropic-version": "2023-06-01"}


def ask(url: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    data = None if body is None else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    if data is not None:
        names["content-type"] = "application/json"
    request = urllib.request.Request(url, data, names, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, {name.lower(): value for name, value in response.headers.items()}, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()


def test_each_request_is_one_line_and_has_an_id(tmp_path: Path) -> None:
    with served(tmp_path, "--log-client") as found:
        requests: list[tuple[str, str, Any]] = [
            ("GET", "/healthz", None),
            ("GET", "/elsewhere", None),
            ("GET", "/v1/chat/completions", None),
            ("GET", "/v1/models", None),
            ("POST", "/v1/messages", {"model": "none"}),
            ("POST", "/v1/chat/completions", CHAT | {"temperature": "hot"}),
            ("POST", "/v1/v1/chat/completions", CHAT),
        ]
        heads = [ask(found.url + path, method, body, **KEY) for method, path, body in requests]
        mine = ask(f"{found.url}/healthz", x_request_id="my-id")[1]["x-request-id"]
        bad = ask(f"{found.url}/healthz", x_request_id="a" * 129)[1]["x-request-id"]
        lines = found.lines(len(requests) + 2)
    assert [(line["method"], line["path"], line["status"]) for line in lines[:-2]] == [
        (method, path, status) for (method, path, _), (status, *_) in zip(requests, heads, strict=True)
    ]
    assert [line["status"] for line in lines] == [200, 404, 405, 200, 400, 400, 404, 200, 200]
    ids = [head["x-request-id"] for _, head, _ in heads] + [mine, bad]
    assert [line["request_id"] for line in lines] == ids
    assert (mine, len(set(ids)), bad[:4]) == ("my-id", len(ids), "req_")
    assert {line["client"] for line in lines} == {"127.0.0.1"}
    assert {line["level"] for line in lines} == {"info", "warning"}
    assert (lines[5]["param"], lines[5]["error_type"]) == ("temperature", "invalid_request_error")
    assert lines[2]["code"] == "method_not_allowed"
    assert lines[6]["code"] == "unknown_url"
    assert lines[4]["error_type"] == "invalid_request_error"
    assert "hidden" not in found.errors.read_text()


def test_the_inner_app_gets_the_request_id_and_the_log_has_its_own(tmp_path: Path) -> None:
    with served(tmp_path) as inner, served(tmp_path, "--upstream", f"{inner.url}/v1") as outer:
        status, headers, _ = ask(f"{outer.url}/v1/chat/completions", "POST", CHAT, x_request_id="abc", **KEY)
        assert (status, headers["x-request-id"]) == (200, "abc")
        assert inner.lines(1)[0]["request_id"] == "abc"
        said, line = outer.written(2)
        assert "--upstream: /v1 is left out" in said
        assert json.loads(line)["response_id"].startswith("chatcmpl_")


def test_the_log_can_be_read_by_people(tmp_path: Path) -> None:
    with served(tmp_path, "--log-format", "console", "--log-level", "warning") as found:
        ask(f"{found.url}/healthz")
        ask(f"{found.url}/elsewhere%1b%5b2J%0a")
        assert found.stop() == 0
    (line,) = found.errors.read_text().splitlines()
    assert "WARNING GET /elsewhere" in line
    assert "\x1b" not in line


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_signal_stops_streams_with_an_error(tmp_path: Path, workers: str) -> None:
    with served(tmp_path, "--workers", workers, "--shutdown-timeout", "60") as found:
        chat, connection = stream_of(found, 2)
        native = HTTPConnection(found.url.removeprefix("http://"), timeout=60)
        body = json.dumps(CHAT | {"stream": True})
        native.request(
            "POST", "/v1/messages", body, {**KEY, "content-type": "application/json", "x-simulate": "delay=2"}
        )
        events = native.getresponse()
        assert events.readline()
        found.process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + 20
        while "again to stop at once" not in found.errors.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert found.stop(signal.SIGINT) == 0
        endings = [chat.read(), events.read()]
        connection.close()
        native.close()
    assert b'"code":"server_shutdown"' in endings[0].splitlines()[-2]
    assert endings[1].split(b"\n\n")[-2].startswith(b"event: error\ndata: ")
    log = found.errors.read_text()
    assert "Traceback" not in log
    assert "up to 60 s; again to stop at once" in log
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["error_type"] for line in lines if line["logger"] == "chatcompat.access"] == ["server_shutdown"] * 2


def test_a_web_page_may_call_the_server_where_asked_for(tmp_path: Path) -> None:
    preflight = {"origin": "app://obsidian.md", "access_control_request_method": "POST"}
    with served(tmp_path, "--cors", "app://obsidian.md") as found:
        status, headers, _ = ask(f"{found.url}/v1/chat/completions", "OPTIONS", **preflight)
        assert (status, headers["access-control-allow-origin"]) == (200, "app://obsidian.md")
        status, headers, _ = ask(f"{found.url}/v1/chat/completions", origin="app://obsidian.md")
        assert (status, headers["access-control-allow-origin"]) == (405, "app://obsidian.md")
        assert "access-control-allow-origin" not in ask(f"{found.url}/healthz", origin="https://other")[1]


def test_the_start_page_names_the_endpoints_below_the_root_path(tmp_path: Path) -> None:
    with served(tmp_path, "--root-path", "/llm") as found:
        status, headers, page = ask(f"{found.url}/", host="a.example")
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert b"POST http://a.example/llm/v1/chat/completions" in page
        assert get(f"{found.url}/healthz") == (200, {"status": "ok"})
        assert b"<script" not in ask(f"{found.url}/", host="<script>")[2]
        error = json.loads(ask(f"{found.url}/chat/completions", "POST", CHAT)[2])["error"]
        assert "The endpoint is POST /llm/v1/chat/completions." in error["message"]
        assert ask(f"{found.url}/v1/chat/completions", "POST", CHAT, **KEY)[0] == 200


def test_models_and_aliases_are_served(tmp_path: Path) -> None:
    (tmp_path / "chatcompat.toml").write_text('[serve]\nmodels = ["gpt-4o"]\n[models]\ngpt-4o = "caicaini/auto"\n')
    with served(tmp_path) as found:
        assert [model["id"] for model in get(f"{found.url}/v1/models")[1]["data"]] == ["gpt-4o"]
        completion = found.client().chat.completions.create(**CHAT | {"model": "gpt-4o"})
        assert completion.choices[0].message.content


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        (["--host", "192.0.2.1", "--port", "81"], "--host 192.0.2.1 --port 81"),
        (["--model-alias", "x"], "--model-alias must be CHAT=NATIVE"),
        (["--cors", "https://a.example/path"], "--cors must be"),
        (["--root-path", "llm"], "--root-path must begin with a slash"),
        (["--models", ""], "--models must not have an empty name"),
        (["--ssl-keyfile", "key.pem"], "--ssl-keyfile needs --ssl-certfile"),
        (["--ssl-certfile", "missing.pem"], "cannot be loaded: No such file"),
        (["--port", "65536"], "--port"),
        (["--idle-timeout", "nan"], "--idle-timeout"),
        (["--upstream", "nowhere"], "--upstream: url must begin with"),
        (["--bogus"], "--bogus"),
    ],
)
def test_each_bad_value_exits_with_2_and_is_named(tmp_path: Path, options: list[str], fragment: str) -> None:
    command = [sys.executable, "-m", "chatcompat", "serve", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert done.returncode == 2
    assert fragment in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_metrics_folder_ends_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "chatcompat", "serve", "--port", "0", "--prometheus", "--workers", "2"]
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "missing")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert "PROMETHEUS_MULTIPROC_DIR must be a directory" in done.stderr


@pytest.mark.skipif(
    shutil.which("opentelemetry-instrument", path=Path(sys.executable).parent) is None, reason="no launcher"
)
def test_the_launcher_of_opentelemetry_leaves_the_options_alone(tmp_path: Path) -> None:
    port = free_port()
    folder = Path(sys.executable).parent
    exporters = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    environment = {**os.environ, **exporters, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    command = [str(folder / "opentelemetry-instrument"), "chatcompat", "serve", "--otel", "--prometheus"]
    with (tmp_path / "out").open("w") as out:
        options: dict[str, Any] = {"stdout": out, "stderr": subprocess.STDOUT, "cwd": tmp_path, "env": environment}
        with subprocess.Popen([*command, "--port", str(port)], **options) as process:
            try:
                deadline = time.monotonic() + 60
                while "Try it" not in (tmp_path / "out").read_text():
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
                assert ask(f"http://127.0.0.1:{port}/v1/chat/completions", "POST", CHAT, **KEY)[0] == 200
                assert b"chatcompat_requests_total" in ask(f"http://127.0.0.1:{port}/metrics")[2]
            finally:
                stop(process, signal.SIGINT, 30)
    assert '"name": "chat caicaini/auto"' in (tmp_path / "out").read_text()


COUNT = "/v1/chat/completions/count_tokens"


def test_tokens_are_counted_where_the_option_is_set(tmp_path: Path) -> None:
    with served(tmp_path) as off, served(tmp_path, "--count-tokens") as on:
        status, _, body = ask(off.url + COUNT, "POST", CHAT, **KEY)
        assert (status, json.loads(body)["error"]["code"]) == (404, "unknown_url")
        assert b"--count-tokens" in body
        status, _, body = ask(on.url + COUNT, "POST", CHAT, **KEY)
        assert (status, json.loads(body)["prompt_tokens"]) == (200, 3)
        status, _, body = ask(on.url + COUNT, "POST", CHAT | {"model": "none"}, **KEY)
        assert (status, json.loads(body)["error"]["code"]) == (404, "model_not_found")
        line = on.lines(2)[0]
    assert (line["path"], line["status"], line["usage"]) == (COUNT, 200, None)
