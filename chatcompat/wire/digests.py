"""`blake2b`, imported on first use: `hashlib` loads OpenSSL, which takes longer than most of this package."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import blake2b
else:

    @cache
    def _imported():
        from hashlib import blake2b as new  # noqa: PLC0415

        return new

    def blake2b(data: bytes = b"", **options: bytes | int) -> "blake2b":
        """`hashlib.blake2b`."""
        return _imported()(data, **options)


__all__ = ["blake2b"]
