"""What real clients send is translated: requests that were recorded, sent again to the simulator."""

import re
from pathlib import Path

import msgspec
import pytest

from chatcompat import translate
from chatcompat.dialect import NATIVE_2026
from chatcompat.request.fields import FATES, Ignored
from tests.clients.recorded.clients import CLIENTS, HERE, NODE_CLIENTS, PYTHON_CLIENTS
from tests.clients.recorded.recording import HEADERS, clients, load
from tests.clients.recorded.replay import BOUNDS, replay, table
from tests.clients.recorded.scenarios import SCENARIOS

SHARE = 0.94
"""How many of all requests must pass `strict`, at least."""

LOST = {
    *(name for name, fate in FATES.items() if isinstance(fate, Ignored)),
    # A forced call excludes thinking, and some clients drop the text of a turn: its thinking is not found by the rest.
    *("reasoning_effort", "messages[].reasoning_details"),
}
"""What a request that does not pass may ask for: there is no native field for it."""

NOT_TAKEN_BY_THE_NEWEST = {"temperature", "top_p", "tool_choice", "response_format", "messages[].reasoning_content"}
"""What the newest models refuse. They take no forced calls, so that JSON of an open schema is only asked for."""

SECRETS = re.compile(rb"cai_api|\bBearer\b|\b(?:sk|pk|ghp|hf|xox[a-z])[-_][A-Za-z0-9]{12,}|eyJ[A-Za-z0-9_-]{20,}\.")
PATHS = re.compile(rb"/(?:root|home|Users|tmp|work|private)/")
PAGE = Path(__file__).parent.parent.parent / "docs" / "clients.md"


def test_enough_of_what_clients_send_passes_strict() -> None:
    outcomes = [outcome for client in CLIENTS for outcome in replay(client)]
    assert sum(outcome.passes for outcome in outcomes) >= SHARE * len(outcomes)


@pytest.mark.parametrize("client", CLIENTS)
def test_all_that_a_client_sends_is_answered(client: str) -> None:
    assert [outcome.request.scenario for outcome in replay(client) if outcome.status != 200] == []


@pytest.mark.parametrize("client", CLIENTS)
def test_strict_refuses_only_what_has_no_native_field(client: str) -> None:
    for outcome in replay(client):
        if not outcome.passes:
            assert outcome.strict_status == 400, outcome.request.scenario
            assert outcome.ignored
            assert set(outcome.ignored) <= LOST, outcome.request.scenario


@pytest.mark.parametrize("client", CLIENTS)
def test_all_that_a_client_sends_is_translated_for_the_newest_models(client: str) -> None:
    for request in load(client).requests:
        ignored = translate(bytes(request.body), dialect=NATIVE_2026, bounds=BOUNDS).ignored
        assert set(ignored) <= LOST | NOT_TAKEN_BY_THE_NEWEST, request.scenario


@pytest.mark.parametrize("client", CLIENTS)
def test_a_recording_holds_no_credential_and_no_path(client: str) -> None:
    recording = load(client)
    assert SECRETS.search(msgspec.json.encode(recording)) is None
    assert PATHS.search(msgspec.json.encode(recording)) is None
    for request in recording.requests:
        assert set(request.headers) <= set(HEADERS)
        assert (request.method, request.path) == ("POST", "/v1/chat/completions")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_recording_is_that_of_its_client(client: str) -> None:
    recording = load(client)
    first = (PYTHON_CLIENTS | NODE_CLIENTS)[client][0]
    assert recording.client == client
    assert first.startswith(next(iter(recording.packages)))
    assert {request.scenario for request in recording.requests} <= set(SCENARIOS)


def test_each_client_has_its_script_and_its_recording() -> None:
    assert clients() == sorted(CLIENTS)
    assert {path.stem for path in (HERE / "python").glob("use_*.py")} == {f"use_{name}" for name in PYTHON_CLIENTS}
    assert {path.stem for path in (HERE / "node").glob("use_*.js")} == {f"use_{name}" for name in NODE_CLIENTS}
    assert not set(PYTHON_CLIENTS) & set(NODE_CLIENTS)


def test_the_page_of_clients_has_the_table() -> None:
    shown = PAGE.read_text(encoding="utf-8").partition("<!-- recorded: made from tests.clients.recorded -->\n")[2]
    assert shown.partition("<!-- end of recorded -->")[0] == table(), f"put this between the marks:\n{table()}"
