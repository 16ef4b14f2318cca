"""Cases: tools."""

from __future__ import annotations

from tests.fidelity.cases.forms import HI, REFUSED, Case, asks, function

CHOICE = {
    "anyOf": [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]},
    ]
}

TOOLS = [
    Case("strict arrives", "Tools", asks(HI, tools=[function(strict=True)]), (("is", "tools[0].strict", True),)),
    Case("two tools of one name are refused", "Tools", asks(HI, tools=[function(), function()]), REFUSED),
    Case(
        "a choice of a tool that is not offered is refused",
        "Tools",
        asks(HI, tools=[function()], tool_choice={"type": "function", "function": {"name": "g"}}),
        REFUSED,
    ),
    Case(
        "missing parameters are an empty object schema",
        "Tools",
        asks(HI, tools=[{"type": "function", "function": {"name": "f"}}]),
        (("is", "tools[0].input_schema.type", "object"),),
    ),
    Case(
        "a choice at the top of a schema loses no property",
        "Tools",
        asks(HI, tools=[function(parameters=CHOICE)]),
        (
            ("is", "tools[0].input_schema.type", "object"),
            ("absent", "tools[0].input_schema.anyOf"),
            ("keys", "tools[0].input_schema.properties", ["a", "b"]),
        ),
    ),
    Case(
        "definitions and references pass",
        "Tools",
        asks(
            HI,
            tools=[
                function(
                    parameters={
                        "type": "object",
                        "properties": {"a": {"$ref": "#/$defs/x"}},
                        "$defs": {"x": {"type": "string"}},
                    }
                )
            ],
        ),
        (("is", "tools[0].input_schema.$defs", {"x": {"type": "string"}}),),
    ),
    Case(
        "no other keyword of a schema is touched",
        "Tools",
        asks(
            HI,
            tools=[
                function(
                    parameters={
                        "type": "object",
                        "properties": {"a": {"type": "integer", "maximum": 3}},
                        "additionalProperties": False,
                        "examples": [{}],
                    }
                )
            ],
        ),
        (
            ("is", "tools[0].input_schema.properties.a.maximum", 3),
            ("is", "tools[0].input_schema.examples", [{}]),
            ("is", "tools[0].input_schema.additionalProperties", False),
        ),
    ),
    Case(
        "names that are not legal natively are mapped",
        "Tools",
        asks(HI, tools=[function("a.b"), function("a:b")]),
        (("matches", "tools[0].name", r"[a-zA-Z0-9_-]{1,128}"), ("distinct", "tools[*].name")),
    ),
    Case(
        "required is any",
        "Tools",
        asks(HI, tools=[function()], tool_choice="required"),
        (("is", "tool_choice.type", "any"),),
    ),
    Case(
        "none is none, and the tools stay",
        "Tools",
        asks(HI, tools=[function()], tool_choice="none"),
        (("is", "tool_choice.type", "none"), ("is", "tools[0].name", "f")),
    ),
    Case(
        "a named function is chosen",
        "Tools",
        asks(HI, tools=[function()], tool_choice={"type": "function", "function": {"name": "f"}}),
        (("is", "tool_choice.type", "tool"), ("is", "tool_choice.name", "f")),
    ),
    Case(
        "allowed tools are the listed ones only",
        "Tools",
        asks(
            HI,
            tools=[function(), function("g")],
            tool_choice={
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]},
            },
        ),
        (("is", "tools[*].name", ["g"]), ("is", "tool_choice.type", "any")),
    ),
    Case(
        "one call at a time",
        "Tools",
        asks(HI, tools=[function()], parallel_tool_calls=False),
        (("is", "tool_choice", {"type": "auto", "disable_parallel_tool_use": True}),),
    ),
    Case("no tools, no choice", "Tools", asks(HI, tools=[], tool_choice="auto"), (("absent", "tool_choice"),)),
    Case(
        "a custom tool has one string",
        "Tools",
        asks(HI, tools=[{"type": "custom", "custom": {"name": "c", "description": "d"}}]),
        (("is", "tools[0].name", "c"), ("has", "tools[0].input_schema", '"type": "string"')),
    ),
    Case(
        "legacy functions are tools",
        "Tools",
        asks(HI, functions=[function()["function"]]),
        (("is", "tools[0].name", "f"),),
    ),
    Case(
        "a tool in the native shape passes",
        "Tools",
        asks(HI, tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}]),
        (("is", "tools[0].type", "web_search_20250305"), ("is", "tools[0].max_uses", 2)),
    ),
]
