"""`chatcompat serve`."""

import socket
from contextlib import suppress
from typing import Annotated, Final

import uvicorn
from cyclopts import Parameter

import chatcompat
from chatcompat.middleware import ChatCompatMiddleware
from chatcompat.simulator import create_app

_WELCOME: Final = """\
chatcompat {version} in front of its simulator, a deterministic messages service.

  chat completions  {url}/v1/chat/completions
  native messages   {url}/v1/messages

Try it:

curl {url}/v1/chat/completions \\
  -H "Authorization: Bearer cai_api_YOUR_KEY" -H "Content-Type: application/json" \\
  -d '{{"model": "caicaini/auto", "max_tokens": 256,
       "messages": [{{"role": "system", "content": "You are concise."}},
                    {{"role": "user", "content": "Two reasons to use TypeScript over JS in 2026?"}}]}}'
"""


def serve(
    *,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on; 0 takes a free one.")] = 8000,
) -> None:
    """Serve chat completions, and the native endpoint beside it, on the built-in simulator."""
    config = uvicorn.Config(ChatCompatMiddleware(create_app()), host=host, port=port)
    listener = config.bind_socket()
    listener.listen(config.backlog)  # from here on a connection waits for the server instead of failing
    print(_WELCOME.format(version=chatcompat.__version__, url=url_of(listener)), flush=True)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def url_of(listener: socket.socket) -> str:
    """The URL of a listening socket, its address in brackets if it is IPv6 (RFC 3986, section 3.2.2)."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"
