"""The cases of the side by side, in the order of the table."""

from fidelity_cases.forms import Case
from fidelity_cases.messages import MESSAGES
from fidelity_cases.parameters import PARAMETERS
from fidelity_cases.replies import REPLIES
from fidelity_cases.streams import STREAMS
from fidelity_cases.tools import TOOLS

__all__ = ["CASES", "Case"]

CASES = [*MESSAGES, *TOOLS, *PARAMETERS, *REPLIES, *STREAMS]
