"""The simulator behind the middleware, with the store that the environment names."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from chatcompat import ChatCompatMiddleware
from chatcompat.redis import RedisStore
from chatcompat.simulator import create_app

store = RedisStore(os.environ["STORE_URL"])


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    yield
    await store.aclose()


app = Starlette(lifespan=lifespan)
app.mount("/", ChatCompatMiddleware(create_app(), store=store))
