"""A `ThinkingStore` in Redis, which several processes can share. Needs the extra `redis`."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any, Final

from anyio import to_thread

from chatcompat._options import check_number, check_type, wrong_type
from chatcompat.store import MAX_ENTRY_BYTES

try:
    import redis.asyncio
    from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        "chatcompat.redis needs redis: pip install 'chatcompat[redis]', or in a clone: pip install -e '.[redis]'"
    ) from _error

__all__ = ["RedisStore"]

_MAX_CONNECTIONS: Final = 32


class RedisStore:
    """Stores signed thinking in Redis. The turns of a request are looked up in one round trip.

    A Redis that is down, slow or restarted costs the thinking of a turn, and never a request. Values expire. Give the
    server a `maxmemory` and the policy `allkeys-lru`, so that it evicts old values when it is full.

    On trio, where the official client does not run, commands run in a worker thread.

    Args:
        server: The URL of a server (`redis://`, `rediss://` or `unix://`, with the query options of
            `redis.asyncio.Redis.from_url`), or a `redis.asyncio` client: a `Redis`, one of a `Sentinel`
            (`sentinel.master_for("name")`), or a `RedisCluster`. A client needs asyncio.
        prefix: The start of each key in Redis.
        max_age: Seconds until a value expires. Redis counts whole milliseconds.
        max_entry_bytes: The largest value, in bytes. A larger one is not stored.

    Raises:
        TypeError: An option has the wrong type.
        ValueError: The URL has another scheme, or a bound is not above 0.
    """

    def __init__(
        self,
        server: "str | Redis | RedisCluster",
        *,
        prefix: str = "chatcompat:thinking:",
        max_age: float = 3600.0,
        max_entry_bytes: int = MAX_ENTRY_BYTES,
    ) -> None:
        check_type("prefix", prefix, str)
        check_type("max_age", max_age, float)
        check_number("max_entry_bytes", max_entry_bytes, int, above=0)
        if not isinstance(server, str | Redis | RedisCluster):
            raise wrong_type("server", "a URL or a redis.asyncio client", server)
        if not (math.isfinite(max_age) and round(max_age * 1000) > 0):
            raise ValueError(f"max_age must be finite and at least a millisecond, not {max_age}")
        self._client: Any = _connect(server) if isinstance(server, str) else server
        self._blocking = redis.Redis.from_url(server) if isinstance(server, str) else None
        self._prefix = prefix.encode()
        self._lifetime = round(max_age * 1000)  # milliseconds
        self._max_entry_bytes = max_entry_bytes

    async def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""
        return (await self.get_many([key]))[0]

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the value of each key, or None, in the order of the keys."""
        names = [self._prefix + key for key in keys]
        # A cluster only accepts keys of several slots with this method, which needs one round trip to each server.
        several = "mget_nonatomic" if isinstance(self._client, RedisCluster) else "mget"
        values: list[bytes | None] = await self._call(several, names)
        return values

    async def put(self, key: bytes, value: bytes) -> None:
        """Store a value."""
        if len(value) <= self._max_entry_bytes:
            await self._call("set", self._prefix + key, value, px=self._lifetime)

    async def _call(self, command: str, *arguments: Any, **options: Any) -> Any:
        if _is_asyncio():
            return await getattr(self._client, command)(*arguments, **options)
        if self._blocking is None:
            raise RuntimeError("a redis.asyncio client needs asyncio; give RedisStore a URL")
        blocking = getattr(self._blocking, command)
        return await to_thread.run_sync(lambda: blocking(*arguments, **options), abandon_on_cancel=True)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._blocking is not None:
            self._blocking.close()
        if _is_asyncio():
            await self._client.aclose()


def _connect(url: str) -> Redis:
    """Create a client that retries once, so that a restart of the server costs only a new connection."""
    pool = BlockingConnectionPool.from_url(
        url, max_connections=_MAX_CONNECTIONS, timeout=None, retry=Retry(NoBackoff(), 1)
    )
    return Redis.from_pool(pool)


def _is_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
