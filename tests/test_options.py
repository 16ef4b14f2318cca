"""Options are checked where they are set: each error names the option and says what is allowed.

The signatures are walked: a new option joins by itself, and fails here unless it is checked.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import metrics, trace
from prometheus_client import CollectorRegistry

from chatcompat import ChatCompatMiddleware, Dialect, MemoryStore, RequestBounds, translate
from chatcompat.otel import TracedChatCompatMiddleware
from chatcompat.prometheus import PrometheusMetrics
from chatcompat.record import combine_observers
from chatcompat.redis import RedisStore
from chatcompat.translation import Translation
from chatcompat.upstream import Upstream
from tests.asgi.driver import Inner, chat

HELLO = translate(chat())


def no_async(*arguments: object) -> Any:
    """A function for any option that is one."""


async def async_function(*arguments: object) -> Any:
    """No option is an async function."""


# Each entry point, with its required arguments.
TARGETS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "ChatCompatMiddleware": (ChatCompatMiddleware, {"app": Inner()}),
    "Dialect": (Dialect, {}),
    "MemoryStore": (MemoryStore, {}),
    "PrometheusMetrics": (lambda **options: PrometheusMetrics(**{"registry": CollectorRegistry()} | options), {}),
    "RedisStore": (RedisStore, {"server": "redis://127.0.0.1"}),
    "RequestBounds": (RequestBounds, {}),
    "Translation.collector": (HELLO.collector, {}),
    "Translation.stream": (HELLO.stream, {}),
    "Upstream": (Upstream, {"url": "http://127.0.0.1"}),
    "translate": (translate, {"body": chat()}),
}
SIGNATURES = {name: inspect.signature(target) for name, (target, _) in TARGETS.items()} | {
    "PrometheusMetrics": inspect.signature(PrometheusMetrics)
}
OPTIONS = [(target, option) for target, signature in SIGNATURES.items() for option in signature.parameters]

WRONG: list[Any] = [object(), 1j, b"", [object()], {5: object()}, {"a": None}, {1.5}, (None,), int, Inner]
NUMBERS: list[Any] = [True, False, math.nan, -1, -0.5, "32MB", "1", [1]]


def set_option(target: str, option: str, value: object) -> Any:
    function, required = TARGETS[target]
    return function(**required | {option: value})


def check_refusal(target: str, option: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        set_option(target, option, value)
    text = str(raised.value)
    assert option in text, text
    assert " must " in text, text
    assert "object at 0x" not in text


@pytest.mark.parametrize(("target", "option"), OPTIONS)
def test_no_option_takes_just_anything(target: str, option: str) -> None:
    for value in WRONG:
        if not (option == "session" and isinstance(value, type)) and not (option == "body" and value == b""):
            check_refusal(target, option, value)


def default_of(target: str, option: str) -> Any:
    return SIGNATURES[target].parameters[option].default


@pytest.mark.parametrize(("target", "option"), [pair for pair in OPTIONS if type(default_of(*pair)) in (int, float)])
def test_a_number_is_one_and_in_range(target: str, option: str) -> None:
    default = default_of(target, option)
    for value in (*NUMBERS, *([1.5, 1e6, math.inf] if isinstance(default, int) else [])):
        check_refusal(target, option, value)
    assert set_option(target, option, default)


@pytest.mark.parametrize(("target", "option"), [pair for pair in OPTIONS if isinstance(default_of(*pair), bool)])
def test_a_switch_is_on_or_off(target: str, option: str) -> None:
    for value in (0, 1, "yes", None, "false"):
        check_refusal(target, option, value)


@pytest.mark.parametrize(
    ("target", "option", "value", "text"),
    [
        ("ChatCompatMiddleware", "app", None, "app must be an ASGI app, not NoneType"),
        ("ChatCompatMiddleware", "bounds", 5, "bounds must be a RequestBounds, not int"),
        (
            "ChatCompatMiddleware",
            "on_exchange",
            5,
            "on_exchange must be a function of an ExchangeRecord, not int",
        ),
        ("ChatCompatMiddleware", "on_exchange", async_function, "on_exchange must not be an async function"),
        ("ChatCompatMiddleware", "dialect", async_function, "dialect must not be an async function"),
        ("ChatCompatMiddleware", "dialect", Dialect, "dialect must be a Dialect, .* not the class Dialect"),
        ("ChatCompatMiddleware", "store", {}, "store must be a ThinkingStore, .* get and put, or None, not dict"),
        ("ChatCompatMiddleware", "store", "redis://:SECRET@a", "store must be a ThinkingStore, .* not str$"),
        ("ChatCompatMiddleware", "path", 5, "path must be a string, not int"),
        ("ChatCompatMiddleware", "models_path", "", "models_path must begin with a slash, not ''"),
        ("ChatCompatMiddleware", "models_path", "/v1/messages", "messages_path and models_path must not be the same"),
        ("ChatCompatMiddleware", "models", 5, "models must be a list of ids, .* not int"),
        ("ChatCompatMiddleware", "models", {"m": 5}, "models must be a list of ids, .* not dict"),
        ("ChatCompatMiddleware", "models", [5], "models must be a list of ids"),
        (
            "ChatCompatMiddleware",
            "model_aliases",
            ["a"],
            "model_aliases must be a mapping of str to str or None,",
        ),
        ("ChatCompatMiddleware", "max_body_bytes", "32MB", "max_body_bytes must be an integer, not str"),
        ("ChatCompatMiddleware", "max_body_bytes", True, "max_body_bytes must be an integer, not bool"),
        ("ChatCompatMiddleware", "idle_timeout", math.nan, "idle_timeout must be a number, not nan"),
        ("ChatCompatMiddleware", "idle_timeout", None, "idle_timeout must be a number, not NoneType"),
        ("ChatCompatMiddleware", "max_continuations", -1, "max_continuations must be at least 0, not -1"),
        ("Dialect", "reasoning", 5, "reasoning must be one of 'budget', 'effort', 'none', not int"),
        ("Dialect", "thinking_off", 1, "thinking_off must be True or False or one of 'disabled', .*, not int"),
        ("Dialect", "budgets", {"low": "2k"}, "budgets must be a mapping of str to int, not dict"),
        ("Dialect", "betas", ["a"], "betas must be a tuple of str, not list"),
        ("Dialect", "native_keys", ["top_k"], "native_keys must be a set of str, not list"),
        ("Dialect", "max_tokens", 0, "max_tokens must be at least 1, not 0"),
        ("MemoryStore", "clock", 5, "clock must be a function that returns the time in seconds, not int"),
        ("PrometheusMetrics", "registry", None, "registry must be a CollectorRegistry, not NoneType"),
        ("RedisStore", "server", 5, "server must be a URL or a redis.asyncio client, not int"),
        ("RequestBounds", "messages", 1.5, "messages must be an integer, not float"),
        ("Upstream", "url", 5, "url must be a string, not int"),
        ("Upstream", "session", "x", "session must be a function that returns a ClientSession, or None, not str"),
        ("translate", "body", "{}", "body must be bytes or a bytearray, not str"),
        ("translate", "created", 1.5, "created must be an integer or None, not float"),
    ],
)
def test_the_error_says_what_is_allowed(target: str, option: str, value: object, text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{text}"):
        set_option(target, option, value)


def test_values_that_are_allowed() -> None:
    for option, value in (
        ("dialect", no_async),
        ("models", ["a"]),
        ("models", {"a": {"x": 1}}),
        ("models_path", None),
        ("idle_timeout", math.inf),
        ("idle_timeout", 5),
        ("store", None),
        ("on_exchange", no_async),
        ("max_continuations", 0),
    ):
        assert set_option("ChatCompatMiddleware", option, value)
    assert set_option("translate", "body", bytearray(chat())).body == HELLO.body
    assert translate(chat(), version="2023-06-01", betas=("a",), strict=True).body == HELLO.body
    assert isinstance(HELLO, Translation)


def test_the_traced_middleware_checks_its_own_options_too() -> None:
    for option in ("provider", "tracer_provider", "meter_provider", "max_models", "on_exchange", "dialect", "strict"):
        with pytest.raises(TypeError, match=option):
            TracedChatCompatMiddleware(Inner(), **{option: object()})  # type: ignore[arg-type]
    assert TracedChatCompatMiddleware(
        Inner(), tracer_provider=trace.NoOpTracerProvider(), meter_provider=metrics.NoOpMeterProvider()
    )


def test_observers_are_functions() -> None:
    with pytest.raises(TypeError, match="each observer must be a function of an ExchangeRecord, not int"):
        combine_observers(no_async, 5)  # type: ignore[arg-type]
