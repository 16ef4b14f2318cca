"""Chat completions below a prefix, for web pages too: `uvicorn examples.starlette_service:app`.

The base URL of clients is `http://127.0.0.1:8000/llm/v1`. Replace the simulator with your own messages app.
"""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount

from chatcompat import ChatCompatMiddleware
from chatcompat.simulator import create_app

app = Starlette(
    routes=[Mount("/llm", ChatCompatMiddleware(create_app()))],
    middleware=[
        Middleware(
            CORSMiddleware,
            allow_origins=["https://app.example"],
            allow_headers=["*"],
            allow_methods=["GET", "POST"],
            expose_headers=["x-chatcompat-ignored"],
        )
    ],
)
