"""Turn the `detail` of an error body, as web frameworks write it, into one sentence."""

from typing import Any, Final

from chatcompat.errors import to_param

_MAX_FAULTS: Final = 8
_MAX_TEXT: Final = 200  # characters of one fault


def to_detail_text(detail: object) -> str:
    """Return the text of `detail`: a string, an object with a message, or a list of faults with their places.

    FastAPI lists faults as `{"loc": ["body", "messages", 0], "msg": "Field required", "input": ...}`. Only `loc` and
    `msg` are read: the other fields repeat what was sent.
    """
    if isinstance(detail, str):
        return detail
    if isinstance(detail, dict):
        return _first_text(detail, ("message", "msg", "error")) or _first_text(detail.get("error"), ("message",))
    if not isinstance(detail, list):
        return ""
    faults = [fault for fault in map(_to_fault, detail[:_MAX_FAULTS]) if fault]
    if faults and len(detail) > _MAX_FAULTS:
        faults.append(f"and {len(detail) - _MAX_FAULTS} more")
    return "; ".join(faults)


def _to_fault(fault: Any) -> str:
    message = _first_text(fault, ("msg", "message"))[:_MAX_TEXT]
    place = _to_place(fault.get("loc")) if message else ""
    return f"{place}: {message}" if place else message


def _to_place(loc: object) -> str:
    """A path like `messages[0].content`. A step that is not a field name becomes `*`, since the client chose it."""
    place = ""
    for step in loc[:_MAX_FAULTS] if isinstance(loc, list) else ():
        if type(step) is int:
            place += f"[{step}]"
        elif step != "body" or place:
            place += f".{step}" if isinstance(step, str) else ".*"
    return to_param(place.removeprefix(".")) if place else ""


def _first_text(fields: object, names: tuple[str, ...]) -> str:
    """The first of the fields `names` that has text."""
    found = (fields.get(name) for name in names) if isinstance(fields, dict) else ()
    return next((value for value in found if isinstance(value, str) and value), "")
