"""The text of each refusal names the field and says what to send: some clients print nothing else.

The structs are walked: a new field joins the table by itself.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec
import pytest
from msgspec import Raw, Struct

import chatcompat
from chatcompat import InvalidRequest, translate
from chatcompat.request.decode import decode_chat_request
from chatcompat.request.decode_error import AT, to_invalid_request
from chatcompat.wire.chat_request import ChatCompletionRequest

MAX_BODY: Final = 1024
WRONG: Final[tuple[Any, ...]] = (
    "a SECRET",
    7,
    -7.5,
    1e300,
    True,
    None,
    [],
    ["a SECRET"],
    [7],
    [{}],
    {},
    {"a SECRET": {"a SECRET": 1}},
)
ADVICE: Final = ("Send", "Add", "Change", "Remove", "Leave", "Simplify", "Rename", "Use")


def members(annotation: Any) -> Iterator[Any]:
    """The types that a value may have."""
    if get_origin(annotation) is Annotated:
        yield from members(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from members(member)
    else:
        yield annotation


def smallest(annotation: Any) -> Any:
    """A valid value."""
    kind = next(iter(members(annotation)))
    if get_origin(kind) is list:
        return [smallest(get_args(kind)[0])]
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    if isinstance(kind, type) and issubclass(kind, Struct):
        return smallest_object(kind)
    return {str: "a", int: 1, float: 1.0, bool: True, Raw: {}}[kind]


def smallest_object(struct: type[Struct]) -> dict[str, Any]:
    config = struct.__struct_config__
    tag = {} if config.tag_field is None else {config.tag_field: config.tag}
    required = {field.encode_name: smallest(field.type) for field in msgspec.structs.fields(struct) if field.required}
    return tag | required


Take = Callable[[bytes], object]
Tree = Iterator[tuple[str, dict[str, Any], dict[str, Any]]]


def fields(struct: type[Struct], above: tuple[type[Struct], ...] = ()) -> Tree:
    """Each field of a struct and of those in it: its path, an object of the struct, and the object that has it."""
    names = [field.encode_name for field in msgspec.structs.fields(struct)]
    for name in (*names, *filter(None, [struct.__struct_config__.tag_field])):
        whole = smallest_object(struct)
        yield name, whole, whole
    for field in msgspec.structs.fields(struct):
        for kind in members(field.type):
            is_list = get_origin(kind) is list
            for item in members(get_args(kind)[0]) if is_list else (kind,):
                if not (isinstance(item, type) and issubclass(item, Struct)) or item in (*above, struct):
                    continue
                for path, inside, holder in fields(item, (*above, struct)):
                    step = f"{field.encode_name}[0]" if is_list else field.encode_name
                    around = {field.encode_name: [inside] if is_list else inside}
                    yield f"{step}.{path}", smallest_object(struct) | around, holder


TABLE: Final = [(path, whole, holder) for path, whole, holder in fields(ChatCompletionRequest)]


def refusals(path: str, whole: dict[str, Any], holder: dict[str, Any], take: Take = translate) -> list[InvalidRequest]:
    """The refusals of the field at `path` with each wrong value, and without it."""
    name, refused = path.rpartition(".")[2], []
    valid = holder.copy()
    for value in (*WRONG, ...):
        holder.clear()
        holder |= {key: held for key, held in valid.items() if key != name} | ({} if value is ... else {name: value})
        try:
            take(json.dumps(whole).encode())
        except InvalidRequest as error:
            refused.append(error)
    holder.clear()
    holder |= valid
    return refused


def check(error: InvalidRequest) -> None:
    body = json.loads(error.body)["error"]
    assert body["param"] == error.param
    assert body["message"].startswith(f"{error.param}: ")
    assert any(f" {word} " in body["message"] for word in ADVICE), body["message"]
    assert len(error.body) < MAX_BODY
    assert b"SECRET" not in error.body


@pytest.mark.parametrize("take", [translate, partial(translate, strict=True)], ids=["lenient", "strict"])
def test_each_refusal_names_the_field_and_says_what_to_do(take: Take) -> None:
    assert len(TABLE) > 285
    for path, whole, holder in TABLE:
        for error in refusals(path, whole, holder, take):
            check(error)


def test_a_value_of_the_wrong_type_is_the_fault_of_its_field() -> None:
    for path, whole, holder in TABLE:
        faults = refusals(path, whole, holder, decode_chat_request)
        tag = path.rpartition(".")[0]  # of an unknown one, the object is the fault
        assert [error.param for error in faults if not (error.param or "").startswith((path, tag))] == []


def test_a_value_of_the_wrong_type_is_refused_in_each_field_that_has_one() -> None:
    accepting = [path for path, whole, holder in TABLE if not refusals(path, whole, holder)]
    assert accepting == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"messages": "SECRET"}, "messages: Send an array, not a string."),
        ({"messages": []}, "messages: Send an array with a length of at least 1."),
        ({"model": ...}, "model: This field is required. Add it."),
        ({"temperature": 3}, "temperature: Send a number of at most 2."),
        ({"stop": 5}, "stop: Send a string, an array or null, not an integer."),
        ({"top_k": -2}, "top_k: Send an integer of at least -1."),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "messages[0].content[0]: The value 'input_audio' is not supported here. Send one of: text, image_url, "
            "file, image, document, search_result, tool_result.",
        ),
        (
            {"messages": [{"role": "robot"}]},
            "messages[0].role: The value is not supported here. Send one of: system, developer, user, assistant, tool, "
            "function.",
        ),
        (
            {"reasoning_effort": "SECRET"},
            "reasoning_effort: The value is not supported here. Send one of: none, minimal,",
        ),
        ({"messages": [{"role": "user", "content": [{"type": 5}]}]}, "messages[0].content[0].type: Send a string."),
        ({"tools": [{"type": "x_1"}]}, "tools[0]: The value is not supported here. Send one of: function, custom."),
    ],
)
def test_the_message_says_what_to_send(fields: dict[str, Any], message: str) -> None:
    request = {"model": "m", "messages": [{"role": "user", "content": "hi"}]} | fields
    body = json.dumps({name: value for name, value in request.items() if value is not ...}).encode()
    with pytest.raises(InvalidRequest) as raised:
        translate(body)
    assert raised.value.message.startswith(message)
    check(raised.value)


@pytest.mark.parametrize("number", ["1e999", "9" * 5_000], ids=["float", "integer"])
def test_a_number_that_is_too_large_elsewhere_changes_no_message(number: str) -> None:
    body = f'{{"model":"m","messages":[{{"role":"user","content":"hi"}}],"reasoning_effort":"x","zz":{number}}}'
    with pytest.raises(InvalidRequest, match="Send one of: none, minimal, low"):
        translate(body.encode())


def test_each_sentence_of_a_refusal_says_what_to_do() -> None:
    """Also those about headers and the body. Statuses other than 400, such as 413, say it themselves."""
    silent = []
    for path in Path(chatcompat.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "InvalidRequest"):
                continue
            if any(keyword.arg == "status" for keyword in node.keywords):
                continue
            text = ast.unparse(node.args[0])
            parts = [part for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
            said = " ".join(str(part.value) for part in parts)
            if "{message}" not in text and not any(re.search(rf"\b{word}\b", said) for word in ADVICE):
                silent.append(f"{path.name}: {text}")
    assert silent == []


def test_strict_mode_names_the_field() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"seed":3}'
    with pytest.raises(
        InvalidRequest, match=r"^seed: This field would be ignored or changed, and strict mode does not"
    ):
        translate(body, strict=True)


@pytest.mark.parametrize("strict", [False, True])
def test_names_that_a_client_makes_long_and_many_are_cut(strict: bool) -> None:
    name = "x" * 64
    nested = f'{{"{name}":' * 12 + '"\\ud800"' + "}" * 12
    for body in (f'{{"model":"m","messages":[],"{name}":{nested}}}', f'{{"model":"m","messages":[{nested}]}}'):
        with pytest.raises(InvalidRequest) as raised:
            translate(body.encode(), strict=strict)
        assert len(raised.value.body) < MAX_BODY
        assert (raised.value.param or "").endswith(".*")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RecursionError(), "The request is nested too deeply. Send a flatter one."),
        (msgspec.DecodeError("SECRET"), "The request is not valid JSON. Send a JSON object."),
        (
            msgspec.ValidationError(f"Number out of range{AT}$.n`"),
            "n: This number is out of range. Send one of fewer digits.",
        ),
        (msgspec.ValidationError("SECRET"), "This is not valid here. Change or remove it."),
        (msgspec.ValidationError(f"SECRET{AT}$.stop`"), "stop: This is not valid here. Change or remove it."),
        (msgspec.ValidationError(f"Expected `float` > 0{AT}$.x`"), "x: This is not valid here. Change or remove it."),
        # A body in which the path leads nowhere gives no list of words.
        (msgspec.ValidationError(f"Invalid value 'SECRET'{AT}$.a[3].b`"), "a[3].b: The value is not supported here."),
        (msgspec.ValidationError(f"Invalid value 'SECRET'{AT}$.stop[0]`"), "stop[0]: The value is not supported here."),
        (msgspec.ValidationError(f"Invalid value 'SECRET'{AT}$.messages[0].x.y`"), "messages[0].x.y: The value is not"),
        (msgspec.ValidationError(f"Invalid value 'SECRET'{AT}$.logit_bias[...]`"), "logit_bias[...]: The value is not"),
        (msgspec.ValidationError(f"Invalid value 'SECRET'{AT}$`"), "The value is not supported here. Change it."),
    ],
)
def test_each_error_of_the_decoder_has_a_sentence(error: Exception, message: str) -> None:
    body = b'{"model":"m","messages":[{"role":"robot"}],"stop":["a"]}'
    assert to_invalid_request(error, body).message.startswith(message)
