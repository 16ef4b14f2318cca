"""Requests with many values in another form than the vendor's, see `chatcompat.request.lenient`."""

from typing import Final

from tests.cost.chats import MIB, USER, Make, chat
from tests.cost.fills import OBJECTS, STRINGS, Fill, many
from tests.cost.shapes import URLS

_CALLS: Final = (
    '{"role":"assistant","tool_calls":[{"id":"c","index":%s,"function":{"name":"f","arguments":%s}}]},'
    '{"role":"tool","tool_call_id":"c","content":"r"}'
)
_FLOAT: Final = ',"max_tokens":5.0'


def _turns(turn: str, rest: str = "") -> Make:
    return lambda size: chat(f"{USER},{many(turn, size).decode()}", rest)


def _arguments(fill: Fill) -> Make:
    return lambda size: chat(f"{USER},{_CALLS % (0, fill(size).decode())}")


def _image(fill: Fill) -> Make:
    part = '{"type":"image_url","image_url":%s}'
    return lambda size: chat(f'{{"role":"user","content":[{part % fill(size).decode()}]}}')


def _listed(field: str, item: str, most: int) -> Make:
    return lambda size: chat(USER, f',"{field}":[{many(item, min(size, most)).decode()}]')


FORMS: Final[dict[str, tuple[Make, int]]] = {
    **{f"arguments as an object: {name}": (_arguments(fill), MIB) for name, fill in OBJECTS.items()},
    **{f"image as a string: {name}": (_image(fill), MIB) for name, fill in {**URLS, **STRINGS}.items()},
    "arguments as objects": (_turns(_CALLS % (0, "{}")), MIB),
    "arguments as objects, and a float": (_turns(_CALLS % (0, "{}"), _FLOAT), MIB),
    "arguments as objects, and an unknown field": (_turns(_CALLS % (0, '{"a":1.50}'), ',"zz":1'), MIB),
    "floats as the index of calls": (_turns(_CALLS % ("0.0", '"{}"')), MIB),
    "a float beside many messages": (_turns(USER, _FLOAT), MIB),
    "a float beside an unknown field of many messages": (_turns('{"role":"user","content":"hi","u":0}', _FLOAT), MIB),
    "images as strings": (
        lambda size: chat(
            '{"role":"user","content":['
            + many('{"type":"image_url","image_url":"http://x"}', min(size, 20_000)).decode()
            + "]}"
        ),
        MIB,
    ),
    **{
        f"{field} as {item}{suffix}": (_listed(field, item, most), MIB)
        for field in ("tools", "functions", "tool_choice")
        for item in ('{"function":{"name":"f#"}}', '{"name":"f#","z":1}', "{}")
        for suffix, most in (("", MIB), (", a few", 20_000))
    },
}
