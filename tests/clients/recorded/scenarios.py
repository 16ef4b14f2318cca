"""What the clients are recorded doing. A client has those scenarios that it can do."""

SCENARIOS = {
    "plain": "a system message and a user message",
    "history": "a conversation that goes on",
    "streamed": "a stream",
    "tool loop": "two tools and their results, back to the last text",
    "streamed tool loop": "the same, streamed",
    "forced tool": "a tool that must be called",
    "one call at a time": "tools that must not be called in parallel",
    "schema": "an object of a class, or of a JSON schema",
    "json": "any JSON object",
    "image": "an image beside text",
    "file": "a PDF beside text",
    "reasoning": "thinking, which goes back in the next turn",
    "settings": "limits, stop sequences, sampling and the user",
    "hints": "settings that have no place in the native API, such as a seed",
}
"""What each scenario asks for, by its name."""
