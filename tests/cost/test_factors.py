"""Requests that were found to cost many times what msgspec alone takes: the work for each of their bytes stays low."""

from functools import partial
from typing import Final

import pytest

from chatcompat.wire.chat_request import ChatCompletionRequest
from tests.cost.counting import work_of
from tests.cost.requests import KNOWN
from tests.cost.shapes import places
from tests.cost.turns import turns
from tests.cost.ways import REQUEST_WAYS

SIZE: Final = 32_000
# Before the work was cut, each was above its limit. The counts are nearly the same on all versions of Python. Those of
# tools were taken before new tools were copied to be remembered, which is up to two for each byte.
MOST_WORK: Final = {
    "parameters: two branches of many properties": 10.8,  # 9.0 when the form of each property was hashed
    "parameters: two branches of many forms": 12.2,  # 11.2 before references into branches were looked for
    "file: quotes": 4.5,  # 6.1 when data that are not base64 were read to the end
    "file: colons": 4.5,  # 6.1
    "image parts": 3.5,  # 5.5 without a bound on files
    "unknown field beside empty messages": 7.0,  # 9.0 when each message was looked into
    "unknown field beside parts": 6.5,  # 9.4
    "a role": 6.5,  # 17.1 when all forms of a request were tried in which a word is refused
    "a role beside an unknown field": 10.5,  # 17.0
    "a type of a tool": 9.5,  # 20.0
    "details of content": 5.0,  # 5.4 when steps were searched in the empty places of all entries
    "details of no length": 3.5,  # 4.7
    "details of calls": 3.6,  # 4.4
    "details of encrypted thinking": 4.5,  # 4.8
    "an id of many steps": 4.5,  # 12.5 without a bound on places
    "ids of many places": 4.0,  # 17.6
    "tools of names that are not native": 10.2,  # 11.7 when each left the fast path
    "arguments as objects, and an unknown field": 5.8,  # 6.2 when calls of one id left the fast path
    "arguments as objects, and a float": 5.9,  # 6.5
    "native tools": 10.2,  # 8.8 when each was decoded to see what it is
    "native toolsets": 11.5,  # 10.2
    "response_format: definitions that double": 10.5,  # 11.7 when its depth was measured twice
}


@pytest.mark.parametrize("name", MOST_WORK)
def test_a_factor_that_was_cut_stays_so(name: str) -> None:
    pieces = [KNOWN[name][0](SIZE)]
    run = partial(REQUEST_WAYS["native"].run, pieces)
    run()  # what is made once is made now
    assert work_of(run) < MOST_WORK[name] * len(pieces[0])


TURNS: Final = 4_000  # bytes
MOST_WORK_OF_TURNS: Final = 10.0  # 12.4 when each object with an unknown field was written again


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant", "tool", "function"])
def test_a_field_of_each_turn_costs_little(role: str) -> None:
    found = [place for place in places(ChatCompletionRequest) if place.name.startswith(f"messages[]<{role}>")]
    dear = {}
    for shape in turns(found):
        run = partial(REQUEST_WAYS["native"].run, [shape.make(TURNS)])
        run()  # what is made once is made now
        if (work := work_of(run)) > MOST_WORK_OF_TURNS * TURNS:
            dear[shape.name] = work
    assert dear == {}
