"""The request structs once more, as a decoder of them that passes over unknown fields.

Each is a subclass of its strict struct, with the same fields in the same order, so all code takes either. They are made
when the first request needs them.
"""

from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct

from chatcompat.request.json_objects import keep_digits
from chatcompat.wire.chat_request import ChatCompletionRequest


@cache
def open_decoder() -> Callable[[bytes], ChatCompletionRequest]:
    """The decoder of a request that passes over unknown fields, at any depth."""
    return msgspec.json.Decoder(open_struct(ChatCompletionRequest), float_hook=keep_digits).decode


def _open_type(annotation: Any) -> Any:
    """The annotation with each struct in it replaced by its open one."""
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return open_struct(annotation)
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return Annotated[(_open_type(parts[0]), *parts[1:])]
    if origin is list:
        return list.__class_getitem__(_open_type(parts[0]))
    if origin in (Union, UnionType):
        return Union[tuple(map(_open_type, parts))]  # noqa: UP007 - built from a list
    return annotation


@cache
def open_struct(struct: type[Any]) -> type[Any]:
    """The subclass of a request struct that passes over unknown fields."""
    nested: list[Any] = []
    for field in msgspec.structs.fields(struct):
        opened = _open_type(field.type)
        if opened != field.type:
            default = () if field.default is NODEFAULT else (field.default,)
            nested.append((field.name, opened, *default))
    config = struct.__struct_config__
    return msgspec.defstruct(
        struct.__name__,
        nested,
        bases=(struct,),
        tag=config.tag,
        tag_field=config.tag_field,
        forbid_unknown_fields=False,
        kw_only=not struct.__match_args__,
        gc=config.gc,
    )
