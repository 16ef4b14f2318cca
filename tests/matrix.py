"""What talks to what: the tables of clients, frameworks and servers in `docs`, each cell with its tests."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

from tests.clients.python.environments import CLIENTS, requirements
from tests.servers.conftest import CELLS, FRAMEWORKS
from tests.servers.running import SERVERS

HERE = Path(__file__).parent
NODE = HERE / "clients" / "node"


class Cell(NamedTuple):
    """What a client does in a scenario, and the tests that show it."""

    text: str
    tests: tuple[str, ...]


PYTHON = {
    "plain": Cell("`create`, sync and async", ("test_plain", "test_async_plain_and_streamed")),
    "streamed": Cell(
        "`create`, sync and async; `stream` and its events",
        (
            "test_streamed_with_usage_says_the_same_as_plain",
            "test_async_plain_and_streamed",
            "test_the_events_of_a_stream",
        ),
    ),
    "tool loop": Cell(
        "`create`, sync and async; `stream`",
        ("test_a_tool_loop_of_three_turns_with_parallel_calls", "test_async_tool_loop_and_json"),
    ),
    "structured output": Cell(
        "`parse` and `stream` with Pydantic; `json_object`",
        ("test_parse_gives_an_object_of_the_clients_own_class", "test_parse_of_a_stream", "test_json_object_is_json"),
    ),
    "images": Cell("`image_url`", ("test_an_image_arrives",)),
    "errors": Cell(
        "each class; `param`, `code`; broken streams",
        (
            "test_each_native_error_is_the_right_exception",
            "test_a_request_that_is_refused_here_names_its_place",
            "test_an_unknown_model_is_not_found",
            "test_an_error_in_mid_stream_is_raised_behind_the_text",
            "test_a_cut_stream_is_an_error",
        ),
    ),
    "abort": Cell(
        "a stream closed, a task cancelled: the service is told",
        (
            "test_a_stream_that_is_closed_early_is_told_to_the_service",
            "test_a_task_that_is_cancelled_in_mid_stream_is_told_to_the_service",
        ),
    ),
}
# By file in `NODE`; its tests have the names of the scenarios.
NODE_TEXTS = {
    "openai.test.js": {
        "plain": "`create`",
        "streamed": "`create`; `stream` and its events",
        "tool loop": "`runTools`, whole and streamed",
        "structured output": "`parse` and `stream` with zod; `json_object`",
        "images": "`image_url`",
        "errors": "each class; `param`, `code`; broken streams",
        "abort": "`AbortController`, `stream.controller`, `break`: the service is told",
    },
    "ai-sdk.test.js": {
        "plain": "`generateText`",
        "streamed": "`streamText`",
        "tool loop": "`generateText` and `streamText`, with thinking",
        "structured output": "`Output.object`, whole and streamed; `Output.json`",
        "images": "bytes",
        "errors": "each status; `param`, `code`; broken streams",
        "abort": "`abortSignal`: the service is told",
    },
}
# By name in `CLIENTS`: what the client is called, and what its script uses in each scenario.
SCRIPTS = {
    "langchain": {
        "": "LangChain",
        "plain": "`ChatOpenAI.invoke`",
        "streamed": "`stream`, with usage",
        "tool loop": "`create_agent`, whole and streamed",
        "structured output": "`with_structured_output`: `json_schema`, `function_calling`, `json_mode`",
        "abort": "`break`",
    },
    "pydantic_ai": {
        "": "pydantic-ai",
        "plain": "`Agent.run_sync`",
        "streamed": "`run_stream`",
        "tool loop": "`tools`",
        "structured output": "`ToolOutput`, `NativeOutput`, `PromptedOutput`",
        "abort": "`run_stream` left early",
    },
    "instructor": {
        "": "instructor",
        "plain": "`create` without a model",
        "streamed": "`create`, `create_partial`",
        "tool loop": "a retry with the validation error",
        "structured output": "`TOOLS`, `JSON`, `JSON_SCHEMA`, `MD_JSON`",
        "abort": "the stream closed",
    },
    "llama_index": {
        "": "LlamaIndex, `OpenAILike`",
        "plain": "`chat`",
        "streamed": "`stream_chat`",
        "tool loop": "`FunctionAgent`",
        "structured output": "`as_structured_llm`, `structured_predict`",
        "abort": "a task cancelled",
    },
    "openai_agents": {
        "": "OpenAI Agents SDK",
        "plain": "`Runner.run`",
        "streamed": "`run_streamed`",
        "tool loop": "`function_tool`, whole and streamed",
        "structured output": "`output_type`, whole and streamed",
        "abort": "`result.cancel`",
    },
    "agno": {
        "": "Agno, `OpenAILike`",
        "plain": "`Agent.run`",
        "streamed": "`run(stream=True)`",
        "tool loop": "`tools`, whole and streamed",
        "structured output": "`output_schema`",
        "abort": "a task cancelled",
    },
    "llm": {
        "": "the `llm` command",
        "plain": "`--no-stream`",
        "streamed": "by default",
        "tool loop": "`--functions`, whole and streamed",
        "structured output": "`--schema`, whole and streamed",
        "abort": "Ctrl-C",
    },
}


def functions(*paths: Path) -> list[str]:
    """The names of the tests in these files, in their order."""
    found = [statement for path in paths for statement in ast.parse(path.read_text(encoding="utf-8")).body]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [one.name for one in found if isinstance(one, kinds) and one.name.startswith("test_")]


def clients() -> str:
    rows = [
        f"| {scenario} | {cell.text} | " + " | ".join(texts[scenario] for texts in NODE_TEXTS.values()) + " |"
        for scenario, cell in PYTHON.items()
    ]
    head = ["| | `openai` for Python | `openai` for Node | AI SDK, `openai-compatible` |", "|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def frameworks() -> str:
    """A row for each client, with the release that is tested."""
    scenarios = [name for name in next(iter(SCRIPTS.values())) if name]
    rows = []
    for client, texts in SCRIPTS.items():
        package = CLIENTS[client][0].partition("[")[0]
        (release,) = re.findall(rf"^{package}==(\S+)", requirements(client).read_text(encoding="utf-8"), re.MULTILINE)
        rows.append(f"| {texts['']} {release} | " + " | ".join(texts[scenario] for scenario in scenarios) + " |")
    head = [f"| | {' | '.join(scenarios)} |", "|" + "---|" * (len(scenarios) + 1)]
    return "\n".join([*head, *rows]) + "\n"


def servers() -> str:
    """A cell counts the tests that run for its server and framework."""
    each = len(functions(HERE / "servers" / "test_servers.py"))
    rows = []
    for framework, ways in FRAMEWORKS.items():
        counts = [each * sum(cell == (server, framework) for cell, _ in CELLS) for server in SERVERS]
        how = ", ".join(way.how for way in ways)
        rows.append(f"| {framework}: {how} | " + " | ".join(f"{count} tests" for count in counts) + " |")
    return "\n".join([f"| | {' | '.join(SERVERS)} |", "|---|---|---|---|", *rows]) + "\n"
