"""The parts of replies that the rules read.

https://platform.openai.com/docs/api-reference/chat
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Text = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=0)]


class Function(Struct):
    """A function call."""

    name: Text
    arguments: str


class Call(Struct):
    """A tool call in a whole reply."""

    id: Text
    type: Literal["function"]
    function: Function


class Message(Struct):
    """The assistant's message."""

    content: str | None = None
    tool_calls: list[Call] | None = None


class Choice(Struct):
    """One answer."""

    message: Message
    finish_reason: str
    logprobs: object = None

    @property
    def text(self) -> str:
        """The content, or an empty string."""
        return self.message.content or ""

    @property
    def calls(self) -> list[Call]:
        """The tool calls."""
        return self.message.tool_calls or []


class Usage(Struct):
    """Token counts."""

    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count


class Completion(Struct):
    """A whole reply."""

    choices: Annotated[list[Choice], Meta(min_length=1)]
    id: str = ""
    usage: Usage | None = None

    @property
    def first(self) -> Choice:
        """The first choice."""
        return self.choices[0]


class WholeMessage(Struct):
    """The assistant's message, with its required fields."""

    role: Literal["assistant"]
    content: str | None


class WholeChoice(Struct):
    """One answer, with its required fields."""

    index: Literal[0]
    message: WholeMessage
    finish_reason: Text


class WholeCompletion(Struct):
    """A whole reply, with its required fields."""

    id: Text
    object: Literal["chat.completion"]
    created: Annotated[int, Meta(ge=1)]
    model: Text
    choices: Annotated[list[WholeChoice], Meta(min_length=1, max_length=1)]


class FunctionDelta(Struct, frozen=True):
    """A piece of a function call."""

    name: str | None = None
    arguments: str | None = None


class CallDelta(Struct):
    """A piece of a tool call."""

    index: Count
    id: str | None = None
    type: str | None = None
    function: FunctionDelta = FunctionDelta()


class Delta(Struct):
    """A piece of the message."""

    role: str | None = None
    content: str | None = None
    tool_calls: list[CallDelta] | None = None


class ChunkChoice(Struct):
    """A piece of an answer."""

    index: Count
    delta: Delta
    finish_reason: str | None


class Chunk(Struct):
    """A piece of a reply."""

    id: Text
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None | UnsetType = UNSET


class ErrorObject(Struct):
    """An error. All four keys are required."""

    message: Text
    type: str | None
    param: str | None
    code: str | int | None


class ErrorBody(Struct):
    """The body of an error."""

    error: ErrorObject


class Model(Struct):
    """An entry of the list of models."""

    id: Text
    object: Literal["model"]
    created: int
    owned_by: str


class Models(Struct):
    """The list of models."""

    object: Literal["list"]
    data: list[Model]
