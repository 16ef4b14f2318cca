"""Hostile JSON of any size: each fill makes the text of one JSON value of about so many bytes."""

from collections.abc import Callable
from typing import Final

Fill = Callable[[int], bytes]

# Depths and digits that Python itself does not read: so that all sizes are on one side of these bounds.
UNREADABLE: Final = 1_200
MANY_DIGITS: Final = 4_400


def string_of(unit: str) -> Fill:
    """A string of one unit again and again; the unit is written as it stands in JSON."""
    raw = unit.encode()

    def fill(size: int) -> bytes:
        return b'"%b"' % (raw * max(1, size // len(raw)))

    return fill


def list_of(item: str, before: str = "", after: str = "") -> Fill:
    """A list of one item again and again; `#` in it becomes the item's number."""

    def fill(size: int) -> bytes:
        return before.encode() + b"[%b]" % many(item, size) + after.encode()

    return fill


def object_of(member: str, before: str = "", after: str = "") -> Fill:
    """An object of many members; `#` becomes the member's number."""

    def fill(size: int) -> bytes:
        return before.encode() + b"{%b}" % many(member, size) + after.encode()

    return fill


def digits(size: int) -> bytes:
    """A number that no integer type holds."""
    return b"1" * (MANY_DIGITS + size)


def many(item: str, size: int) -> bytes:
    """The items of a list or object, with commas between them."""
    width = len(item.encode()) + 1 + (4 if "#" in item else 0)
    count = max(1, size // width)
    if "#" not in item:
        return ",".join([item] * count).encode()
    return ",".join([item.replace("#", str(number)) for number in range(count)]).encode()


def nested(opening: str, closing: str, depth: int | None = None) -> Fill:
    """Nested as deep as there is room, or to `depth` and repeated in a list."""

    def fill(size: int) -> bytes:
        if depth is None:
            count = UNREADABLE + size // len(opening + closing)
            return (opening * count + "0" + closing * count).encode()
        return b"[%b]" % many(opening * depth + "0" + closing * depth, size)

    return fill


def in_object(fill: Fill) -> Fill:
    """The one value of an object."""
    return lambda size: b'{"a":%b}' % fill(size)


def quoted(fill: Fill) -> Fill:
    """The text of a JSON value in a JSON string, as the arguments of a call are written."""

    def fill_string(size: int) -> bytes:
        return b'"%b"' % fill(size).replace(b"\\", b"\\\\").replace(b'"', b'\\"')

    return fill_string


STRINGS: Final[dict[str, Fill]] = {
    "letters": string_of("a"),
    "quotes": string_of('\\"'),
    "backslashes": string_of("\\\\"),
    "spaces": string_of(" "),
    "semicolons": string_of(";"),
    "brackets": string_of("[{"),
    "colons": string_of('\\":'),
    "newlines": string_of("\\n"),
    "escapes": string_of("\\u0041"),
    "control characters": string_of("\\u0000"),
    "separators": string_of("\u2028"),
    "emoji": string_of("\U0001f642"),
    "error places": string_of(" - at `$."),
}

_DEEP = "[" * 140 + "]" * 140
# Values of any free JSON; all of them are objects, since only objects get far.
OBJECTS: Final[dict[str, Fill]] = {
    "deep lists": lambda size: b'{"a":%b}' % nested("[", "]")(size),
    "deep objects": nested('{"a":', "}"),
    "lists of depth 100": lambda size: b'{"a":%b}' % nested("[", "]", 100)(size),
    "objects of depth 100": lambda size: b'{"a":%b}' % nested('{"a":', "}", 100)(size),
    "empty objects": list_of("{}", '{"a":', "}"),
    "empty objects, a space before a colon": list_of("{}", '{"a" :', "}"),
    "empty lists and an escaped key": list_of("[]", '{"\\u0061":', "}"),
    "spaces before colons": object_of('"k#" :0'),
    "keys": object_of('"k#":0'),
    "equal keys": object_of('"a":0'),
    "escaped keys": object_of('"\\u006b#":0'),
    "digits": lambda size: b'{"a":%b}' % digits(size),
    "large numbers": list_of("123456789012345678901234567890", '{"a":', "}"),
    "small numbers": list_of("0", '{"a":', "}"),
    "floats": list_of("1e300", '{"a":', "}"),
    "spaces": lambda size: b'{"a":%b0}' % (b" " * size),
    "spaces behind a brace": lambda size: b'{%b"a":0}' % (b" " * size),
    "deep and a long string": lambda size: b'{"a":%b,"b":%b}' % (_DEEP.encode(), STRINGS["letters"](size)),
    "deep and long quotations": lambda size: b'{"a":%b,"b":%b}' % (_DEEP.encode(), STRINGS["quotes"](size)),
    "deep and many strings": list_of('"a"', '{"a":' + _DEEP + ',"b":', "}"),
    **{f"a string of {name}": in_object(fill) for name, fill in STRINGS.items()},
}

# JSON that is cut off, as a token limit leaves it.
CUT_OFF: Final[dict[str, Fill]] = {
    "cut off behind spaces": lambda size: b"{" + b" " * size,
    "cut off in a list": lambda size: b'{"a":[' + b"0," * (size // 2),
    "cut off in objects": lambda size: b'{"value":' * (size // 9),
    "cut off in a string": lambda size: b'{"value":"' + b"a" * size,
    "cut off in a number": lambda size: b'{"value":' + b"1" * size,
    "cut off in keys": lambda size: b"{" + many('"k#":0', size) + b",",
}


def _schema(rest: str) -> str:
    return '{"type":"object","additionalProperties":false,' + rest


def _chain(size: int) -> bytes:
    """Each definition refers to the next."""
    count = max(2, size // 32)
    links = [f'"d{number}":{{"$ref":"#/$defs/d{number + 1}"}}' for number in range(count - 1)]
    links.append(f'"d{count - 1}":{{"type":"string"}}')
    return (_schema('"properties":{"a":{"$ref":"#/$defs/d0"}},"$defs":{') + ",".join(links) + "}}").encode()


def _merged_references(size: int) -> bytes:
    """References to two large definitions with one property in common."""
    definitions = [
        f'"d{number}":{{"properties":{{"a":{{"type":"string","description":"{letter * (size // 2)}"}}}}}}'
        for number, letter in enumerate("xy")
    ]
    references = ",".join(f'{{"$ref":"#/$defs/d{number % 2}"}}' for number in range(99))
    return ('{"type":"object","allOf":[' + references + '],"$defs":{' + ",".join(definitions) + "}}").encode()


def _merged_branches(size: int) -> bytes:
    """Branches that all have one property, each in another form."""
    forms = ",".join(
        '{"properties":{"a":{"description":"%s"}}}' % (str(number) + "x" * (size // 190)) for number in range(190)
    )
    return ('{"type":"object","anyOf":[' + forms + "]}").encode()


def _branches_with(member: str, other: str = "") -> Fill:
    def fill(size: int) -> bytes:
        first, second = (many(each, size // 2).decode() for each in (member, other or member))
        return ('{"type":"object","anyOf":[{"properties":{' + first + '}},{"properties":{' + second + "}}]}").encode()

    return fill


def _required_in_branches(size: int) -> bytes:
    names = many('"k#"', size // 2).decode()
    return ('{"type":"object","anyOf":[{"required":[' + names + ']},{"required":[' + names + "]}]}").encode()


def _pointers(size: int) -> bytes:
    """References of many steps into a large schema."""
    steps = 99
    place = '{"a":' * steps + '{"type":"object","description":"' + "x" * size + '"}' + "}" * steps
    pointer = "#/$defs" + "/a" * (steps + 1)
    references = ",".join([f'{{"$ref":"{pointer}"}}'] * 99)
    return ('{"type":"object","allOf":[' + references + '],"$defs":{"a":' + place + "}}").encode()


def _doubling(size: int) -> bytes:
    """Each definition has the next one twice."""
    count = max(2, size // 70)
    definitions = [
        f'"d{number}":{{"allOf":[{{"$ref":"#/$defs/d{number + 1}"}},{{"$ref":"#/$defs/d{number + 1}"}}]}}'
        for number in range(count)
    ]
    return (
        '{"type":"object","allOf":[{"$ref":"#/$defs/d0"}],"$defs":{'
        + ",".join([*definitions, f'"d{count}":{{}}'])
        + "}}"
    ).encode()


def _nested_branches(size: int) -> bytes:
    """Branches in branches, with a large property in the innermost."""
    depth = 60
    inner = '{"properties":{"a":{"description":"' + "x" * size + '"}}}'
    return ('{"type":"object","anyOf":[' * depth + inner + "]}" * depth).encode()


SCHEMAS: Final[dict[str, Fill]] = {
    "chain of references": _chain,
    "references to two large definitions": _merged_references,
    "branches with one property": _merged_branches,
    "two branches of many properties": _branches_with('"k#":{"type":"string"}'),
    "two branches of many forms": _branches_with('"k#":{"type":"string"}', '"k#":{"type":"number"}'),
    "required in two branches": _required_in_branches,
    "references of many steps": _pointers,
    "definitions that double": _doubling,
    "nested branches": _nested_branches,
    "many definitions": object_of('"d#":{"type":"string"}', _schema('"properties":{},"$defs":'), "}"),
    "many properties": object_of('"k#":{"type":"string"}', _schema('"properties":'), "}"),
    "many references to one definition": object_of(
        '"k#":{"$ref":"#/$defs/d"}', _schema('"$defs":{"d":{"type":"string"}},"properties":'), "}"
    ),
    "many references from one definition": object_of(
        '"k#":{"$ref":"#/$defs/d#"}', _schema('"$defs":{"d":' + _schema('"properties":{}}') + '},"properties":'), "}"
    ),
    "required names": list_of('"k#"', _schema('"properties":{},"required":'), "}"),
    "equal required names": list_of('"k"', _schema('"properties":{},"required":'), "}"),
    "enum": list_of('"k#"', _schema('"properties":{"a":{"enum":'), "}}}"),
    "anyOf below the top": list_of('{"type":"string"}', _schema('"properties":{"a":{"anyOf":'), "}}}"),
    "anyOf at the top": list_of('{"properties":{"k#":{}}}', '{"type":"object","anyOf":', "}"),
    "allOf at the top": list_of('{"required":["k#"]}', '{"type":"object","allOf":', "}"),
    "deep properties": lambda size: (
        _schema('"properties":{"a":') * (size // 64) + "{}" + "}}" * (size // 64)
    ).encode(),
    "a format that is a list": list_of('"k#"', _schema('"properties":{"a":{"type":"string","format":'), "}}}"),
    "a type that is a list": list_of('"string"', _schema('"properties":{"a":{"type":'), "}}}"),
    "a long reference": lambda size: _schema('"properties":{"a":{"$ref":"#' + "/a" * (size // 2) + '"}}}').encode(),
}
