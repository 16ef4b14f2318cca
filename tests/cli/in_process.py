"""`chatcompat serve` in this process, up to the point where it would listen."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import chatcompat.cli
from chatcompat.__main__ import main
from chatcompat.cli.server import ServeConfig

SERVE = sys.modules["chatcompat.cli.serve"]  # the package has the function by this name


@dataclass
class Command:
    """The command in an empty folder. `served` are the configurations with which it would have listened."""

    folder: Path
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]
    served: list[ServeConfig] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.patch.chdir(self.folder)
        self.patch.setattr(SERVE, "_run", lambda config, _: self.served.append(config))

    def run(self, *options: str, text: str | None = None) -> tuple[int, str]:
        """The exit status, and what was printed on stderr. `text` is the configuration file."""
        if text is not None:
            (self.folder / "chatcompat.toml").write_text(text)
        self.patch.setattr(sys, "argv", ["chatcompat", "serve", *options])
        status: Any = 0
        try:
            main()
        except SystemExit as stopped:
            status = stopped.code
        return int(status or 0), self.capture.readouterr().err


assert chatcompat.cli.app
