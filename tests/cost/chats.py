"""What the requests that are known to be costly are made of."""

from collections.abc import Callable
from typing import Final

MIB: Final = 1024 * 1024
Make = Callable[[int], bytes]

USER: Final = '{"role":"user","content":"hi"}'
CALL: Final = '{"id":"%s","type":"function","function":{"name":"f","arguments":"{}"}}'


def chat(messages: str, rest: str = "") -> bytes:
    """A request around its messages."""
    return ('{"model":"m","messages":[' + messages + "]" + rest + "}").encode()
