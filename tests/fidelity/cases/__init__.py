"""The cases of the side by side, in the order of the table."""

from tests.fidelity.cases.forms import Case
from tests.fidelity.cases.messages import MESSAGES
from tests.fidelity.cases.native import NATIVE
from tests.fidelity.cases.parameters import PARAMETERS
from tests.fidelity.cases.replies import REPLIES
from tests.fidelity.cases.streams import STREAMS
from tests.fidelity.cases.tools import TOOLS

__all__ = ["CASES", "Case"]

CASES = [*MESSAGES, *TOOLS, *PARAMETERS, *NATIVE, *REPLIES, *STREAMS]
