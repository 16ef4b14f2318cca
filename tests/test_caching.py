"""What a session of 30 turns reads from the prompt cache, and the table that says so."""

import asyncio
from functools import cache
from pathlib import Path

import pytest

from benchmarks.caching import MODES, SESSIONS, Session, Tokens, row, run

DOCUMENT = Path(__file__).parents[1] / "docs" / "caching.md"
GROWING, OF_PARTS, DROPPED, PAUSED, PAUSED_FOR_AN_HOUR = SESSIONS


@cache
def figures(session: Session) -> dict[str, Tokens]:
    return {mode: asyncio.run(run(session, mode)) for mode in MODES}


def test_a_session_reads_most_of_its_input_from_the_cache() -> None:
    read = {mode: tokens.share for mode, tokens in figures(GROWING).items()}
    assert read["off"] == 0
    assert read["breakpoints"] > 0.8
    assert read["automatic"] > 0.8


def test_breakpoints_read_more_with_long_turns_or_dropped_messages() -> None:
    for session in (OF_PARTS, DROPPED):
        read = {mode: tokens.share for mode, tokens in figures(session).items()}
        assert read["off"] == 0 < read["automatic"] < read["breakpoints"] - 0.1


def test_a_longer_lifetime_reads_more_across_pauses() -> None:
    assert figures(PAUSED)["breakpoints"].share < figures(PAUSED_FOR_AN_HOUR)["breakpoints"].share - 0.3


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session.name)
def test_the_documents_table_has_the_figures_of_the_command(session: Session) -> None:
    assert f"| {' | '.join(row(session, figures(session)))} |" in DOCUMENT.read_text(encoding="utf-8")
