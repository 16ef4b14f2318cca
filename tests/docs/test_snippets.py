"""Each snippet of the README and of the documentation runs, from the top of its page to the end, as a reader would.

A Python snippet that makes an `app` is asked for a whole reply and for a stream, and so is a server that a shell
snippet starts. The snippets behind it use that server. Hosts and files that a reader would replace are replaced here.
"""

import contextlib
import gc
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from chatcompat import ChatCompatMiddleware
from chatcompat.upstream import Upstream
from tests.docs.pages import DOCS, PAGES, README, Snippet, snippets
from tests.servers.running import HOST, ROOT, free_port, stop, wait_for
from tests.store.redis_server import redis_server

BIN = str(Path(sys.executable).parent)
REQUEST = {"model": "caicaini/auto", "messages": [{"role": "user", "content": "Hello"}]}
HEADERS = {"authorization": "Bearer my-key", "content-type": "application/json"}
ENVIRONMENT = os.environ | {
    "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    **{f"OTEL_{signal_}_EXPORTER": "none" for signal_ in ("TRACES", "METRICS", "LOGS")},
}
# What is installed is not installed again, and a virtual environment is there.
INSTALLS = re.compile(r"^(?:uv )?pip install [^&\n]*(?:&& )?|^(?:uv|python3 -m) venv.*\n|^source .*\n", re.MULTILINE)
SERVERS = re.compile(r"(?:^|\s)(?:chatcompat serve|uvicorn )")
SIMULATOR = "uvicorn --factory chatcompat.simulator:create_app"
CHAT_URL = "http://127.0.0.1:8000"
SHOWN = {"mermaid"}  # drawn by the reader's browser


def certificate(folder: Path) -> Path:
    """A certificate for this machine with its key, which is its own authority."""
    path = folder / "certificate.pem"
    options = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    options += ["-addext", f"subjectAltName=DNS:localhost,IP:{HOST}", "-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run(["openssl", "req", "-x509", *options], check=True, capture_output=True)
    with path.open("a") as file:
        file.write(Path(f"{path}.crt").read_text())
    return path


@contextmanager
def serving(command: str, folder: Path) -> Iterator[int]:
    """Run the command of a server until it serves, and give its port."""
    port = free_port()
    ports = {"UVICORN_PORT": str(port), "CHATCOMPAT_PORT": str(port)}
    more: dict[str, Any] = {"cwd": folder, "env": ENVIRONMENT | ports, "start_new_session": True}
    with (
        (folder / f"log-{port}").open("w") as log,
        subprocess.Popen(["bash", "-euc", command], stdout=log, stderr=log, **more) as process,
    ):
        try:
            wait_for(port)
            assert process.poll() is None, Path(log.name).read_text()
            yield port
        finally:
            os.killpg(process.pid, signal.SIGINT)
            stop(process, signal.SIGINT)


class Services:
    """Servers that are started when a page first needs them."""

    def __init__(self, folder: Path, resources: ExitStack) -> None:
        self._folder = folder
        self._resources = resources

    def start(self, command: str) -> str:
        return f"{HOST}:{self._resources.enter_context(serving(command, self._folder))}"

    @cached_property
    def messages(self) -> str:
        return f"http://{self.start(SIMULATOR)}"

    @cached_property
    def chat(self) -> str:
        return f"http://{self.start('chatcompat serve')}"

    @cached_property
    def certificate(self) -> str:
        return str(certificate(self._folder))

    @cached_property
    def tls(self) -> str:
        path = self.certificate
        options = f"--ssl-certfile {path} --ssl-keyfile {path} --ssl-ca-certs {path} --ssl-cert-reqs 1"
        return f"https://{self.start(f'{SIMULATOR} {options}')}".replace(HOST, "localhost")

    @cached_property
    def redis(self) -> str:
        return self._resources.enter_context(redis_server(self._folder)).url


# What a reader would replace, and what the tests have in its place.
REPLACED: dict[str, Callable[[Services], str]] = {
    "https://messages.example": lambda services: services.messages,
    "http://127.0.0.1:8080": lambda services: services.messages,
    "https://messages.internal": lambda services: services.tls,
    "/etc/ssl/private-ca.pem": lambda services: services.certificate,
    "/etc/ssl/client.pem": lambda services: services.certificate,
    "redis://127.0.0.1:6379/0": lambda services: services.redis,
    "workers 4": lambda _: "workers 2",
    "workers = 4": lambda _: "workers = 2",
}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with ExitStack() as resources:
        yield Services(tmp_path_factory.mktemp("services"), resources)


class Reader:
    """Runs the snippets of one page in a clone, and keeps the server of the last command that started one."""

    def __init__(self, folder: Path, services: Services, server: ExitStack) -> None:
        self.folder = folder
        self.services = services
        self.server = server
        self.chat_url: str | None = None
        (folder / "examples").symlink_to(ROOT / "examples")

    def read(self, snippet: Snippet) -> None:
        code = self.replace(snippet.code)
        if snippet.file is not None:
            (self.folder / snippet.file).write_text(code)
        run: dict[str, Callable[[str], object]] = {
            "python": lambda code: self.run_python(self.replace(snippet.setup), code),
            "sh": self.run_shell,
            "json": json.loads,
            "yaml": yaml.safe_load,
            "toml": self.run_toml,
        }
        run[snippet.language](code)

    def replace(self, code: str) -> str:
        for text, to_real in REPLACED.items():
            if text in code:
                code = code.replace(text, to_real(self.services))
        if CHAT_URL in code:
            code = code.replace(CHAT_URL, self.chat_url or self.services.chat)
        return code

    def run_python(self, setup: str, code: str) -> None:
        namespace: dict[str, Any] = {"__name__": "__main__"}
        output = io.StringIO()
        try:
            with contextlib.redirect_stdout(output):
                exec(setup, namespace)
                exec(compile(code, "snippet", "exec"), namespace)
        finally:
            if (client := namespace.get("client")) is not None:
                client.close()
        assert output.getvalue().strip() or "print(" not in code or "def " in code
        if "app" in namespace:
            ask_app(namespace["app"], "/compat" if '"/compat"' in code else "")

    def run_shell(self, code: str) -> None:
        if "curl " in code and shutil.which("curl") is None:
            pytest.skip("needs curl")
        command = INSTALLS.sub("", code)
        if SERVERS.search(command):
            self.server.close()
            port = self.server.enter_context(serving(command, self.folder))
            self.chat_url = f"http://{HOST}:{port}"
            ask_server(port)
        else:
            more: dict[str, Any] = {"cwd": self.folder, "env": ENVIRONMENT, "timeout": 300}
            ran = subprocess.run(["bash", "-euc", command], capture_output=True, text=True, check=False, **more)
            assert ran.returncode == 0, ran.stdout + ran.stderr
            assert ran.stdout or not command.strip()

    def run_toml(self, code: str) -> None:
        assert tomllib.loads(code)
        path = self.folder / "configuration.toml"
        path.write_text(code)
        with serving(f"CHATCOMPAT_CONFIG={path} chatcompat serve", self.folder) as port:
            ask_server(port)


def ask_app(app: Any, prefix: str) -> None:
    with TestClient(app, headers=HEADERS) as client:
        path = f"{prefix}/v1/chat/completions"
        assert client.post(path, json=REQUEST).json()["choices"][0]["finish_reason"] == "stop"
        assert client.post(path, json=REQUEST | {"stream": True}).text.endswith("data: [DONE]\n\n")
    with warnings.catch_warnings():  # aiohttp closes TLS a little later, and the client's event loop has ended
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def ask_server(port: int) -> None:
    for stream, end in ((False, b"}"), (True, b"data: [DONE]\n\n")):
        body = json.dumps(REQUEST | {"stream": stream}).encode()
        request = urllib.request.Request(f"http://{HOST}:{port}/v1/chat/completions", body, HEADERS)
        with urllib.request.urlopen(request, timeout=60) as response:
            assert response.read().endswith(end)


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if any(snippets(page))])
def test_each_snippet_of_a_page_runs(name: str, tmp_path: Path, services: Services) -> None:
    with ExitStack() as server:
        reader = Reader(tmp_path, services, server)
        for snippet in snippets(PAGES[name]):
            if snippet.language in SHOWN or snippet.not_run:
                continue
            try:
                reader.read(snippet)
            except Exception as error:
                error.add_note(f"{name}, line {snippet.line}")
                raise


