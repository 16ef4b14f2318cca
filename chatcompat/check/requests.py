"""Rules for the contents of requests."""

from typing import Final

from chatcompat.check.endpoint import Endpoint, need
from chatcompat.check.rule import Rule
from chatcompat.check.streams import text_of

_LONG: Final = "Count from one to fifty in words: one, two, three, four, five, six, seven, eight, and so on to fifty."
_MAX_TOKENS: Final = 16
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
    completion = await endpoint.complete(_LONG, max_tokens=_MAX_TOKENS)
    need(completion.first.finish_reason == "length", "wanted finish_reason length", completion.first)
    usage = completion.usage
    need(
        usage is None or usage.completion_tokens <= _MAX_TOKENS,
        f"wanted at most {_MAX_TOKENS} completion tokens",
        usage,
    )


async def _newer_limit(endpoint: Endpoint) -> None:
    choice = (await endpoint.complete(_LONG, max_completion_tokens=_MAX_TOKENS)).first
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
        reported = "logprobs" in reply.headers.get("x-chatcompat-ignored", "").split(", ")
        need(choice.logprobs or reported, "wanted logprobs, a header that says they were ignored, or a refusal", choice)
    else:
        reply.error(400)


RULES: Final = (
    Rule("system", "system messages are accepted", _system),
    Rule("developer", "developer messages are accepted", _developer),
    Rule("history", "a conversation of several turns is accepted", _history),
    Rule("parts", "content in text parts is accepted", _parts),
    Rule("image", "an image as a data URL is accepted, or gets a 400", _image),
    Rule("stop", "the answer ends before a stop sequence", _stop),
    Rule("stop-list", "any of several stop sequences ends the answer", _stops),
    Rule("max-tokens", "max_tokens is respected, and the answer finishes with length", _limit),
    Rule(
        "max-completion-tokens", "max_completion_tokens is respected, and the answer finishes with length", _newer_limit
    ),
    Rule("scripts", "non-ASCII text is returned unchanged", _scripts),
    Rule("scripts-stream", "non-ASCII text is returned unchanged in a stream", _streamed_scripts),
    Rule("n", "n is respected, or gets a 400", _two),
    Rule("logprobs", "logprobs are returned, reported as ignored, or the request gets a 400", _logprobs),
)
