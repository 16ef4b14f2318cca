"""An embedded, deterministic native messages service: the backend of the demo and of the tests.

`create_app()` is a Starlette app with `POST /v1/messages` (whole or streamed), `POST /v1/messages/count_tokens`,
`GET /v1/models` and `GET /v1/models/{id}`. No model runs: the reply is a function of the request, so the same
request gets the same bytes, ids included. It is as strict as a real service, with the real service's words, so
that a request which passes here is well formed. It shares no code with the translation: it is a second reading
of the native side.

Models: `caicaini/auto` and `sim-1` take everything of version 2023-06-01; `sim-2` refuses what the newest real
models refuse. Tools that the last user turn names are called, with arguments that fit their schema; else the
first one, unless the turn brings results. A token is four characters, rounded up.

The request header `x-simulate` has items separated by `;` that make one request slow or faulty:

- `error=TYPE` fails with that type's status; with `after=N` a stream sends N events, then an `error` event
- `cut=N` ends a stream after N events; `cut=N.5` or `cut-inside=N` inside the frame behind them
- `delay=SECONDS` waits before the first byte and between events
- `refuse` stops half way with `refusal`; `stop=REASON` forces any stop reason
- `overflow` is the error of a prompt that is too long
"""

from chatcompat.simulator.app import create_app

__all__ = ["create_app"]
