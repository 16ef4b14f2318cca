"""Why parts of a field are ignored or adjusted. `FATES` has the reasons for whole fields."""

from typing import Final

from chatcompat.dialect import NATIVE_TOOL_FIELDS

UNKNOWN: Final = "the chat API has no such field"

_NO_FIELD: Final = "no native field"
_LISTED: Final = "the dialect does not list it"
_WON: Final = "another field wins"
_THINKING: Final = "thinking that is not this service's, or has no place here, is left out"

REASONS: dict[str, str] = {
    "cache_control.ttl": "longer lifetimes must come first, so this one is longer too",
    "messages[0].role": "the first turn must be the user's, so one is added",
    "messages[].audio": _NO_FIELD,
    "messages[].cache_control": "no block of this message can carry a cache mark",
    "messages[].content": "an empty message is left out",
    "messages[].content[].cache_control": "a result can carry one mark, and an empty part none",
    "messages[].content[].file.file_data": "the bytes are of another type, or a file_id wins",
    "messages[].content[].file.filename": "a title has at most 500 characters",
    "messages[].content[].file.format": "the file is of another type",
    "messages[].content[].image_url.format": "the image is of another type",
    "messages[].content[].image_url.url": "the bytes are of another type",
    "messages[].content[].image_url.detail": _NO_FIELD,
    "messages[].content[].is_error": "only a result of text can be an error",
    "messages[].content[].input": "arguments that are not a complete object are sent as {}",
    "messages[].content[].prompt_cache_breakpoint.ttl": "an hour is the longest",
    "messages[].content[].source.data": "the bytes are of another type",
    "messages[].content[].thinking": _THINKING,
    "messages[].content[].toolset_name": "a result has the toolset of its call",
    "messages[].is_error": "only a result of text can be an error",
    "messages[].name": _NO_FIELD,
    "messages[].reasoning": "text without a signature is not sent back",
    "messages[].reasoning_content": "text without a signature is not sent back",
    "messages[].reasoning_details": _THINKING,
    "messages[].role": "a conversation needs a user turn, so the last instruction becomes one",
    "messages[].thinking_blocks": _THINKING,
    "messages[].tool_calls[].function.arguments": "arguments that are not a complete object are sent as {}",
    "output_config.effort": _WON,
    "output_config.format": _WON,
    "prompt_cache_options.ttl": "the only lifetimes are five minutes and an hour",
    "reasoning.effort": _WON,
    "reasoning.enabled": _WON,
    "reasoning.max_tokens": "the effort wins, or the budget does not fit",
    "response_format.json_schema": "a format of text has no schema",
    "response_format.json_schema.description": "that of the schema wins",
    "response_format.json_schema.strict": "the native API cannot compile this schema",
    "stream_options.include_obfuscation": _NO_FIELD,
    "thinking.block_binding": "only with thinking by budget, or adaptive",
    "thinking.budget_tokens": "only with thinking by budget",
    "thinking.display": "only with thinking by budget, or adaptive",
    "tool_choice.disable_parallel_tool_use": "this service does not obey it",
    "tools[].function.cache_control": "that of the tool wins",
    "tools[].custom.format": "a grammar is described to the model, not enforced",
    "web_search_options.search_context_size": _NO_FIELD,
}
for _place in ("tools[].function", "functions[]", "tools[]"):
    REASONS |= {f"{_place}.{_name}": _LISTED for _name in NATIVE_TOOL_FIELDS}
    REASONS[f"{_place}.strict"] = "the native API cannot compile this schema"
    REASONS[f"{_place}.parameters"] = "limits that the native API cannot compile move to the description"
REASONS["tools[].input_schema"] = REASONS["tools[].parameters"]
REASONS |= {f"tools[].{_name}": "the nested definition wins" for _name in ("name", "description", "format")}
