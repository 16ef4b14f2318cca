"""What stands at the leaves of generated requests and replies: small, and of the kinds that translations get wrong."""

import json
from typing import Any

from hypothesis import strategies as st

Strategy = st.SearchStrategy[Any]

ALPHABET = st.sampled_from([*"ab {}:,/<", '"', "\\", "\n", "\t", "\u00e9", "\u2028", "\u0085", "\U0001f642", "\x00"])
_WORDS = st.sampled_from(["a", "Hi there", " b ", "\U0001f642", 'say "x"\u2028'])
SPOKEN = _WORDS | st.builds("{}{}".format, st.text(ALPHABET, max_size=4), _WORDS)
"""Text that is no mere white space: the native side takes no other."""
TEXTS = SPOKEN | st.text(ALPHABET, max_size=6)

NATIVE_IDS = st.sampled_from(["toolu_1", "toolu_2", "call-3", "a", "a_2"])
IDS = NATIVE_IDS | st.sampled_from(["call:4", "call 4", "\u00e9", ""])
NATIVE_NAMES = st.sampled_from(["f", "get_weather", "respond_with_json"])
NAMES = NATIVE_NAMES | st.sampled_from(["do it!", "do.it!", "\u00e9", "x" * 129])

# ---------------------------------------------------------------- JSON

SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([2**63, 2**70, 0.1, 1e300, -0.0]) | TEXTS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=3)


@st.composite
def written(draw: st.DrawFn, values: Strategy) -> str:
    """A value as JSON text, in one of the ways that it is written."""
    loose = draw(st.booleans())
    return json.dumps(
        draw(values),
        ensure_ascii=draw(st.booleans()),
        indent=1 if loose else None,
        separators=None if loose else (",", ":"),
    )


@st.composite
def cut_off(draw: st.DrawFn, whole: Strategy) -> str:
    """The text of a call that a token limit cut off."""
    text = draw(whole)
    return str(text[: draw(st.integers(0, max(0, len(text) - 1)))])


ARGUMENTS = written(OBJECTS)
LOST_ARGUMENTS = ARGUMENTS | cut_off(ARGUMENTS)
ANY_ARGUMENTS = ARGUMENTS | LOST_ARGUMENTS | written(JSON) | TEXTS

# ---------------------------------------------------------------- JSON schemas

_KINDS = st.sampled_from(["string", "integer", "number", "boolean", "null"])


def _deeper(inner: Strategy) -> Strategy:
    return st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda members: {"anyOf": members}, st.lists(inner, min_size=1, max_size=2)),
        _objects_of(inner),
    )


def _objects_of(inner: Strategy) -> Strategy:
    return st.fixed_dictionaries(
        {
            "type": st.just("object"),
            "properties": st.dictionaries(st.sampled_from(["a", "b", "\u00e9 "]), inner, max_size=2),
        },
        optional={
            "required": st.just(["a"]),
            "additionalProperties": st.just(False),
            "description": TEXTS,
            "$comment": TEXTS,
        },
    )


SUBSCHEMAS = st.recursive(
    st.builds(lambda kind: {"type": kind}, _KINDS)
    | st.sampled_from([{"enum": ["a", 1]}, {"const": None}, {"type": ["string", "null"]}, {"$ref": "#/$defs/d"}, {}])
    | st.builds(lambda least: {"type": "integer", "minimum": least}, st.integers(0, 9)),
    _deeper,
    max_leaves=4,
)


@st.composite
def object_schemas(draw: st.DrawFn) -> Any:
    """A schema of an object, plain or with branches at its top, with what it refers to."""
    schema = draw(_objects_of(SUBSCHEMAS))
    branch = draw(st.sampled_from([None, None, "allOf", "anyOf", "oneOf"]))
    if branch is not None:
        schema[branch] = draw(
            st.lists(_objects_of(SUBSCHEMAS) | st.just({"$ref": "#/$defs/d"}), min_size=1, max_size=2)
        )
    if draw(st.booleans()):
        del schema["type"]
    return {**schema, "$defs": {"d": draw(_objects_of(st.just({"type": "string"})))}}


OBJECT_SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.just({}) | object_schemas()
SCHEMAS = OBJECT_SCHEMAS | SUBSCHEMAS

# ---------------------------------------------------------------- URLs and files

_PIXEL = "R0lGODlhAQABAAAAACw="
IMAGE_URLS = st.sampled_from(
    [
        "https://x.test/a.png?q=\u00e9&r=%20",
        "HTTP://x.test",
        f"data:image/png;base64,{_PIXEL}",
        f"data:image/jpg;charset=x;base64,{_PIXEL}",
        f"data:application/pdf;base64,{_PIXEL}",
        "data:text/plain;base64,aGk=",
    ]
)
URLS = IMAGE_URLS | st.sampled_from(
    [
        "",
        "ftp://x.test",
        "data:image/svg+xml;base64,eA==",
        "data:image/png;base64,",
        "data:text/plain;base64,!",
        "https://",
    ]
)
FILES = st.sampled_from([f"data:application/pdf;base64,{_PIXEL}", f"data:image/gif;base64,{_PIXEL}"])
FILE_NAMES = st.sampled_from(["a.pdf", "b.TXT", "\u00e9.png", "none", ""])
ANY_FILES = FILES | st.sampled_from([_PIXEL, "aGk=", "", "https://x.test/a.pdf", "data:text/csv;base64,eA=="])

# ---------------------------------------------------------------- numbers

INTS = st.integers(-1, 5) | st.sampled_from([1024, 4096, 100_000, 2**53, 2**63, 2**70])
FLOATS = st.sampled_from([0, 1, 0.5, 1.0, 1.5, 2, -1, 2.5, 1e300])
PORTIONS = st.sampled_from([0, 0.0, 0.25, 0.95, 1, 1.0])
TOKEN_LIMITS = st.sampled_from([1, 2, 1024, 2047, 2048, 2049, 4096, 100_000])
TIMES = st.just("2026-10-21T00:00:00Z")
