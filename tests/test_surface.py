"""What users may import: the public modules, and the names of each."""

import importlib.resources
import pkgutil
from types import ModuleType

import pytest

import chatcompat

PRIVATE = {"__main__", "_options", "_telemetry", "asgi", "capabilities", "cli", "inspector", "reply", "request", "wire"}

SURFACE = {
    "chatcompat": [
        "ChatCompatError",
        "ChatCompatMiddleware",
        "ChunkStream",
        "Dialect",
        "DialectOption",
        "ExchangeRecord",
        "InvalidReply",
        "InvalidRequest",
        "MemoryStore",
        "OnExchange",
        "RequestBounds",
        "StreamError",
        "ThinkingStore",
        "Translation",
        "translate",
    ],
    "chatcompat.check": ["Broken", "Endpoint", "Outcome", "RULES", "Rule", "judge"],
    "chatcompat.dialect": [
        "BUDGETS",
        "DEFAULT_DIALECT",
        "Dialect",
        "DialectOption",
        "EFFORTS",
        "KEY_BETAS",
        "LLAMA_CPP",
        "NATIVE_2026",
        "NATIVE_KEYS",
        "NATIVE_TOOL_FIELDS",
        "PRESETS",
    ],
    "chatcompat.errors": ["ChatCompatError", "InvalidReply", "InvalidRequest"],
    "chatcompat.otel": ["TracedChatCompatMiddleware"],
    "chatcompat.prometheus": ["PrometheusMetrics"],
    "chatcompat.record": ["ExchangeRecord", "OnExchange", "combine_observers"],
    "chatcompat.redis": ["RedisStore"],
    "chatcompat.simulator": ["create_app"],
    "chatcompat.store": ["BatchThinkingStore", "MAX_ENTRY_BYTES", "MemoryStore", "ThinkingStore"],
    "chatcompat.translation": ["TokenCount", "Translation", "translate"],
    "chatcompat.upstream": ["Upstream", "UpstreamBroken"],
}


def public(module: str) -> ModuleType:
    return importlib.import_module(module)


def test_all_else_in_the_package_is_private() -> None:
    found = {info.name for info in pkgutil.iter_modules(chatcompat.__path__)}
    others = found - PRIVATE
    assert others == {module.partition(".")[2] for module in SURFACE if "." in module}
    assert found >= PRIVATE


@pytest.mark.parametrize("module", SURFACE)
def test_the_public_names_of_a_module_are_these(module: str) -> None:
    assert sorted(public(module).__all__) == SURFACE[module]


@pytest.mark.parametrize("module", SURFACE)
def test_each_public_name_is_there(module: str) -> None:
    there = public(module)
    assert [name for name in there.__all__ if not hasattr(there, name)] == []


@pytest.mark.parametrize("module", SURFACE)
def test_each_public_module_says_what_it_is(module: str) -> None:
    assert public(module).__doc__


def test_the_package_says_that_it_is_typed() -> None:
    assert (importlib.resources.files(chatcompat) / "py.typed").is_file()
