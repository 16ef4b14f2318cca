"""Signatures of thinking blocks, so that a client which alters them is found out."""

import hmac
from base64 import b64encode
from typing import Final

# Public on purpose: it shows that thinking came back unaltered, not who wrote it.
DEMO_KEY: Final = b"chatcompat simulator, a public demo key"


def sign(thinking: str) -> str:
    """Base64 of the HMAC-SHA256 with `DEMO_KEY` over the thinking text as UTF-8; hidden thinking signs "" ."""
    return b64encode(hmac.digest(DEMO_KEY, thinking.encode(), "sha256")).decode()


def is_signed(thinking: str, signature: str) -> bool:
    """Whether `signature` is that of `thinking`."""
    return hmac.compare_digest(sign(thinking).encode(), signature.encode())
