"""The errors of an inner app in FastAPI keep their words, their type and their code."""

from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from tests.asgi.driver import ask

pytestmark = pytest.mark.anyio

SLOW = {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down."}}
LIMITED = {"message": "Slow down.", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"}
DENIED = {"message": "Not yours.", "type": "permission_error", "param": None, "code": None}


class Body(BaseModel):
    model: int


@pytest.mark.parametrize(
    ("status", "detail", "error"),
    [
        (429, SLOW, LIMITED),
        (429, SLOW["error"], LIMITED),
        (429, "Slow down.", LIMITED),
        (500, SLOW, LIMITED),
        (403, "Not yours.", DENIED),
        (403, {"message": "Not yours."}, DENIED),
        (418, {"message": "Short.", "code": "stout"}, {"message": "Short.", "code": "stout"}),
    ],
)
async def test_the_detail_of_an_exception_is_read(status: int, detail: Any, error: dict[str, object]) -> None:
    app = FastAPI()

    @app.post("/v1/messages")
    async def messages() -> None:
        raise HTTPException(status, detail=detail, headers={"retry-after": "7"})

    reply = await ask(app)
    assert (reply.status, reply.headers["retry-after"]) == (status, "7")
    assert reply.error.items() >= error.items()


async def test_the_faults_of_a_model_are_listed() -> None:
    app = FastAPI()

    @app.post("/v1/messages")
    async def messages(body: Body) -> None:
        assert body

    reply = await ask(app)
    assert reply.status == 422
    assert str(reply.error["message"]).startswith("model: Input should be a valid integer")
