"""Chat request -> messages request."""

from chatcompat.request.build import TranslatedRequest, to_messages_request
from chatcompat.request.decode import Decoded, decode_chat_request

__all__ = ["Decoded", "TranslatedRequest", "decode_chat_request", "to_messages_request"]
