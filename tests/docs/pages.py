"""The pages of the documentation, and the snippets in them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.servers.running import ROOT

DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = {path.name: path for path in (README, *sorted(DOCS.glob("*.md")))}

_FENCE = re.compile(
    r"(?:^<!-- (?P<kind>setup|not run: )(?P<comment>.*?)-->\n\s*)?"
    r"^(?P<indent> *)```(?:{\.)?(?P<language>\w+)}?\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_INCLUDED = re.compile(r'^--8<-- "(.+)"$', re.MULTILINE)


class Snippet(NamedTuple):
    """A fenced block. `setup` are hidden lines before it, `not_run` is the reason why it only shows something."""

    line: int
    language: str
    code: str
    setup: str
    not_run: str

    @property
    def file(self) -> str | None:
        """The name in the first line, `# service.py`, of a snippet to save as a file."""
        found = re.match(r"# ([\w.]+\.(?:py|toml))\n", self.code)
        return found[1] if found else None


def text_of(page: Path) -> str:
    """The text, with the files that the site includes."""
    text = page.read_text(encoding="utf-8")
    return _INCLUDED.sub(lambda found: (ROOT / found[1]).read_text(encoding="utf-8").rstrip(), text)


def snippets(page: Path) -> Iterator[Snippet]:
    text = text_of(page)
    for found in _FENCE.finditer(text):
        code = re.sub(f"^{found['indent']}", "", found["code"], flags=re.MULTILINE)
        comment = (found["comment"] or "").strip()
        setup, not_run = (comment, "") if found["kind"] == "setup" else ("", comment)
        yield Snippet(text.count("\n", 0, found.start("code")), found["language"], code, setup, not_run)


def table_rows(text: str, mark: str) -> list[list[str]]:
    """The cells of all tables between `mark` and the next heading."""
    part = re.split(r"^#", text.partition(mark)[2], maxsplit=1, flags=re.MULTILINE)[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]
