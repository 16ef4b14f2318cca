"""Translate a message into a chat completion, and the events of a message stream into chunks."""
