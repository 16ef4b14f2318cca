"""A deterministic native messages service, for demos and tests.

`create_app()` returns a Starlette app with `POST /v1/messages` (whole or streamed), `POST /v1/messages/count_tokens`,
`GET /v1/models` and `GET /v1/models/{id}`. No model runs: the reply depends only on the request. The same request
always gets the same bytes, including ids. Only the usage may differ: it says what the prompt cache held. The simulator
is as strict as the real service and uses its error messages. It shares no code with the translation, so it checks the
translation independently.

Models: `caicaini/auto` and `sim-1` accept everything in version 2023-06-01. `sim-2` refuses what the newest real
models refuse. The reply calls the tools that the last user turn names, with arguments that fit their schemas. If
the turn names no tool and has no tool results, the reply calls the first tool. If it names a tool that the service runs
(`web_search`, `web_fetch`, `code_execution` or an MCP server), the reply has its call and a canned result. A token is
four characters, rounded up.

The request header `x-simulate` makes a request slow or faulty. Its items are separated by `;`:

- `error=TYPE` fails with that type's status. With `after=N`, a stream sends N events, then an `error` event.
- `cut=N` ends a stream after N events. `cut=N.5` or `cut-inside=N` also sends half of the next event.
- `delay=SECONDS` waits before the first byte and between events.
- `refuse` stops halfway with `refusal`. `stop=REASON` sets any stop reason.
- `overflow` fails as if the prompt were too long.
"""

from chatcompat.simulator.app import create_app

__all__ = ["create_app"]
