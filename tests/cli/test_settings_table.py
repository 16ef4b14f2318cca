"""Each option of `chatcompat serve` in the file, with a value of each type. A new option joins by itself."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from chatcompat.cli.serve import serve
from tests.cli.in_process import Command

OPTIONS = {name.replace("_", "-"): parameter.default for name, parameter in inspect.signature(serve).parameters.items()}
VALUES: dict[str, Any] = {
    "true": True,
    "3": 3,
    "1.5": 1.5,
    '"words"': "words",
    "1979-05-27": None,
    "[1]": [1],
    "[[]]": [[]],
    '["a", 1]': ["a", 1],
    "{a = 1}": {},
    "[true]": [True],
}
# Options whose default is None: what they are instead.
LISTS = {"cors", "model-alias", "models"}


def fits(option: str, value: Any) -> bool:
    default = OPTIONS[option]
    if isinstance(default, float):
        return type(value) in (int, float)
    if default is None:
        return isinstance(value, str)
    return type(value) is type(default)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("option", OPTIONS)
def test_a_value_of_the_wrong_type_names_the_file_and_the_key(option: str, command: Command) -> None:
    for written, value in VALUES.items():
        if fits(option, value) or (option == "models" and isinstance(value, dict)):
            continue
        status, printed = command.run(text=f"[serve]\n{option} = {written}\n")
        assert (status, printed.startswith(f"chatcompat: chatcompat.toml: {option} in [serve] must be ")) == (2, True)
    assert not command.served


@pytest.mark.parametrize("beside", ["[models]\na = 'b'\n", ""])
@pytest.mark.parametrize("value", ["3", "[3]", "{a = 1}", "true"])
def test_a_wrong_list_of_aliases_beside_a_table_of_models(beside: str, value: str, command: Command) -> None:
    status, printed = command.run(text=f"[serve]\nmodel-alias = {value}\n{beside}")
    assert (status, "chatcompat.toml: model-alias in [serve] must be a list of strings" in printed) == (2, True)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("serve = 3", "'serve' must be a table, [serve]"),
        ("[[serve]]\nport = 1", "'serve' must be a table, [serve]"),
        ("models = 3", "'models' outside [serve] must be a table, [models]"),
        ("[models]\na = 3", "'a' in [models] must be the name of a native model, not 3"),
        ("[models]\n'' = 'b'", "'' in [models] must be the name of a native model"),
        ("[serve.models]\na = ''", "'a' in [models] must be the name of a native model, not ''"),
        ("[serve.cors]\na = 1", "cors in [serve] must be a list of strings"),
        ("[serve]\nPORT = 1", "[serve] has no option 'PORT'"),
        ("[serve]\nlog_level = 'info'\nlog-level = 'debug'", "[serve] has both 'log_level' and 'log-level'"),
        ("[other]\na = 1", "has 'other' outside the table [serve]"),
        ("[serve", "is not TOML"),
        ("[serve]\nport = 70000", "port"),
        ("[serve]\ndialect = 'words'", "dialect"),
    ],
)
def test_what_the_file_must_not_have(text: str, fragment: str, command: Command) -> None:
    status, printed = command.run(text=text)
    words = re.sub(r"\s*│\n│\s*|\s+", "", printed)  # one of the command line's library is in a box
    assert (status, "chatcompat.toml" in words) == (2, True), printed
    assert fragment.replace(" ", "") in words


@pytest.mark.parametrize("option", ["access-log", "strict", "path-hints"])
@pytest.mark.parametrize("value", ["true", "false"])
def test_a_flag_that_turns_an_option_off_is_no_variable(
    option: str, value: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    negative = f"no-{option}"
    status, printed = command.run(text=f"[serve]\n{negative} = {value}\n")
    assert (status, printed) == (
        2,
        f"chatcompat: chatcompat.toml: [serve] has no option {negative!r}; set {option} = false\n",
    )
    variable = option.upper().replace("-", "_")
    monkeypatch.setenv(f"CHATCOMPAT_NO_{variable}", value)
    status, printed = command.run(text="")
    assert (status, printed.endswith(f"is not an option of serve; set CHATCOMPAT_{variable}=false\n")) == (2, True)
    assert command.run(f"--{negative}", text="")[0] == 2
    monkeypatch.delenv(f"CHATCOMPAT_NO_{variable}")
    assert command.run(f"--{negative}", text="")[0] == 0


def test_a_file_that_is_no_text_or_cannot_be_read(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (command.folder / "chatcompat.toml").write_bytes(b"\xff")
    assert command.run() == (2, f"chatcompat: chatcompat.toml is not TOML: {_invalid()}\n")

    def fail(path: Path, encoding: str) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", fail)
    assert command.run() == (2, "chatcompat: chatcompat.toml cannot be read: Permission denied\n")


def _invalid() -> str:
    try:
        b"\xff".decode()
    except UnicodeDecodeError as error:
        return str(error)
    raise AssertionError


def test_what_the_file_may_have(command: Command) -> None:
    text = "[serve]\nport = 0\nidle_timeout = 5\nmodel-alias = 'x=y'\n[serve.models]\na = 'b'\n[models]\nc = 'd'\n"
    assert command.run("--no-strict", text=text) == (0, "")
    [config] = command.served
    assert (config.settings.model_aliases, config.settings.idle_timeout) == ({"x": "y", "a": "b", "c": "d"}, 5)


def test_variables_and_the_path_of_the_file(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATCOMPAT_STIRCT", "true")
    status, printed = command.run()
    assert (status, printed) == (
        2,
        "chatcompat: the environment variable CHATCOMPAT_STIRCT is not an option of serve; "
        "did you mean CHATCOMPAT_STRICT?\n",
    )
    monkeypatch.delenv("CHATCOMPAT_STIRCT")
    monkeypatch.setenv("CHATCOMPAT_CONFIG", "missing.toml")
    assert command.run() == (2, "chatcompat: CHATCOMPAT_CONFIG names 'missing.toml', which is not a file\n")


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        (["--host", ""], "--host must not be empty"),
        (["--cors", "https://a.example/path"], "--cors must be"),
        (["--root-path", "llm"], "--root-path must begin"),
        (["--models", ""], "--models must not have an empty name"),
        (["--model-alias", "x"], "--model-alias must be CHAT=NATIVE"),
        (["--store", "http://a"], "--store must be the URL of a Redis server"),
        (["--upstream", "nowhere"], "--upstream: url must begin with"),
        (["--ssl-keyfile", "k"], "--ssl-keyfile needs --ssl-certfile"),
        (["--ssl-certfile", "k"], "--ssl-certfile k and --ssl-keyfile k cannot be loaded: No such file"),
        (["--workers", "2", "--metrics"], "set PROMETHEUS_MULTIPROC_DIR to an empty directory"),
    ],
)
def test_what_the_command_line_must_not_have(options: list[str], fragment: str, command: Command) -> None:
    status, printed = command.run(*options)
    assert (status, fragment in printed) == (2, True)


def test_any_number_of_origins_may_call_the_server(command: Command) -> None:
    origins = ("https://a.example", "app://obsidian.md", "*")
    assert command.run(*(word for origin in origins for word in ("--cors", origin))) == (0, "")
    assert command.served[-1].settings.cors == origins


def test_a_folder_for_metrics_that_is_none(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "missing")
    status, printed = command.run("--metrics")
    assert (status, "PROMETHEUS_MULTIPROC_DIR must be a directory" in printed) == (2, True)


def test_an_upstream_with_an_endpoint_is_shortened_with_a_word(command: Command) -> None:
    for url in ("http://a/v1", "http://a/v1/messages", "http://a/v1/chat/completions/", "http://a"):
        status, printed = command.run("--upstream", url, "--otel", "--store", "redis://127.0.0.1")
        assert (status, command.served[-1].settings.upstream) == (0, "http://a")
        assert ("is left out, since /v1/messages is added" in printed) == (url != "http://a")
