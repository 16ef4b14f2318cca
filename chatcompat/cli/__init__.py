"""The command line: one module a command."""

import os
from typing import Final

from cyclopts import App
from cyclopts.config import Env, Toml

import chatcompat
from chatcompat.cli.check import check
from chatcompat.cli.serve import serve
from chatcompat.cli.translate import translate_stdin

PREFIX: Final = "CHATCOMPAT_"
CONFIG: Final = "CHATCOMPAT_CONFIG"

app: Final = App(name="chatcompat", help=chatcompat.__doc__, version=chatcompat.__version__)
app.command(check)
app.command(
    serve,
    config=[
        Env(PREFIX, command=False),
        Toml(os.environ.get(CONFIG, "chatcompat.toml"), must_exist=CONFIG in os.environ),
    ],
)
app.command(translate_stdin, name="translate")
