"""Signatures of thinking blocks, which reveal changes by the client."""

import hmac
from base64 import b64encode
from typing import Final

# Public on purpose: a signature shows that thinking is unchanged, not who wrote it.
DEMO_KEY: Final = b"chatcompat simulator, a public demo key"


def sign(thinking: str, prefix: bytes = b"") -> str:
    """The HMAC-SHA256 of the thinking text with `DEMO_KEY`, in base64. Hidden thinking signs an empty text.

    A model that binds its thinking adds a second one, of the digest of what stands before it and the text.
    """
    signature = _hmac(thinking.encode())
    return f"{signature}.{_hmac(prefix + thinking.encode())}" if prefix else signature


def _hmac(signed: bytes) -> str:
    return b64encode(hmac.digest(DEMO_KEY, signed, "sha256")).decode()


def is_signed(thinking: str, signature: str) -> bool:
    """Whether `signature` matches `thinking`."""
    return hmac.compare_digest(sign(thinking).encode(), signature.partition(".")[0].encode())


def is_bound(thinking: str, signature: str, prefix: bytes) -> bool:
    """Whether thinking comes after the prefix that it was signed with."""
    return hmac.compare_digest(sign(thinking, prefix).encode(), signature.encode())


def is_foreign(data: str) -> bool:
    """Whether redacted thinking cannot be the service's own: a Fernet token, as of other vendors, or JSON.

    The simulator redacts no thinking, so it knows no `data` of its own.
    """
    return data.startswith(("gAAAA", "{"))
