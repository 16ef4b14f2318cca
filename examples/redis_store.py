"""Processes that share signed thinking: `REDIS_URL=redis://... uvicorn --workers 4 examples.redis_store:app`."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Mount

from chatcompat import ChatCompatMiddleware
from chatcompat.redis import RedisStore
from chatcompat.simulator import create_app

store = RedisStore(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"))


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Close the connections at the end."""
    yield
    await store.aclose()


app = Starlette(routes=[Mount("/", ChatCompatMiddleware(create_app(), store=store))], lifespan=lifespan)
