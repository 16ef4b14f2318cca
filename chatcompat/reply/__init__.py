"""A message, or the events of its stream -> a chat completion, or its chunks."""
