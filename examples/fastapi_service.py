"""A messages service with API keys, and chat completions beside it: `uvicorn examples.fastapi_service:app`."""

import json
import secrets
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException
from fastapi.responses import StreamingResponse

from chatcompat import ChatCompatMiddleware

app = FastAPI()
app.add_middleware(ChatCompatMiddleware)


@app.post("/v1/messages")
def create_message(request: dict[str, Any], authorization: Annotated[str, Header()] = "") -> Any:
    """Answer with a whole message, or with the events of one."""
    if not secrets.compare_digest(authorization.encode(), b"Bearer my-key"):
        raise HTTPException(401, "Invalid API key")
    words = ["You", " are", " welcome."]  # ask your model here
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": request["model"], "content": []}
    message |= {"stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 8, "output_tokens": 3}}
    if not request.get("stream"):
        return message | {"content": [{"type": "text", "text": "".join(words)}], "stop_reason": "end_turn"}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in words),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ]
    frames = (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return StreamingResponse(frames, media_type="text/event-stream")
