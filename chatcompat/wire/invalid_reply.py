"""The errors for replies that are out of order, incomplete, late or too large, and the limits that they name."""

from typing import Final

from chatcompat.errors import InvalidReply

MAX_BLOCKS: Final = 16_384
"""The highest number of blocks in a reply. No model has the tokens for so many, and each takes microseconds."""

FEW_BLOCKS: Final = 1_024
"""How many blocks a reply may have at any size. With more, they must have `BLOCK_BYTES` on average."""

BLOCK_BYTES: Final = 256
"""The smallest average size of many blocks, in bytes. Those that models send are larger."""

MAX_USAGE_FIELDS: Final = 1_000
"""The highest number of fields in a usage. Services send about ten, and operators add some."""


def check_blocks(count: int, size: int) -> None:
    """Raise `InvalidReply` if a reply of `size` bytes has too many blocks, since translating a block is slow."""
    if count > MAX_BLOCKS:
        raise InvalidReply(f"The messages service sent a reply of more than {MAX_BLOCKS} blocks.")
    if count > FEW_BLOCKS and size < count * BLOCK_BYTES:
        raise InvalidReply(
            f"The messages service sent more than {FEW_BLOCKS} blocks with less than {BLOCK_BYTES} bytes each."
        )


def missing_start() -> InvalidReply:
    """The error for content before `message_start`."""
    return InvalidReply("The messages service sent content before the start of its message.")


def second_start() -> InvalidReply:
    """The error for a second `message_start`, which would repeat the content so far."""
    return InvalidReply("The messages service began a second message in one stream.")


def unopened_block() -> InvalidReply:
    """The error for tool input outside a block."""
    return InvalidReply("The messages service sent a part of a block that it had not begun.")


def incomplete_stream() -> InvalidReply:
    """The error for a stream that ends before `message_stop`."""
    return InvalidReply(
        "The messages service ended its stream before the message was complete.", code="incomplete_stream"
    )


def incomplete_reply() -> InvalidReply:
    """The error for a reply that ends early, or never begins."""
    return InvalidReply("The messages service ended before its reply was complete.")


def silent_for_too_long() -> InvalidReply:
    """The error for a reply that does not begin or continue in time."""
    return InvalidReply("The messages service was silent for too long.", code="timeout", status=504)


def too_large_usage() -> InvalidReply:
    """The error for a usage with too many fields."""
    return InvalidReply(f"The messages service sent a usage of more than {MAX_USAGE_FIELDS} fields.")


def too_large_event() -> InvalidReply:
    """The error for an event that exceeds its size limit."""
    return InvalidReply("The messages service sent an event that is too large.")


def too_large_reply() -> InvalidReply:
    """The error for a reply that exceeds its size limit."""
    return InvalidReply("The messages service sent a reply that is too large.")
