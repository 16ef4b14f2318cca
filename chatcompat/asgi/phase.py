"""How far the client's reply has got."""

from enum import Enum
from typing import Final


class Phase(Enum):
    """How far the client's reply has got. It only moves forward."""

    WAITING = "nothing was sent"
    STREAMING = "the start of a stream was sent"
    DONE = "the last piece of the reply was sent, or is being sent"


# To look a member up in its class takes a tenth of a microsecond, which counts for each piece of a stream.
WAITING: Final = Phase.WAITING
STREAMING: Final = Phase.STREAMING
DONE: Final = Phase.DONE
