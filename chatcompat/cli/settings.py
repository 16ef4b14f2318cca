"""Options of `chatcompat serve` from the environment and from a file. Unknown names are errors."""

import os
import sys
import tomllib
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NoReturn

from cyclopts import App, ArgumentCollection
from cyclopts.config import Env, Toml

PREFIX: Final = "CHATCOMPAT_"
CONFIG: Final = "CHATCOMPAT_CONFIG"
TABLE: Final = "serve"


def config_file() -> Path | None:
    """The configuration file, or None if it does not exist."""
    path = Path(os.environ.get(CONFIG, "chatcompat.toml"))
    return path if path.is_file() else None


def check_settings(_app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Exit if a variable or a table is unknown: a misspelt option would be silently ignored."""
    known = {name.lstrip("-").upper().replace("-", "_") for argument in arguments for name in argument.names}
    for variable in sorted(set(os.environ) - {CONFIG}):
        name = variable.removeprefix(PREFIX)
        if name != variable and name not in known:
            _exit(f"the environment variable {variable} is not an option of serve", _nearest(name, known, PREFIX))
    path = config_file()
    if path is None:
        if CONFIG in os.environ:
            _exit(f"{CONFIG} names {os.environ[CONFIG]!r}, which is not a file")
        return
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        _exit(f"{path} is not TOML: {error}")
    for table in tables:
        if table != TABLE:
            _exit(f"{path} has {table!r} outside the table [{TABLE}], where it has no effect", _nearest(table, {TABLE}))


SOURCES: Final = (check_settings, Env(PREFIX, command=False), Toml(os.environ.get(CONFIG, "chatcompat.toml")))
"""The command line overrides the environment, which overrides the file."""


def _nearest(name: str, known: Collection[str], prefix: str = "") -> str:
    return "".join(f"; did you mean {prefix}{near}?" for near in get_close_matches(name, known, 1))


def _exit(message: str, hint: str = "") -> NoReturn:
    print(f"chatcompat: {message}{hint}", file=sys.stderr)
    sys.exit(2)
