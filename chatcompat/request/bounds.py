"""How much one request may hold."""

from dataclasses import dataclass, fields
from typing import Final

from chatcompat.errors import InvalidRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBounds:
    """How much one request may hold.

    A request above a bound is refused with status 400 and an error that names the place. Raises `ValueError` for a
    bound below 1.

    Attributes:
        messages: Messages in a request. The native service takes no more than the default.
        tools: Tools, or functions, in a request.
        parts: Content parts, or entries of `reasoning_details`, in one message.
        calls: Tool calls in one message.
        depth: Levels of nesting in free JSON: schemas, arguments and native tools, as received and as sent. What
            people write stays below 20.
        schema_branches: Branches (`allOf`, `anyOf`, `oneOf`) at the top of one schema, including nested and referenced
            ones. The native service takes none there, so they are merged.
        schema_properties: Properties and required names in all of these branches.
        growth: Bytes by which one schema or text file may grow when it is rewritten for the native service, for
            instance when a reference is replaced by its definition.
        unknown_fields: Distinct fields that are not part of the API.
    """

    messages: int = 100_000
    tools: int = 1_024
    parts: int = 4_096
    calls: int = 1_024
    depth: int = 128
    schema_branches: int = 200
    schema_properties: int = 10_000
    growth: int = 65_536
    unknown_fields: int = 1_000

    def __post_init__(self) -> None:
        """Check the bounds."""
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise ValueError(f"{field.name} must be at least 1, not {getattr(self, field.name)}")


def grows_too_much(path: str, bounds: RequestBounds) -> InvalidRequest:
    """The refusal of what would be sent on larger than it came, by more than the bound."""
    return InvalidRequest(
        f"The messages request would need more than {bounds.growth} bytes beyond the size of this.",
        param=path,
        code="grows_too_much",
    )


def check_count(name: str, count: int, bound: int, path: str) -> None:
    """Raise `InvalidRequest` where a list is longer than its bound; `name` is what it holds."""
    if count > bound:
        raise InvalidRequest(
            f"There are {count} {name}; this service takes {bound}.", param=path, code="array_above_max_length"
        )


DEFAULT_BOUNDS: Final = RequestBounds()
