"""`chatcompat serve --inspect`: off by default, for this machine alone, and nothing of it in the middleware."""

import subprocess
import sys
import urllib.error
import urllib.request
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from chatcompat.cli.open_requests import OpenRequests
from chatcompat.cli.serve_app import Settings, create_app
from chatcompat.cli.serve_options import check_inspector, check_workers
from tests.asgi.driver import call, chat
from tests.cli.test_serve import served
from tests.cli.test_settings import run
from tests.inspector.test_run import HEADERS, STREAM, frames

DOCS = Path(__file__).parent.parent.parent / "docs"
OPEN = ["0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.evil.example", ""]


@pytest.mark.parametrize("host", OPEN)
def test_it_is_not_opened_to_other_machines_by_accident(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        check_inspector(Settings(inspect=True), host)
    assert f"--inspect with --host {host}: " in capsys.readouterr().err
    check_inspector(Settings(inspect=True, inspect_anywhere=True), host)
    check_inspector(Settings(), host)


def test_the_command_refuses_to_open_it_by_accident(tmp_path: Path) -> None:
    status, stderr = run(tmp_path, "--inspect", "--host", "0.0.0.0")
    assert status == 2
    assert stderr == (
        "chatcompat: --inspect with --host 0.0.0.0: the inspector would be open to other machines. "
        "Listen on 127.0.0.1, or allow that with --inspect-anywhere\n"
    )


def test_its_flags_must_make_sense(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        check_inspector(Settings(inspect_anywhere=True), "127.0.0.1")
    with pytest.raises(SystemExit, match="2"):
        check_workers(Settings(inspect=True), 2)
    assert capsys.readouterr().err == (
        "chatcompat: --inspect-anywhere needs --inspect\n"
        "chatcompat: --inspect with --workers: the inspector shows the exchanges of one process. Leave out --workers\n"
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_these_hosts_are_this_machine(host: str) -> None:
    check_inspector(Settings(inspect=True), host)


def test_it_is_served_and_named_where_it_is_asked_for(tmp_path: Path) -> None:
    with served(tmp_path, "--inspect") as own:
        assert f"  inspector         {own.url}/inspect\n" in own.banner
        with urllib.request.urlopen(f"{own.url}/inspect", timeout=60) as page:
            assert b"chatcompat inspector" in page.read()
        request = urllib.request.Request(f"{own.url}/inspect", headers={"host": "other.example"})
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request, timeout=60)
        body = {"data": chat(model="caicaini/auto", **STREAM), "headers": {"content-type": "application/json"}}
        body["headers"] |= {"authorization": "Bearer sk-secret"}  # type: ignore[operator]
        with urllib.request.urlopen(urllib.request.Request(f"{own.url}/inspect/run", **body), timeout=60) as reply:  # type: ignore[arg-type]
            assert b'"side":"end"' in reply.read()
        (line,) = own.lines(1)
        assert own.stop() == 0
        written = own.errors.read_text()
    assert (line["path"], line["status"], line["usage"]["completion_tokens"] > 0) == ("/v1/chat/completions", 200, True)
    assert len(written.splitlines()) == 1  # the page itself is not logged
    assert "secret" not in written


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(("settings", "status"), [(Settings(), 404), (Settings(inspect=True), 200)])
async def test_it_is_off_by_default(settings: Settings, status: int, anyio_backend: str) -> None:
    app = create_app(settings, OpenRequests())
    for path in ("/inspect", "/inspect/recent"):
        assert (await call(app, b"", path=path, method="GET", headers=HEADERS)).status == status
    assert (await call(app, b"", path="/inspector", method="GET", headers=HEADERS)).status == 404


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_servers_settings_hold_for_the_inspector(anyio_backend: str) -> None:
    settings = Settings(
        inspect=True,
        inspect_anywhere=True,
        strict=True,
        choices=2,
        max_body_bytes=500,
        model_aliases={"m": "caicaini/auto"},
        cors=("*",),
        api_key_header=True,
    )
    app = create_app(settings, OpenRequests())
    more: Any = {"path": "/inspect/translate", "headers": [(b"content-type", b"application/json"), (b"host", b"x")]}
    assert (await call(app, chat(seed=1), **more)).json()["refusal"]["param"] == "seed"
    answer = (await call(app, chat(n=2), **more)).json()
    assert answer["request"]["choices"] == 2
    assert '"model": "caicaini/auto",' in [line["text"] for line in answer["report"]["lines"]]
    large = await call(app, b" " * 501, **more)
    assert (large.status, "access-control-allow-origin" in large.headers) == (413, False)
    found = frames(await call(app, chat(**STREAM), path="/inspect/run", headers=HEADERS))
    assert found[-1]["record"]["status"] == 200


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_only_http_is_inspected(anyio_backend: str) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)
        raise TimeoutError

    app = create_app(Settings(inspect=True), OpenRequests())
    with pytest.raises(TimeoutError):
        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    assert sent[0] == {"type": "lifespan.startup.complete"}


@pytest.mark.parametrize(
    "code",
    [
        "from chatcompat import ChatCompatMiddleware, translate",
        "import chatcompat.asgi.middleware, chatcompat.upstream, chatcompat.prometheus, chatcompat.simulator",
        "from chatcompat.cli.serve_app import *; from chatcompat.cli.open_requests import *; "
        "create_app(Settings(), OpenRequests())",
    ],
)
def test_the_middleware_alone_imports_none_of_it(code: str) -> None:
    command = [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "chatcompat" in loaded
    assert [name for name in loaded if name.startswith("chatcompat.inspector")] == []


def test_the_page_is_small_and_has_no_build() -> None:
    sizes = {file.name: len(file.read_bytes()) for file in (files("chatcompat.inspector") / "static").iterdir()}
    assert {name.rpartition(".")[2] for name in sizes} == {"css", "html", "js", "json", "svg"}
    assert sum(sizes.values()) < 64 * 1024


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_docs_show_it_light_and_dark(scheme: str) -> None:
    """Made by `python docs/screenshots.py`."""
    picture = DOCS / "img" / f"inspector-{scheme}.webp"
    assert picture.read_bytes()[8:12] == b"WEBP"
    assert picture.stat().st_size < 200_000
    assert f"](img/{picture.name})" in (DOCS / "inspector.md").read_text()
