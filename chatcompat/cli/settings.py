"""Options of `chatcompat serve` from the environment and from a file. Unknown names are errors."""

import os
import sys
import tomllib
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, Final, NoReturn, Union, get_args, get_origin

from cyclopts import App, ArgumentCollection
from cyclopts.config import Env, Toml

PREFIX: Final = "CHATCOMPAT_"
CONFIG: Final = "CHATCOMPAT_CONFIG"
TABLE: Final = "serve"
MODELS: Final = "models"


def config_file() -> Path | None:
    """The configuration file, or None if it does not exist."""
    path = Path(os.environ.get(CONFIG, "chatcompat.toml"))
    return path if path.is_file() else None


def check_settings(_app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Exit if a variable or an option is unknown. Otherwise a misspelt one would be silently ignored."""
    # A flag that turns an option off has no variable, and no place in a file: both say true or false.
    negative = {name.lstrip("-") for argument in arguments for name in argument.negatives}
    hints = {name.lstrip("-"): argument.hint for argument in arguments for name in argument.names}
    for name in negative:
        del hints[name]
    _check_variables(hints, negative)
    path = config_file()
    if path is not None:
        _check_file(path, hints, negative)
    elif CONFIG in os.environ:
        exit_with(f"{CONFIG} names {os.environ[CONFIG]!r}, which is not a file")


def _check_variables(hints: dict[str, Any], negative: Collection[str]) -> None:
    known = {_to_variable(name) for name in hints}
    turned_off = {_to_variable(name): _to_variable(name.removeprefix("no-")) for name in negative}
    for variable in sorted(set(os.environ) - {CONFIG}):
        name = variable.removeprefix(PREFIX)
        if name == variable or name in known:
            continue
        wanted = turned_off.get(name)
        near = _nearest(name, known, PREFIX) if wanted is None else f"; set {PREFIX}{wanted}=false"
        exit_with(f"the environment variable {variable} is not an option of serve{near}")


def _check_file(path: Path, hints: dict[str, Any], negative: Collection[str]) -> None:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        exit_with(f"{path} is not TOML: {error}")
    except OSError as error:
        exit_with(f"{path} cannot be read: {error.strerror}")
    for table in tables:
        if table not in (TABLE, MODELS):
            near = _nearest(table, {TABLE})
            exit_with(f"{path} has {table!r} outside the table [{TABLE}], where it has no effect{near}")
    for name, value in _to_options(path, tables).items():
        option = name.replace("_", "-")
        if option not in hints:
            wanted = f"; set {option.removeprefix('no-')} = false" if option in negative else _nearest(name, hints)
            exit_with(f"{path}: [{TABLE}] has no option {name!r}{wanted}")
        if (expected := _mismatch(hints[option], value)) is not None:
            exit_with(f"{path}: {name} in [{TABLE}] must be {expected}, not {value!r:.100}")


def _to_variable(name: str) -> str:
    return name.upper().replace("-", "_")


def _to_options(path: Path, tables: dict[str, Any]) -> dict[str, Any]:
    """The options in the file. A table `models` has model aliases: native models by the names that clients use."""
    options = tables.get(TABLE, {})
    if not isinstance(options, dict):
        exit_with(f"{path}: {TABLE!r} must be a table, [{TABLE}]")
    spelled: dict[str, str] = {}
    for option in options:
        if (other := spelled.setdefault(option.replace("_", "-"), option)) != option:
            exit_with(f"{path}: [{TABLE}] has both {other!r} and {option!r}, which are the same option")
    options = dict(options)
    aliases = dict(tables.get(MODELS, {})) if isinstance(tables.get(MODELS, {}), dict) else None
    if aliases is None:
        exit_with(f"{path}: {MODELS!r} outside [{TABLE}] must be a table, [{MODELS}]")
    if isinstance(options.get(MODELS), dict):
        aliases |= options.pop(MODELS)
    for name, native in aliases.items():
        if not (isinstance(native, str) and name and native):
            exit_with(f"{path}: {name!r} in [{MODELS}] must be the name of a native model, not {native!r:.100}")
    if aliases:
        name = "model_alias" if "model_alias" in options else "model-alias"
        pairs = options.get(name, [])
        if isinstance(pairs, str | list):  # anything else is refused with the other types
            pairs = [pairs] if isinstance(pairs, str) else pairs
            options[name] = [*pairs, *(f"{chat}={native}" for chat, native in aliases.items())]
    return options


def _mismatch(hint: Any, value: Any) -> str | None:
    """What a value must be, if it is not that. None for a valid value."""
    allowed = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for kind in allowed:
        if get_origin(kind) is list:
            values = value if isinstance(value, list) else [value]
            return None if all(isinstance(item, str) for item in values) else "a list of strings"
        if kind is bool:
            return None if isinstance(value, bool) else "true or false"
        if kind in (int, float):
            numbers = (int,) if kind is int else (int, float)
            is_number = isinstance(value, numbers) and not isinstance(value, bool)
            return None if is_number else "a whole number" if kind is int else "a number"
    return None if isinstance(value, str) else "a string"


class _File(Toml):
    """The file, with the aliases of a table `models` as `model-alias`."""

    def _load_config(self, path: Path) -> dict[str, Any]:
        return {TABLE: _to_options(path, super()._load_config(path))}


SOURCES: Final = (check_settings, Env(PREFIX, command=False), _File(os.environ.get(CONFIG, "chatcompat.toml")))
"""The command line overrides the environment, which overrides the file."""


def _nearest(name: str, known: Collection[str], prefix: str = "") -> str:
    return "".join(f"; did you mean {prefix}{near}?" for near in get_close_matches(name, known, 1))


def exit_with(message: str) -> NoReturn:
    """Print an error, and end the command with the status of a bad value."""
    print(f"chatcompat: {message}", file=sys.stderr)
    sys.exit(2)
