"""Checks of the options of `ChatCompatMiddleware`, and the choice of a dialect."""

import logging
import traceback
from collections.abc import Iterable, Mapping
from typing import Any, Final

from chatcompat._options import check_type, wrong_type
from chatcompat.dialect import Dialect, DialectOption, check_dialect, to_dialect
from chatcompat.errors import ChatCompatError, InvalidReply
from chatcompat.record import check_observer
from chatcompat.request.bounds import RequestBounds

DIALECT_FAILED: Final = "dialect_failed"
"""The `code` of the error for a dialect function that fails."""

_logger: Final = logging.getLogger(__name__)


def choose_dialect(option: DialectOption, model: str) -> Dialect:
    """Return the dialect of a model. If a dialect function fails, log where, and raise `InvalidReply` with status 500.

    The text of the exception is not logged, since it may contain the model's name. The function may refuse a model: an
    `InvalidRequest` that it raises passes through.
    """
    try:
        return to_dialect(option, model)
    except ChatCompatError:
        raise
    except Exception as error:  # noqa: BLE001 - logged, and answered
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{frame.filename}, line {frame.lineno}"
        _logger.error("The dialect function failed: %s in %s", type(error).__name__, where)  # noqa: TRY400
        raise InvalidReply("The service is set up wrongly for this model.", code=DIALECT_FAILED, status=500) from None


def check_options(**options: Any) -> None:
    """Raise `TypeError` or `ValueError` for the first invalid option. `Limits` checks sizes and times."""
    _check_callables(**{name: options[name] for name in ("app", "dialect", "on_exchange")})
    paths = [name for name in ("path", "messages_path", "models_path") if options[name] is not None]
    for name in paths:
        check_type(name, options[name], str)
        if not options[name].startswith("/"):
            raise ValueError(f"{name} must begin with a slash, not {options[name]!r:.100}")
        for other in paths[: paths.index(name)]:
            if options[other] == options[name]:
                raise ValueError(f"{other} and {name} must not be the same")
    for name in ("path_hints", "count_tokens", "strict"):
        check_type(name, options[name], bool)
    check_type("bounds", options["bounds"], RequestBounds)
    _check_models(options["models"])
    check_type("model_aliases", options["model_aliases"], Mapping[str, str] | None)
    _check_store(options["store"])


def _check_callables(app: object, dialect: object, on_exchange: object) -> None:
    if not callable(app) or isinstance(app, type):
        raise wrong_type("app", "an ASGI app", app)
    check_dialect(dialect)
    if on_exchange is not None:
        check_observer("on_exchange", on_exchange)


def _check_models(models: object) -> None:
    if models is None:
        return
    fields = models.items() if isinstance(models, Mapping) else ()
    is_list = isinstance(models, Iterable) and not isinstance(models, str | bytes)
    if not is_list or not all(isinstance(more, Mapping) for _, more in fields):
        raise wrong_type("models", "a list of ids, a mapping from id to a mapping of further fields, or None", models)


def _check_store(store: object) -> None:
    if store is None or store is ...:
        return
    if isinstance(store, type):
        raise TypeError(f"store must be a store, not a class: {store.__name__}()")
    if not all(callable(getattr(store, method, None)) for method in ("get", "put")):
        raise wrong_type("store", "a ThinkingStore, which has the async methods get and put, or None", store)
