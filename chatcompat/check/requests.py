"""What requests may hold."""

from typing import Final

from chatcompat.check.endpoint import Endpoint, need
from chatcompat.check.rule import Rule
from chatcompat.check.streams import text_of

_LONG: Final = "Count from one to fifty in words: one, two, three, four, five, six, seven, eight, and so on to fifty."
_MOST: Final = 16  # tokens
_WORDS: Final = "Repeat exactly: red green STOPHERE blue yellow"
_SCRIPTS: Final = "Zo\u00eb \u65e5\u672c\u8a9e \U0001f44b"
_REPEAT: Final = f"Repeat exactly this text and nothing else: {_SCRIPTS}"
_PIXEL: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
    "AABJRU5ErkJggg=="
)


async def _system(endpoint: Endpoint) -> None:
    await endpoint.complete([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}])


async def _developer(endpoint: Endpoint) -> None:
    await endpoint.complete([{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hello"}])


async def _history(endpoint: Endpoint) -> None:
    turns = [("user", "My name is Ada."), ("assistant", "Hello, Ada."), ("user", "Say hello again.")]
    await endpoint.complete([{"role": role, "content": text} for role, text in turns])


async def _parts(endpoint: Endpoint) -> None:
    parts = [{"type": "text", "text": "Say hello"}, {"type": "text", "text": " in one short sentence."}]
    await endpoint.complete([{"role": "user", "content": parts}])


async def _image(endpoint: Endpoint) -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": _PIXEL}}]
    reply = await endpoint.post([{"role": "user", "content": parts}])
    if reply.status == 200:  # noqa: PLR2004
        reply.completion()
    else:
        reply.error(400)


async def _stop(endpoint: Endpoint) -> None:
    choice = (await endpoint.complete(_WORDS, stop="STOPHERE")).first
    held = "STOPHERE" not in choice.text and "yellow" not in choice.text and choice.finish_reason == "stop"
    need(held, "wanted the answer to stop before STOPHERE, with finish_reason stop", choice)


async def _stops(endpoint: Endpoint) -> None:
    choice = (await endpoint.complete(_WORDS, stop=["NEVERSAID", "STOPHERE"])).first
    need("STOPHERE" not in choice.text and "yellow" not in choice.text, "wanted no text from STOPHERE on", choice)


async def _limit(endpoint: Endpoint) -> None:
    completion = await endpoint.complete(_LONG, max_tokens=_MOST)
    need(completion.first.finish_reason == "length", "wanted finish_reason length", completion.first)
    usage = completion.usage
    need(usage is None or usage.completion_tokens <= _MOST, f"wanted at most {_MOST} completion tokens", usage)


async def _newer_limit(endpoint: Endpoint) -> None:
    choice = (await endpoint.complete(_LONG, max_completion_tokens=_MOST)).first
    need(choice.finish_reason == "length", "wanted finish_reason length", choice)


async def _scripts(endpoint: Endpoint) -> None:
    text = (await endpoint.complete(_REPEAT)).first.text
    need(_SCRIPTS in text, f"wanted {_SCRIPTS} repeated", text)


async def _streamed_scripts(endpoint: Endpoint) -> None:
    text = text_of(await endpoint.chunks(_REPEAT))
    need(_SCRIPTS in text, f"wanted {_SCRIPTS} repeated", text)


async def _two(endpoint: Endpoint) -> None:
    reply = await endpoint.post(n=2)
    if reply.status == 200:  # noqa: PLR2004
        choices = reply.completion().choices
        need(len(choices) == 2, f"wanted two choices, or a refusal, not {len(choices)}", choices)  # noqa: PLR2004
    else:
        reply.error(400)


async def _logprobs(endpoint: Endpoint) -> None:
    reply = await endpoint.post(logprobs=True)
    if reply.status == 200:  # noqa: PLR2004
        choice = reply.completion().first
        need(choice.logprobs, "wanted logprobs, or a refusal", choice)
    else:
        reply.error(400)


RULES: Final = (
    Rule("system", "system messages are taken", _system),
    Rule("developer", "developer messages are taken", _developer),
    Rule("history", "a conversation of several turns is taken", _history),
    Rule("parts", "content in text parts is taken", _parts),
    Rule("image", "an image as a data URL is taken, or is a 400", _image),
    Rule("stop", "a stop sequence ends the answer before it", _stop),
    Rule("stop-list", "each of several stop sequences ends it", _stops),
    Rule("max-tokens", "max_tokens is kept, and the answer finishes with length", _limit),
    Rule("max-completion-tokens", "max_completion_tokens is kept, and the answer finishes with length", _newer_limit),
    Rule("scripts", "text of all scripts survives", _scripts),
    Rule("scripts-stream", "text of all scripts survives in a stream", _streamed_scripts),
    Rule("n", "n is kept, or is a 400", _two),
    Rule("logprobs", "logprobs are there, or a 400", _logprobs),
)
