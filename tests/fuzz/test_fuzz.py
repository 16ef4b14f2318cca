"""The kept corpus, and new cases made from the golden files, from random bytes and from random conversations."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.mutators import ODD, mutate_json, mutate_stream
from tests.fuzz.targets import TARGETS, fuzz_exchange, fuzz_reply, fuzz_request, fuzz_stream

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "golden"
FUZZ = settings(max_examples=150, deadline=None, print_blob=True)
SEEDS = st.integers(0, 2**32)


def golden(pattern: str) -> st.SearchStrategy[bytes]:
    return st.sampled_from([path.read_bytes() for path in sorted(GOLDEN.glob(pattern))])


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_finds_nothing(name: str) -> None:
    corpus = sorted((HERE / "corpus" / name).iterdir())
    assert len(corpus) > 20
    for path in corpus:
        TARGETS[name](path.read_bytes())


@FUZZ
@given(golden("requests/*.chat.json"), SEEDS)
def test_any_change_of_a_request_is_translated_or_refused(request: bytes, seed: int) -> None:
    fuzz_request(mutate_json(request, seed) or b"")


@FUZZ
@given(golden("replies/*.message.json"), SEEDS)
def test_any_change_of_a_reply_is_translated_or_an_error(reply: bytes, seed: int) -> None:
    fuzz_reply(mutate_json(reply, seed) or b"")


@FUZZ
@given(golden("streams/*.events.sse"), SEEDS)
def test_any_change_of_a_stream_is_read_the_same_however_it_is_cut(stream: bytes, seed: int) -> None:
    fuzz_stream(mutate_stream(stream, seed) or stream[: seed % (len(stream) + 1)])


@FUZZ
@given(golden("*/*.*"), st.binary(max_size=9), st.integers(0, 5000))
def test_any_bytes_put_in_anywhere_are_no_crash(given: bytes, odd: bytes, at: int) -> None:
    changed = given[:at] + odd + given[at + len(odd) :]
    fuzz_request(changed)
    fuzz_reply(changed)
    fuzz_stream(changed[:2000])


@FUZZ
@given(st.lists(st.integers(0, 255), min_size=3, max_size=20))
def test_any_order_of_messages_keeps_to_the_protocol(steps: list[int]) -> None:
    fuzz_exchange(bytes(steps))


def test_mutations_are_deterministic_and_leave_other_bytes_than_json_alone() -> None:
    data = b'{"a":[1,{"b":null}]}'
    assert mutate_json(data, 7) == mutate_json(data, 7)
    assert len({mutate_json(data, seed) for seed in range(99)}) > len(ODD)
    assert mutate_json(b"nope", 7) is None
