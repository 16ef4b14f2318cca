"""Requests that are known to be costly, and their kind: what a walk along the types does not come upon."""

from typing import Final

from tests.cost.chats import CALL, MIB, USER, Make, chat
from tests.cost.details import DETAILS
from tests.cost.fills import CUT_OFF, OBJECTS, SCHEMAS, STRINGS, Fill, many, nested, quoted
from tests.cost.forms import FORMS
from tests.cost.shapes import URLS, Shape

_TOOLS: Final = ',"tools":[{"type":"function","function":{"name":"f"}}]'


def _answered(call_id: str, result_id: str = "") -> Make:
    """One assistant message of many calls, and a result of each."""

    def make(size: int) -> bytes:
        count = max(1, size // 130)
        numbers = range(count)
        calls = ",".join(CALL % call_id.replace("#", str(number)) for number in numbers)
        name = result_id or call_id
        results = ",".join(
            f'{{"role":"tool","tool_call_id":"{name.replace("#", str(number))}","content":"ok"}}' for number in numbers
        )
        return chat(f'{USER},{{"role":"assistant","tool_calls":[{calls}]}},{results}')

    return make


def _answered_backwards(size: int) -> bytes:
    count = max(1, size // 130)
    calls = ",".join(CALL % number for number in range(count))
    results = ",".join(f'{{"role":"tool","tool_call_id":"{number}"}}' for number in reversed(range(count)))
    return chat(f'{USER},{{"role":"assistant","tool_calls":[{calls}]}},{results}')


def _turns_of_one_id(size: int) -> bytes:
    """The same id in every turn, and one that is made from it."""
    turn = (
        '{"role":"assistant","tool_calls":[' + CALL % "c" + "," + CALL % "c_2" + "]},"
        '{"role":"tool","tool_call_id":"c"},{"role":"tool","tool_call_id":"c_2"}'
    )
    return chat(f"{USER},{','.join([turn] * max(1, size // len(turn)))}")


def _clashing_ids(size: int) -> bytes:
    """Ids that the ids of later calls would be given."""
    count = max(2, size // 260)
    ids = [f"c_{number}" for number in range(2, count)] + ["c"] * count
    calls = ",".join(CALL % call_id for call_id in ids)
    results = ",".join(f'{{"role":"tool","tool_call_id":"{call_id}"}}' for call_id in ids)
    return chat(f'{USER},{{"role":"assistant","tool_calls":[{calls}]}},{results}')


def _function_calls(size: int) -> bytes:
    """Legacy calls without a result between them, all of one name; then the results."""
    count = max(1, size // 130)
    calls = ",".join(['{"role":"assistant","function_call":{"name":"f","arguments":"{}"}}'] * count)
    results = ",".join(['{"role":"function","name":"f","content":"ok"}'] * count)
    return chat(f"{USER},{calls},{results}")


def _call_messages(size: int) -> bytes:
    """Many assistant messages of one call each, then the results."""
    count = max(1, size // 150)
    calls = ",".join(f'{{"role":"assistant","tool_calls":[{CALL % number}]}}' for number in range(count))
    results = ",".join(f'{{"role":"tool","tool_call_id":"{number}"}}' for number in range(count))
    return chat(f"{USER},{calls},{results}")


def _schema(fill: Fill) -> Make:
    return lambda size: chat(
        USER,
        ',"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":' + fill(size).decode() + "}}",
    )


def _parameters(fill: Fill) -> Make:
    return lambda size: chat(
        USER, ',"tools":[{"type":"function","function":{"name":"f","parameters":' + fill(size).decode() + "}}]"
    )


def _arguments(fill: Fill) -> Make:
    call = '{"id":"c","type":"function","function":{"name":"f","arguments":%s}}'
    return lambda size: chat(
        f'{USER},{{"role":"assistant","tool_calls":[{call % quoted(fill)(size).decode()}]}},'
        '{"role":"tool","tool_call_id":"c"}'
    )


def _native_tool(fill: Fill) -> Make:
    return lambda size: chat(USER, ',"tools":[{"name":"f","input_schema":' + fill(size).decode() + "}]")


def _image(fill: Fill) -> Make:
    return lambda size: chat(
        '{"role":"user","content":[{"type":"image_url","image_url":{"url":' + fill(size).decode() + "}}]}"
    )


def _file(fill: Fill, name: str = "a.pdf") -> Make:
    return lambda size: chat(
        '{"role":"user","content":[{"type":"file","file":{"filename":"'
        + name
        + '","file_data":'
        + fill(size).decode()
        + "}}]}"
    )


def _parts(part: str, role: str = "user") -> Make:
    return lambda size: chat(f'{{"role":"{role}","content":[{many(part, size).decode()}]}},{USER}')


def _messages(turn: str, last: str = USER, first: str = USER) -> Make:
    return lambda size: chat(f"{first},{many(turn, size).decode()},{last}")


def _unknown(value: Fill) -> Make:
    return lambda size: chat('{"role":"user","content":' + value(size).decode() + "}", ',"zz":1')


def _tools(tool: str, rest: str = "", most: int = 1024) -> Make:
    def make(size: int) -> bytes:
        count = max(1, min(most, size // len(tool)))
        pad = "x" * max(0, (size - count * len(tool)) // count)
        tools = ",".join(tool.replace("#", str(number)).replace("PAD", pad) for number in range(count))
        return chat(USER, ',"tools":[' + tools + "]" + rest)

    return make


def _field(name: str, fill: Fill) -> Make:
    return lambda size: chat(USER, f',"{name}":{fill(size).decode()}')


# Those of the first measurement by name, then the rest of each kind.
KNOWN: Final[dict[str, tuple[Make, int]]] = {
    "calls of one id": (_answered("c"), 32 * MIB),
    "calls of one id that is not native": (_answered("c:d"), MIB),
    "calls of different ids": (_answered("call_#"), 4 * MIB),
    "calls answered backwards": (_answered_backwards, 4 * MIB),
    "calls in many turns of one id": (_turns_of_one_id, 4 * MIB),
    "calls whose ids clash": (_clashing_ids, MIB),
    "function calls of one name": (_function_calls, 4 * MIB),
    "messages of one call": (_call_messages, 4 * MIB),
    "calls without an answer": (
        lambda size: chat(f'{USER},{{"role":"assistant","tool_calls":[{many(CALL % "c#", size).decode()}]}}'),
        4 * MIB,
    ),
    **{f"response_format: {name}": (_schema(fill), MIB) for name, fill in {**SCHEMAS, **OBJECTS}.items()},
    **{f"parameters: {name}": (_parameters(fill), MIB) for name, fill in {**SCHEMAS, **OBJECTS}.items()},
    **{f"native tool: {name}": (_native_tool(fill), MIB) for name, fill in {**SCHEMAS, **OBJECTS}.items()},
    **{f"arguments: {name}": (_arguments(fill), MIB) for name, fill in {**OBJECTS, **CUT_OFF}.items()},
    **{f"image: {name}": (_image(fill), MIB) for name, fill in {**URLS, **STRINGS}.items()},
    **{f"file: {name}": (_file(fill), MIB) for name, fill in {**URLS, **STRINGS}.items()},
    "32 MB: arguments, deep and a long string": (_arguments(OBJECTS["deep and a long string"]), 32 * MIB),
    "32 MB: arguments, deep and quotations": (_arguments(OBJECTS["deep and long quotations"]), 30 * MIB),
    "32 MB: image, data: and semicolons": (_image(URLS["data: and semicolons"]), 32 * MIB),
    "32 MB: file, data: and semicolons": (_file(URLS["data: and semicolons"]), 32 * MIB),
    "32 MB: empty objects, a space before a colon": (
        _parameters(OBJECTS["empty objects, a space before a colon"]),
        32 * MIB,
    ),
    "32 MB: lists of depth 400 beside an unknown field": (_unknown(nested("[", "]", 400)), 32 * MIB),
    "unknown fields of the request": (lambda size: chat(USER, "," + many('"u#":0', size).decode()), 18 * MIB),
    "unknown fields of one message": (
        lambda size: chat('{"role":"user","content":"hi",' + many('"u#":0', size).decode() + "}"),
        18 * MIB,
    ),
    "unknown fields of many messages": (_messages('{"role":"user","content":"hi","u#":0}'), MIB),
    "an unknown field of many messages": (_messages('{"role":"user","content":"hi","u":0}'), 2 * MIB),
    "an unknown field of many calls": (
        lambda size: chat(
            f'{USER},{{"role":"assistant","tool_calls":['
            + many(CALL % "c#" + "", size).decode().replace('"type"', '"u":[],"type"')
            + "]}"
        ),
        MIB,
    ),
    "an unknown list of many messages": (_messages('{"role":"user","content":[],"u":[1]}'), 2 * MIB),
    "unknown fields in many parts": (_parts('{"type":"text","text":"hi","u#":0}'), 4 * MIB),
    "copies of a message's field in many parts": (
        lambda size: chat(
            f'{USER},{{"role":"assistant","refusal":"{"r" * (size // 2)}","content":['
            + many('{"type":"text","text":"hi","refusal":"r"}', size // 2).decode()
            + "]}"
        ),
        4 * MIB,
    ),
    "fields of a message in another": (
        lambda size: chat(
            f'{USER},{{"role":"assistant","provider_specific_fields":{{"reasoning_details":['
            + many('{"type":"reasoning.text","text":"t","signature":"s"}', size).decode()
            + "]}}"
        ),
        4 * MIB,
    ),
    "copies of the tools in many messages": (
        lambda size: chat(many(USER[:-1] + _TOOLS + "}", size).decode(), _TOOLS),
        MIB,
    ),
    "messages whose names differ": (_messages('{"role":"system","name":"n#","content":"hi"}'), MIB),
    "unknown fields beside lists of depth 100": (_unknown(nested("[", "]", 100)), 4 * MIB),
    "unknown field beside parts": (
        lambda size: chat(
            '{"role":"user","content":[' + many('{"type":"text","text":"hi"}', size).decode() + "]}", ',"zz":1'
        ),
        4 * MIB,
    ),
    "unknown field beside empty messages": (
        lambda size: chat(many('{"role":"user","content":"hi"}', size).decode(), ',"zz":1'),
        2 * MIB,
    ),
    "equal fields beside an unknown one": (
        lambda size: chat(USER, ',"zz":1,' + many('"user":"u"', size).decode()),
        4 * MIB,
    ),
    **DETAILS,
    **FORMS,
    "text parts": (_parts('{"type":"text","text":"a"}'), 32 * MIB),
    "marked parts": (_parts('{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}'), 4 * MIB),
    "refusal parts": (_parts('{"type":"refusal","refusal":"a"}', "assistant"), 4 * MIB),
    "image parts": (_parts('{"type":"image_url","image_url":{"url":"http://x"}}'), 4 * MIB),
    "data parts": (_parts('{"type":"image_url","image_url":{"url":"data:image/png;base64,A"}}'), 4 * MIB),
    "escaped data parts": (_parts('{"type":"image_url","image_url":{"url":"data:image\\/png;base64,A"}}'), 4 * MIB),
    "file parts": (_parts('{"type":"file","file":{"file_id":"f"}}'), 4 * MIB),
    "images of three bytes": (
        _parts('{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}'),
        4 * MIB,
    ),
    "messages of one text file": (
        _messages('{"role":"user","content":[{"type":"file","file":{"file_data":"data:text/plain;base64,YQ=="}}]}'),
        4 * MIB,
    ),
    "text files": (_parts('{"type":"file","file":{"file_data":"data:text/plain;base64,YQ=="}}'), 4 * MIB),
    "user messages": (_messages(USER), 2 * MIB),
    "system messages": (_messages('{"role":"system","content":"hi"}'), 2 * MIB),
    "system messages in the middle": (_messages('{"role":"system","content":"hi"}', USER, USER), 2 * MIB),
    "assistant messages": (_messages('{"role":"assistant","content":"hi"}'), MIB),
    "assistant messages at the end": (
        _messages('{"role":"assistant","content":"hi"}', '{"role":"assistant","content":"hi"}', USER),
        MIB,
    ),
    "messages with names": (_messages('{"role":"user","name":"n","content":"hi"}'), MIB),
    "blank messages": (_messages('{"role":"assistant","content":" "}'), MIB),
    "tools": (_tools('{"type":"function","function":{"name":"f#","description":"PAD"}}'), 4 * MIB),
    "tools of names that are not native": (_tools('{"type":"function","function":{"name":"f:#PAD"}}'), 4 * MIB),
    "native tools": (_tools('{"name":"f#","input_schema":{"x":"PAD"}}'), 4 * MIB),
    "native tools, one chosen": (
        _tools(
            '{"name":"f#","input_schema":{"x":"PAD"}}', ',"tool_choice":{"type":"function","function":{"name":"f1"}}'
        ),
        4 * MIB,
    ),
    "native toolsets": (_tools('{"type":"toolset_20260101","x":"PAD"}'), 4 * MIB),
    "custom tools": (
        _tools(
            '{"type":"custom","custom":{"name":"f#","format":{"type":"grammar","grammar":{"syntax":"lark",'
            '"definition":"PAD"}}}}'
        ),
        4 * MIB,
    ),
    "functions": (
        lambda size: chat(USER, ',"functions":[' + many('{"name":"f#"}', min(size, 16_000)).decode() + "]"),
        MIB,
    ),
    "allowed tools": (
        lambda size: chat(
            USER,
            ',"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"allowed_tools",'
            '"allowed_tools":{"mode":"auto","tools":[' + many('{"name":"f"}', size).decode() + "]}}",
        ),
        4 * MIB,
    ),
    "called names that are not offered": (
        lambda size: chat(
            USER
            + ","
            + many(
                '{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f:#"}}]},'
                '{"role":"tool","tool_call_id":"c"}',
                size,
            ).decode()
        ),
        MIB,
    ),
    "names that the JSON tool would have": (
        lambda size: chat(
            USER,
            ',"response_format":{"type":"json_object"},"tools":['
            + ",".join(
                '{"type":"function","function":{"name":"respond_with_json%s"}}' % ("_" * number)
                for number in range(max(1, min(1024, int((2 * size) ** 0.5))))
            )
            + "]",
        ),
        MIB,
    ),
    "stop sequences of spaces": (lambda size: chat(USER, ',"stop":["' + " " * size + '"]'), 4 * MIB),
    "text of spaces": (lambda size: chat('{"role":"user","content":"' + " " * size + '"},' + USER), 32 * MIB),
    "a prefill that ends in spaces": (
        lambda size: chat(USER + ',{"role":"assistant","content":"a' + " " * size + '"}'),
        32 * MIB,
    ),
    "a prefill of many parts": (
        lambda size: chat(
            USER + ',{"role":"assistant","content":[' + many('{"type":"text","text":"a"}', size).decode() + "]}"
        ),
        4 * MIB,
    ),
    "logit_bias": (_field("logit_bias", lambda size: b"{%b}" % many('"#":1', size)), 4 * MIB),
    "metadata": (_field("metadata", lambda size: b"{%b}" % many('"k#":"v"', size)), 4 * MIB),
    "prediction": (_field("prediction", OBJECTS["empty objects"]), 4 * MIB),
    "audio": (_field("audio", OBJECTS["deep lists"]), 4 * MIB),
    "a role": (lambda size: chat('{"role":"' + "a" * size + '"}'), 4 * MIB),
    "a role beside an unknown field": (
        lambda size: b'{"zz":1,' + chat('{"role":"' + "a" * size + '"}')[1:],
        4 * MIB,
    ),
    "a type of a part": (_parts('{"type":"#"}'), 4 * MIB),
    "a long type of a part": (
        lambda size: chat('{"role":"user","content":[{"type":"' + "a" * size + '"}]}'),
        4 * MIB,
    ),
    "a type of a tool": (lambda size: chat(USER, ',"tools":[{"type":"' + "a" * size + '"}]'), 4 * MIB),
    "a tool choice": (_field("tool_choice", STRINGS["letters"]), 4 * MIB),
    "a role of error places": (lambda size: chat('{"role":"' + " - at `$." * (size // 9) + '"}'), 4 * MIB),
    "not JSON": (lambda size: b"{" * size, 4 * MIB),
    "not UTF-8": (lambda size: b'{"model":"' + b"\xff" * size + b'"}', 4 * MIB),
    "not UTF-8 in a schema": (
        lambda size: chat(
            USER, ',"tools":[{"type":"function","function":{"name":"f","parameters":{"x":"PAD"}}}]'
        ).replace(b"PAD", b"\xc3\xa9" * (size // 2) + b"\xff"),
        4 * MIB,
    ),
    "text and bytes that are not ASCII": (
        lambda size: chat('{"role":"user","content":"' + "\u00e9" * (size // 2) + '"}'),
        32 * MIB,
    ),
}


def known_shapes() -> list[tuple[Shape, int]]:
    """Each with its largest size."""
    return [(Shape(name, make), largest) for name, (make, largest) in KNOWN.items()]
