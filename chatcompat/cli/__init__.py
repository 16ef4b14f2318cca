"""The command line, with one module for each command."""

from typing import Final

from cyclopts import App

import chatcompat
from chatcompat.cli.check import check
from chatcompat.cli.serve import serve
from chatcompat.cli.settings import SOURCES
from chatcompat.cli.translate import translate_stdin

app: Final = App(name="chatcompat", help=chatcompat.__doc__, version=chatcompat.__version__)
app.command(check)
app.command(serve, config=SOURCES)
app.command(translate_stdin, name="translate")
