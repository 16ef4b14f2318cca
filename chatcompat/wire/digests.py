"""`blake2b`, imported on first use: `hashlib` loads OpenSSL, which takes longer than importing most of this package."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import blake2b
else:

    def blake2b(data: bytes = b"", **options: bytes | int) -> "blake2b":
        """`hashlib.blake2b`, which takes the place of this function: `digests.blake2b` is called directly from then."""
        global blake2b  # noqa: PLW0603
        from hashlib import blake2b  # noqa: PLC0415

        return blake2b(data, **options)


__all__ = ["blake2b"]
