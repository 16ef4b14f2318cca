"""Wire structs of a chat request: tools and tool choices. Decoding is strict, as in `chatcompat.wire.chat_request`."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from chatcompat.wire import chat_native as native
from chatcompat.wire.messages import CacheControl


class FunctionDefinition(native.NativeToolFields, forbid_unknown_fields=True, gc=False):
    name: str
    description: str | None = None
    parameters: Raw | UnsetType = UNSET
    strict: bool | None = None
    cache_control: CacheControl | None = None  # some clients write it here


class FunctionTool(native.NativeToolFields, tag_field="type", tag="function", forbid_unknown_fields=True, gc=False):
    """A function, or its fields directly on the tool, as in the vendor's newer API."""

    function: FunctionDefinition | None = None
    cache_control: CacheControl | None = None
    name: str | None = None
    description: str | None = None
    parameters: Raw | UnsetType = UNSET
    strict: bool | None = None


class Grammar(Struct, forbid_unknown_fields=True):
    definition: str
    syntax: Literal["lark", "regex"]


class TextFormat(Struct, tag_field="type", tag="text", forbid_unknown_fields=True):
    pass


class GrammarFormat(Struct, tag_field="type", tag="grammar", forbid_unknown_fields=True):
    grammar: Grammar | None = None
    definition: str | None = None  # these two: directly, as in the vendor's newer API
    syntax: Literal["lark", "regex"] | None = None


class CustomDefinition(Struct, forbid_unknown_fields=True):
    name: str
    description: str | None = None
    format: TextFormat | GrammarFormat | None = None


class CustomTool(Struct, tag_field="type", tag="custom", forbid_unknown_fields=True):
    custom: CustomDefinition | None = None
    cache_control: CacheControl | None = None
    name: str | None = None
    description: str | None = None
    format: TextFormat | GrammarFormat | None = None


class Named(Struct, forbid_unknown_fields=True):
    name: str


class NamedFunctionChoice(Struct, tag_field="type", tag="function", forbid_unknown_fields=True):
    function: Named | None = None
    name: str | None = None  # directly, as in the vendor's newer API


class NamedCustomChoice(Struct, tag_field="type", tag="custom", forbid_unknown_fields=True):
    custom: Named | None = None
    name: str | None = None


class AllowedTool(Struct, forbid_unknown_fields=True):
    """An entry of `allowed_tools`. The vendor's type leaves its shape open."""

    type: str | None = None
    function: Named | None = None
    custom: Named | None = None
    name: str | None = None


AllowedMode = Literal["auto", "required"]
AllowedList = Annotated[list[AllowedTool], Meta(min_length=1)]


class AllowedTools(Struct, forbid_unknown_fields=True):
    mode: AllowedMode
    tools: AllowedList


class AllowedToolsChoice(Struct, tag_field="type", tag="allowed_tools", forbid_unknown_fields=True):
    allowed_tools: AllowedTools | None = None
    mode: AllowedMode | None = None  # these two: directly, as in the vendor's newer API
    tools: AllowedList | None = None


ToolChoice = NamedFunctionChoice | NamedCustomChoice | AllowedToolsChoice | native.NativeChoice


class ApproximateLocation(Struct, forbid_unknown_fields=True, omit_defaults=True):
    city: str | None = None
    country: str | None = None
    region: str | None = None
    timezone: str | None = None


class UserLocation(Struct, forbid_unknown_fields=True):
    approximate: ApproximateLocation
    type: Literal["approximate"]


class WebSearchOptions(Struct, forbid_unknown_fields=True):
    search_context_size: Literal["low", "medium", "high"] | None = None
    user_location: UserLocation | None = None
