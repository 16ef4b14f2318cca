"""A conformance suite for live chat-completions endpoints. Each rule is one promise that clients rely on.

Needs the extra `serve` (`pip install 'chatcompat[serve]'`, or `pip install -e '.[serve]'` in a clone).
"""

from chatcompat.check.connections import RULES as CONNECTIONS
from chatcompat.check.cors import RULES as CORS
from chatcompat.check.endpoint import Broken, Endpoint
from chatcompat.check.errors import RULES as ERRORS
from chatcompat.check.output import RULES as OUTPUT
from chatcompat.check.replies import RULES as REPLIES
from chatcompat.check.requests import RULES as REQUESTS
from chatcompat.check.rule import Outcome, Rule, judge
from chatcompat.check.streams import RULES as STREAMS
from chatcompat.check.tools import RULES as TOOLS

RULES = (*REPLIES, *STREAMS, *REQUESTS, *TOOLS, *OUTPUT, *ERRORS, *CONNECTIONS, *CORS)
"""All rules, in the order they run."""

__all__ = ["RULES", "Broken", "Endpoint", "Outcome", "Rule", "judge"]
