"""What the site changes in the pages, which are written to be read in the repository too."""

import logging
import re
from pathlib import Path, PurePosixPath
from typing import Any, Final

from mkdocs.structure.files import File, Files

PICTURES: Final = ("benchmarks/cost.svg",)
_OUTSIDE: Final = re.compile(r"(?<!!)\[([^\]]*)\]\(\.\./([^)\s#]+)\)")

_logger: Final = logging.getLogger("mkdocs.plugins.hooks")  # a warning fails a strict build


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Add the pictures that other folders have."""
    for picture in PICTURES:
        files.append(File.generated(config, picture, abs_src_path=picture))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Link to the repository where a link leaves `docs/`. Without `repo_url` only the text stays."""
    for picture in PICTURES:
        markdown = markdown.replace(f"](../{picture})", f"]({picture})")

    def linked(match: re.Match[str]) -> str:
        text, target = match.groups()
        if not (Path(config.docs_dir).parent / target).exists():
            _logger.warning("%s links to %s, which is not in the repository", page.file.src_uri, target)
        if not config.repo_url:
            return text
        return f"[{text}]({config.repo_url.rstrip('/')}/blob/main/{PurePosixPath(target)})"

    return _OUTSIDE.sub(linked, markdown)
