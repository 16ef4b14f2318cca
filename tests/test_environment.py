"""The tests run anywhere: a proxy in the environment is not asked for what is on this machine."""

import ast
import os
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(__file__).parent
PROXIES = [name for base in ("http_proxy", "https_proxy", "all_proxy") for name in (base, base.upper())]
IN_CHILD = "import os; print([name for name in os.environ if name.lower().endswith('_proxy')])"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def test_a_server_on_this_machine_is_reached_directly() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/", timeout=10) as reply:
                assert reply.status == 204
        finally:
            server.shutdown()
    child = subprocess.run([sys.executable, "-c", IN_CHILD], capture_output=True, text=True, check=True)
    assert child.stdout == "[]\n"


def test_proxies_of_the_environment_are_not_asked() -> None:
    """The test above, with proxies that nobody runs. Without the options of this run: `--cov` would clear its data."""
    environment = os.environ | dict.fromkeys(PROXIES, "http://127.0.0.1:9") | {"PYTEST_ADDOPTS": ""}
    test = f"{__file__}::{test_a_server_on_this_machine_is_reached_directly.__name__}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=FOLDER.parent)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def is_unordered(argument: ast.expr) -> bool:
    """Whether parameters or their ids come from a set, or from an operation on keys, which gives one."""
    match argument:
        case ast.Set() | ast.SetComp() | ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.BinOp():
            return ".keys()" in ast.unparse(argument)
        case ast.List(elts) | ast.Tuple(elts):
            return any(is_unordered(part.value) for part in elts if isinstance(part, ast.Starred))
    return False


def test_no_parameters_come_from_a_set() -> None:
    """Its order differs from process to process, so that several could not share the tests."""
    found = [
        f"{path.name}:{node.lineno}"
        for path in FOLDER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.parametrize"
        for argument in (*node.args[1:], *(keyword.value for keyword in node.keywords))
        if is_unordered(argument)
    ]
    assert found == []
    assert is_unordered(ast.parse("[*A.keys() - {'a'}]", mode="eval").body)
