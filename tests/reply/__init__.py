"""Tests of the way back, on bytes and without ASGI: whole replies, streams, events and errors."""