def test_the_reasons_of_failed_connections_are_explained(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    addresses = {
        "self-signed certificate": services.tls,
        "WRONG_VERSION_NUMBER": services.messages.replace("http:", "https:"),
        "ServerDisconnectedError": services.tls.replace("https:", "http:"),
        "Connection refused": f"http://{HOST}:{free_port()}",
    }
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    for reason, url in addresses.items():
        with TestClient(ChatCompatMiddleware(Upstream(url)), headers=HEADERS) as client:
            assert client.post("/v1/chat/completions", json=REQUEST).status_code == 502
        logged = [record.getMessage() for record in caplog.records if record.name == "chatcompat.upstream"]
        assert reason in logged[-1]
        assert f"`{reason}`" in text


def test_what_is_not_run_is_known() -> None:
    """A snippet that only shows something needs a reason, and this list."""
    not_run = {(name, one.not_run) for name, page in PAGES.items() for one in snippets(page) if one.not_run}
    assert not_run == {
        ("README.md", "runs this test"),
        ("caching.md", "a test compares each row with the command"),
        ("clients.md", "makes seven environments; CI runs it"),
        ("commands.md", "asks a remote service; tests/cli/test_translate.py does so with one of its own"),
        ("commands.md", "runs pytest within pytest; tests/check/test_pytest_plugin.py does so"),
        ("options.md", "needs `--count-tokens`; tests/asgi/test_count_tokens.py posts such a body"),
        ("remote.md", "builds llama.cpp from source"),
        ("scale-out.md", "needs Ray; tests/servers/test_ray_serve.py starts it by `pytest -m ray`"),
        ("speed.md", "compiles for a minute; CI does so"),
    }


def test_each_extra_and_group_that_a_page_installs_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    texts = [page.read_text(encoding="utf-8") for page in PAGES.values()]
    found = [names for text in texts for names in re.findall(r"'[\w.]+\[([\w,]+)\]'", text)]
    extras = {extra for names in found for extra in names.split(",")}
    groups = {group for text in texts for group in re.findall(r"--group (\w+)", text)}
    assert extras
    assert groups
    assert extras - set(project["project"]["optional-dependencies"]) == set()
    assert groups - set(project["dependency-groups"]) == set()


def test_the_service_in_the_readme_is_the_example() -> None:
    example = (ROOT / "examples" / "fastapi_service.py").read_text(encoding="utf-8").partition('"""\n\n')[2]
    assert [one.code for one in snippets(README) if one.file == "service.py"] == [f"# service.py\n{example}"]
