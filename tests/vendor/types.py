"""Type layer: the vendors' types, rebuilt as pydantic models that refuse what the services refuse.

As shipped the types cannot serve as a check: TypedDicts ignore unknown keys and the models take any;
`Iterable[...]` is validated lazily, so nothing inside it is looked at; lax mode turns "5" into 5; and the
content unions also accept *reply* models, which take any extra key. So every type is walked and rebuilt
with extra="forbid" and strict=True, and unions are told apart by `type` or `role`, which gives one clear
problem instead of one a member. No vendor type is recursive today; one that were would need more than this.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

import anthropic.types as native
import pydantic
from anthropic.types import message_create_params as native_request
from anthropic.types.shared.error_response import ErrorResponse
from openai.types import chat
from openai.types.chat import completion_create_params as completion_request
from openai.types.shared.error_object import ErrorObject
from pydantic import ConfigDict, Discriminator, Tag, TypeAdapter, ValidationInfo, model_validator

from .annotations import bare, fields_of, is_object, is_union, literals_of, wire_members_of

Json = dict[str, Any]

LATEST = "2026-10-21"  # the messages version that the installed types describe
# Taken by older versions only, so no longer in the types.
SAMPLING: dict[str, Any] = {"temperature": float, "top_k": int, "top_p": float}
# In the request's type, but sent as headers by the SDK: in a body they are unknown keys.
HEADER_PARAMS = frozenset({"betas", "user_profile_id", "workspace_id"})
# In the docs' table of errors, but not in the types.
UNTYPED_ERRORS = frozenset({"request_too_large"})
CHUNK_EXTRAS = ("obfuscation",)  # sent by the vendor, but not in its typed chunk

# pydantic's own names in an error's location: they are no part of the wire path.
_LOC_NOISE = ("Strict_", "list[", "dict[", "function-before[")
# Special forms as plain values: they are filled with computed types here, which mypy cannot follow.
_ANNOTATED: Any = Annotated
_LIST: Any = list
_DICT: Any = dict
_UNION: Any = Union


# ------------------------------------------------------------------ what the vendors publish
def messages_request(d: Json, *, version: str = LATEST, allow: Iterable[str] = ()) -> list[str]:
    """Check the body of POST /v1/messages. Versions before the latest also take the sampling fields."""
    body, problems = dict(d), []
    if version < LATEST:
        for name in SAMPLING.keys() & body.keys():
            problems += _problems(SAMPLING[name], body.pop(name), at=name)
    streamed = body.get("stream") is True
    params = native_request.MessageCreateParamsStreaming if streamed else native_request.MessageCreateParamsNonStreaming
    return problems + _problems(params, body, allow)


def messages_reply(d: Json, *, allow: Iterable[str] = ()) -> list[str]:
    """Check the JSON reply of POST /v1/messages."""
    return _problems(native.Message, d, allow)


def messages_event(d: Json, *, allow: Iterable[str] = ()) -> list[str]:
    """Check the payload of one server-sent event; `ping` and `error` are on the wire, not in the union."""
    if d.get("type") == "ping":
        return [f"{key}: extra key of a ping" for key in sorted(d.keys() - {"type", *allow})]
    if d.get("type") == "error":
        return messages_error(d)
    return _problems(native.RawMessageStreamEvent, d, allow)


def messages_error(d: Json) -> list[str]:
    """Check a native error body; `details` is not on every typed error, but may come with any."""
    error = d.get("error")
    if isinstance(error, dict) and error.get("type") in UNTYPED_ERRORS:
        d = {**d, "error": {**error, "type": "api_error"}}
    return _problems(ErrorResponse, d, allow=("details",))


def chat_request(d: Json, *, allow: Iterable[str] = ()) -> list[str]:
    """Check the body of POST /v1/chat/completions."""
    streamed = d.get("stream") is True
    params = (
        completion_request.CompletionCreateParamsStreaming
        if streamed
        else completion_request.CompletionCreateParamsNonStreaming
    )
    return _problems(params, d, allow)


def chat_request_fields() -> frozenset[str]:
    """Name every top-level field of the chat request, streamed or not, to prove that none is forgotten."""
    streamed = fields_of(completion_request.CompletionCreateParamsStreaming)
    return frozenset(streamed.keys() | fields_of(completion_request.CompletionCreateParamsNonStreaming).keys())


def chat_reply(d: Json, *, allow: Iterable[str] = ()) -> list[str]:
    """Check a whole chat completion."""
    return _problems(chat.ChatCompletion, d, allow)


def chat_chunk(d: Json, *, allow: Iterable[str] = CHUNK_EXTRAS) -> list[str]:
    """Check one chunk of a streamed chat completion."""
    return _problems(chat.ChatCompletionChunk, _without_custom_calls(d), allow)


def _without_custom_calls(chunk: Json) -> Json:
    """Take out the deltas of custom calls: they are on the wire, but not in the typed chunk; names stay checked."""
    copied: Json = json.loads(json.dumps(chunk))
    for choice in copied.get("choices") or ():
        for call in choice.get("delta", {}).get("tool_calls") or ():
            if not isinstance(custom := call.pop("custom", None), dict):
                continue
            call["function"] = {"arguments" if name == "input" else name: text for name, text in custom.items()}
            if call.get("type") == "custom":
                call["type"] = "function"
    return copied


def chat_error(d: Json) -> list[str]:
    """Check an error body: one top-level key, and all four fields there, since clients read them all."""
    problems = [] if d.keys() == {"error"} else [f"$: top-level keys are {sorted(d)}, want exactly ['error']"]
    error = d.get("error")
    if not isinstance(error, dict):
        return [*problems, "error: not an object"]
    fields = ("message", "type", "param", "code")
    problems += [f"error.{name}: key absent (send null)" for name in fields if name not in error]
    return problems + _problems(ErrorObject, error, at="error")


# ------------------------------------------------------------------ validation
def _problems(vendor_type: Any, value: object, allow: Iterable[str] = (), *, at: str = "") -> list[str]:
    try:
        # Lone surrogates are str to Python, but cannot be sent.
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        return [f"{at or '$'}: not JSON: {error}"]
    try:
        _adapter(vendor_type).validate_python(value, strict=True, context={"allow": frozenset(allow)})
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        return [f"{_path(at, detail['loc'])}: {detail['msg']}" for detail in details]
    return []


def _path(at: str, loc: tuple[int | str, ...]) -> str:
    steps = [str(step) for step in loc if not str(step).startswith(_LOC_NOISE)]
    return ".".join([at, *steps] if at else steps) or "$"


@cache
def _adapter(vendor_type: Any) -> TypeAdapter[Any]:
    return TypeAdapter(_strict(vendor_type))


# ------------------------------------------------------------------ rebuilding
def _strict(tp: Any) -> Any:
    """Give the strict twin of any annotation that the vendors use."""
    tp = bare(tp)
    origin, args = get_origin(tp), get_args(tp)
    if is_union(tp):
        return _strict_union(wire_members_of(tp))
    if is_object(tp):
        return _model(tp)
    if origin in (list, Iterable, Sequence):
        return _LIST[_strict(args[0])]
    if origin in (dict, Mapping):
        return _DICT[_strict(args[0]), _strict(args[1])]
    if tp in (datetime.datetime, datetime.date):
        return str  # a time is text on the wire
    return tp


def _strict_union(members: list[Any]) -> Any:
    plain = [m for m in members if not is_object(m)]
    objects = [m for m in members if is_object(m)]
    tagged = _tagged_union(objects) if len(objects) > 1 else None
    strict_objects = [_model(m) for m in objects] if tagged is None else [tagged]
    return _UNION[(*map(_strict, plain), *strict_objects)]


def _tagged_union(members: list[Any]) -> Any | None:
    """Tell objects apart by `type`, else by `role`; None where neither does."""
    for key in ("type", "role"):
        if table := _tag_table(members, key):
            known = ", ".join(sorted(map(str, table)))
            return _ANNOTATED[
                _UNION[tuple(_ANNOTATED[_model(m), Tag(str(tag))] for tag, m in table.items())],
                Discriminator(
                    _tag_reader(key, {tag: str(tag) for tag in table}),
                    custom_error_type=f"bad_{key}",
                    custom_error_message=f"unknown or missing {key!r}; expected one of {known}",
                ),
            ]
    return None


def _tag_table(members: list[Any], key: str) -> dict[str | None, Any]:
    """Map each value of the tag to its member; empty if the values do not tell all members apart."""
    table: dict[str | None, Any] = {}
    for member in members:
        annotation, required = fields_of(member).get(key, (Any, False))
        tags = literals_of(annotation)
        if not tags:
            return {}
        if not required:
            tags = tags | {None}  # the key may be left out: a custom tool has no `type`
        if tags & table.keys():
            return {}
        table.update(dict.fromkeys(tags, member))
    return table


def _tag_reader(key: str, tags: dict[str | None, str]) -> Any:
    def read(value: object) -> str | None:
        tag = value.get(key) if isinstance(value, dict) else ...
        return tags.get(tag) if tag is None or isinstance(tag, str) else None

    return read


@cache
def _model(tp: Any) -> Any:
    """Rebuild one TypedDict or model as a strict model that refuses unknown keys."""
    own: Mapping[str, Any] = getattr(tp, "__pydantic_config__", None) or {}
    config = ConfigDict(
        # "allow" is the vendor's word for free JSON: an input_schema takes any JSON Schema keyword
        extra="allow" if own.get("extra") == "allow" else "forbid",
        strict=True,
        protected_namespaces=(),
        arbitrary_types_allowed=True,
    )
    unsent = HEADER_PARAMS if tp.__module__ == native_request.__name__ else frozenset()
    fields: dict[str, Any] = {
        # through an alias, since a wire name such as "schema" would shadow a model's attribute
        f"f_{name}": (_strict(annotation), pydantic.Field(... if required else None, alias=name))
        for name, (annotation, required) in fields_of(tp).items()
        if name not in unsent
    }
    drop_allowed: Any = model_validator(mode="before")(_drop_allowed)
    return pydantic.create_model(
        f"Strict_{tp.__module__.rsplit('.', 1)[-1]}_{tp.__name__}",
        __config__=config,
        __validators__={"drop_allowed": drop_allowed},
        **fields,
    )


def _drop_allowed(cls: type[pydantic.BaseModel], value: object, info: ValidationInfo) -> object:
    """Take allowed extras out beforehand: in a union, one extra key fails the other members too."""
    if not isinstance(value, dict) or not info.context:
        return value
    extras = info.context["allow"] - {field.alias for field in cls.model_fields.values()}
    return {key: item for key, item in value.items() if key not in extras}
