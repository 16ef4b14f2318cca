"""The page at `/` of `chatcompat serve`."""

import re
from html import escape
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from chatcompat.asgi.headers import lowered, to_header_map
from chatcompat.asgi.http import route_path

_HOST: Final = re.compile(rb"[A-Za-z0-9.:\[\]_-]{1,255}+")
_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>chatcompat</title></head>
<body>
<h1>chatcompat</h1>
<p>This server lets chat completions clients talk to a native messages service.</p>
<ul>
<li>Base URL for chat clients: <code>{url}/v1</code></li>
<li>Chat completions: <code>POST {url}/v1/chat/completions</code></li>
<li>Models: <code>GET {url}/v1/models</code></li>
<li>Native messages: <code>POST {url}/v1/messages</code></li>
<li>Health: <code>GET {url}/healthz</code></li>
</ul>
<p>Try it:</p>
<pre>curl {url}/v1/chat/completions -H "Authorization: Bearer YOUR_KEY" -H "Content-Type: application/json" \
-d '{{"model": "caicaini/auto", "messages": [{{"role": "user", "content": "Hello"}}]}}'</pre>
<p>Documentation: run <code>chatcompat serve --help</code>, or read the README and the folder docs of the project.</p>
</body>
</html>
"""


class StartPage:
    """Answers `GET /` with a small page. Passes all other requests to the app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or route_path(scope) != "/" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        host = to_header_map(lowered(scope["headers"])).get(b"host", b"")
        shown = host.decode() if _HOST.fullmatch(host) else "localhost"
        body = _PAGE.format(url=escape(f"{scope['scheme']}://{shown}{scope.get('root_path', '')}")).encode()
        headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),  # it repeats the request's host
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body if scope["method"] == "GET" else b""})
