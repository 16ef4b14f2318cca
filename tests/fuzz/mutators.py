"""Mutations of JSON and of event streams. Random bytes are rarely valid JSON, so most would be refused at once."""

import json
import random
from typing import Any, Final

ODD: Final[list[Any]] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "\0",
    "\u2028\r\n",
    "data: [DONE]",
    [],
    {},
    [[]],
    {"a": 1},
]


def mutate_json(data: bytes, seed: int) -> bytes | None:
    """Remove, duplicate, move or replace one value of a JSON document. None if the bytes are not JSON."""
    chance = random.Random(seed)
    try:
        root = [json.loads(data)]
    except (ValueError, RecursionError):
        return None
    places = list(_places(root))
    for _ in range(chance.choice((1, 1, 2, 4))):
        parent, key = chance.choice(places)
        donor, other = chance.choice(places)
        try:
            _change(parent, key, donor[other], chance)
        except (KeyError, IndexError):
            continue  # an earlier change took it away
    if not root:
        return b""
    text = json.dumps(root[0], ensure_ascii=chance.random() < 0.5)
    return text.encode("utf-8", "surrogatepass")


def _change(parent: Any, key: Any, other: Any, chance: random.Random) -> None:
    kind = chance.randrange(5)
    if kind == 0:
        del parent[key]
    elif kind == 1:
        parent[key] = json.loads(json.dumps(other))
    elif kind == 2 and isinstance(parent, list):
        parent.insert(key, parent[key])
    elif kind == 3 and isinstance(parent, dict):
        parent[chance.choice((*parent, "type", "zz", "cache_control"))] = parent[key]
    else:
        parent[key] = chance.choice(ODD)


def _places(node: Any) -> Any:
    items = enumerate(node) if isinstance(node, list) else node.items() if isinstance(node, dict) else ()
    for key, child in list(items):
        yield node, key
        yield from _places(child)


def mutate_stream(data: bytes, seed: int) -> bytes | None:
    """One event of a stream taken out, doubled, moved, or its JSON changed."""
    chance = random.Random(seed)
    events = data.split(b"\n\n")
    place = chance.randrange(len(events))
    kind = chance.randrange(4)
    if kind == 0:
        del events[place]
    elif kind == 1:
        events.insert(chance.randrange(len(events) + 1), events[place])
    else:
        head, found, payload = events[place].partition(b"data: ")
        changed = mutate_json(payload, seed) if found else None
        if changed is None:
            return None
        events[place] = head + found + changed
    return b"\n\n".join(events)
