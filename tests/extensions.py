"""What our replies have beyond the vendor's types."""

EXTENSIONS = (
    "native_finish_reason",  # of a choice
    "stop_sequence",
    "stop_details",
    "citations",
    "reasoning_content",  # of a message or a delta
    "reasoning_details",
    "annotations",  # of a delta
    "credits_consumed",  # of a usage: whatever the native one has and the other side has no name for
    "cache_creation",
    "server_tool_use",
    "service_tier",
    "container",  # of a completion, or of the last chunk
)
