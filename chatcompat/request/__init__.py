"""Chat request -> messages request."""

from chatcompat.request.build import to_messages_request
from chatcompat.request.decode import decode_chat_request
from chatcompat.request.decoded import Decoded
from chatcompat.request.translated import TranslatedRequest

__all__ = ["Decoded", "TranslatedRequest", "decode_chat_request", "to_messages_request"]
