"""The command line: one module a command."""

import os
from pathlib import Path
from typing import Final

from cyclopts import App, CycloptsError
from cyclopts.config import Env, Toml

import chatcompat
from chatcompat.cli.check import check
from chatcompat.cli.serve import serve
from chatcompat.cli.translate import translate_stdin

PREFIX: Final = "CHATCOMPAT_"
CONFIG: Final = "CHATCOMPAT_CONFIG"


def _need_named_file(*_: object) -> None:
    """Raise an error of the command line, not a traceback, where the file that is named is none."""
    name = os.environ.get(CONFIG)
    if name is not None and not Path(name).is_file():
        raise CycloptsError(msg=f"{CONFIG} names {name!r}, which is not a file.")


app: Final = App(name="chatcompat", help=chatcompat.__doc__, version=chatcompat.__version__)
app.command(check)
app.command(
    serve,
    config=[
        Env(PREFIX, command=False),
        _need_named_file,
        Toml(os.environ.get(CONFIG, "chatcompat.toml")),
    ],
)
app.command(translate_stdin, name="translate")
