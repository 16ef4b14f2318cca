"""A messages service with API keys, and chat completions beside it: `uvicorn examples.fastapi_service:app`."""

import json
import secrets
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.responses import StreamingResponse

from chatcompat import ChatCompatMiddleware

app = FastAPI()
app.add_middleware(ChatCompatMiddleware)


def check_key(authorization: Annotated[str, Header()] = "") -> None:
    """Refuse a request without the key."""
    if not secrets.compare_digest(authorization.encode(), b"Bearer my-key"):
        raise HTTPException(401, "Invalid API key")


@app.post("/v1/messages", dependencies=[Depends(check_key)])
def create_message(request: dict[str, Any]) -> Any:
    """Answer with a whole message, or with its events."""
    words = ["You", " are", " welcome."]  # ask your model here
    usage = {"input_tokens": 8, "output_tokens": len(words)}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": request["model"], "content": []}
    message |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
    if request.get("stream"):
        return StreamingResponse(to_stream(message, words), media_type="text/event-stream")
    return message | {"content": [{"type": "text", "text": "".join(words)}], "stop_reason": "end_turn"}


def to_stream(message: dict[str, Any], words: list[str]) -> Iterator[str]:
    """The events of a message with one block of text."""
    yield to_event("message_start", message=message)
    yield to_event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for word in words:
        yield to_event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
    yield to_event("content_block_stop", index=0)
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    yield to_event("message_delta", delta=end, usage=message["usage"])
    yield to_event("message_stop")


def to_event(kind: str, **fields: Any) -> str:
    """A server-sent event."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"
