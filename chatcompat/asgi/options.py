"""Checks of the options of `ChatCompatMiddleware`, and the choice of a dialect."""

import logging
import traceback
from collections.abc import Iterable, Mapping
from typing import Final

from chatcompat._options import check_type, wrong_type
from chatcompat.dialect import Dialect, DialectOption, check_dialect, to_dialect
from chatcompat.errors import ChatCompatError, InvalidReply
from chatcompat.record import check_observer

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


def check_callables(app: object, dialect: object, on_exchange: object) -> None:
    """Raise `TypeError` if one of these cannot be called, or is not a dialect."""
    if not callable(app) or isinstance(app, type):
        raise wrong_type("app", "an ASGI app", app)
    check_dialect(dialect)
    if on_exchange is not None:
        check_observer("on_exchange", on_exchange)


def check_paths(**paths: object) -> None:
    """Raise `TypeError` or `ValueError` for the first invalid path. One that is None is not served."""
    names = [name for name, path in paths.items() if path is not None]
    for name in names:
        path = paths[name]
        check_type(name, path, str)
        if not str(path).startswith("/"):
            raise ValueError(f"{name} must begin with a slash, not {path!r:.100}")
        for other in names[: names.index(name)]:
            if paths[other] == path:
                raise ValueError(f"{other} and {name} must not be the same")


def check_flags(**flags: object) -> None:
    """Raise `TypeError` for the first that is not a bool."""
    for name, flag in flags.items():
        check_type(name, flag, bool)


def check_models(models: object, aliases: object) -> None:
    """Raise `TypeError` if these are not the models that a service lists, and their aliases."""
    check_type("model_aliases", aliases, Mapping[str, str] | None)
    if models is None:
        return
    fields = models.items() if isinstance(models, Mapping) else ()
    is_list = isinstance(models, Iterable) and not isinstance(models, str | bytes)
    if not is_list or not all(isinstance(more, Mapping) for _, more in fields):
        raise wrong_type("models", "a list of ids, a mapping from id to a mapping of further fields, or None", models)


def check_store(store: object) -> None:
    """Raise `TypeError` if this is not a store."""
    if store is None or store is ...:
        return
    if isinstance(store, type):
        raise TypeError(f"store must be a store, not a class: {store.__name__}()")
    if not all(callable(getattr(store, method, None)) for method in ("get", "put")):
        raise wrong_type("store", "a ThinkingStore, which has the async methods get and put, or None", store)
