"""The thinking of one client's turns: kept in a store when a reply brings it, restored when the results come."""

import logging
from typing import Final

from chatcompat.chat import ChatCompletionRequest
from chatcompat.store import ThinkingStore, decode_details, lost_turns, to_key

_logger: Final = logging.getLogger(__name__)


class Keeper:
    """Uses a store for one credential; whatever goes wrong there is logged by its kind and counts as a miss."""

    def __init__(self, store: ThinkingStore, credential: bytes) -> None:
        self._store = store
        self._credential = credential

    async def keep(self, call_id: str, details: bytes) -> None:
        """Keep the thinking of a turn under its first call."""
        try:
            await self._store.put(to_key(self._credential, call_id), details)
        except Exception as error:  # noqa: BLE001 - a store's fault costs thinking, not the reply
            _logger.warning("thinking could not be kept: %s", type(error).__name__)

    async def restore(self, chat: ChatCompletionRequest) -> None:
        """Put back the thinking of each turn that came without."""
        for message, call_id in lost_turns(chat):
            try:
                details = await self._store.get(to_key(self._credential, call_id))
                if details is not None:
                    message.reasoning_details = decode_details(details)
            except Exception as error:  # noqa: BLE001 - a store's fault costs thinking, not the request
                _logger.warning("thinking could not be restored: %s", type(error).__name__)
