"""`blake2b`, imported on first use: `hashlib` loads OpenSSL, which takes longer than importing most of this package."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import blake2b
else:

    def blake2b(data: bytes = b"", **options: bytes | int) -> "blake2b":
        """`hashlib.blake2b`."""
        from hashlib import blake2b as new  # noqa: PLC0415

        return new(data, **options)


__all__ = ["blake2b"]
