"""Limits on the size and complexity of one request."""

from dataclasses import dataclass, fields
from typing import Final

from chatcompat._options import check_number
from chatcompat.errors import InvalidRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBounds:
    """Limits on the size and complexity of one request.

    A request that exceeds a limit is refused with status 400 and an error whose `param` names the field.

    Attributes:
        messages: Number of messages in a request. The default is the native service's own limit.
        tools: Number of tools, or of functions, in a request.
        parts: Number of content parts, or of entries of `reasoning_details` or `thinking_blocks`, in one message.
        files: Number of images, files and documents in a request. The default is the native service's limit of images.
        places: Number of texts and calls that the ids of `reasoning_details` in a request name, to say where each entry
            stands, beyond two for each entry.
        calls: Number of tool calls in one message.
        depth: Levels of nesting in free JSON (schemas, arguments and native tools), both as received and as sent.
            Schemas in practice stay below 20.
        json_bytes: Size of all free JSON of a request, in bytes.
        objects: Number of objects and lists in all free JSON of a request. Brackets in strings count too.
        schema_branches: Number of branches (`allOf`, `anyOf`, `oneOf`) at the top level of one schema, including
            nested and referenced ones. The native service accepts none there, so they are merged.
        schema_properties: Number of properties and required names in all of these branches.
        growth: Bytes that rewriting may add to one schema or text file, for instance when a definition replaces a
            reference.
        choices: Number of choices (`n`). The inner app is called once for each, at the same time.
        unknown_fields: Number of distinct fields that are not part of the API.

    Raises:
        TypeError: If a limit is not an integer.
        ValueError: If a limit is below 1.
    """

    messages: int = 100_000
    tools: int = 1_024
    parts: int = 4_096
    files: int = 600
    places: int = 2_000
    calls: int = 1_024
    depth: int = 128
    json_bytes: int = 8 * 1024 * 1024
    objects: int = 100_000
    schema_branches: int = 200
    schema_properties: int = 10_000
    growth: int = 65_536
    choices: int = 1
    unknown_fields: int = 1_000

    def __post_init__(self) -> None:
        """Check that each limit is at least 1."""
        for field in fields(self):
            check_number(field.name, getattr(self, field.name), int, least=1)


def grows_too_much(path: str, bounds: RequestBounds) -> InvalidRequest:
    """The error for a value that rewriting would enlarge by more than the limit."""
    return InvalidRequest(
        f"Rewriting this value for the messages API would add more than {bounds.growth} bytes. Send a simpler one.",
        param=path,
        code="grows_too_much",
    )


def check_count(name: str, count: int, bound: int, path: str) -> None:
    """Raise `InvalidRequest` if a list is too long; `name` is the plural of what it holds."""
    if count > bound:
        raise InvalidRequest(f"Send at most {bound} {name}, not {count}.", param=path, code="array_above_max_length")


DEFAULT_BOUNDS: Final = RequestBounds()
