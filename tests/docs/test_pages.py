"""Tables in the pages have what the code has: each option with its default, each error code, each command's options."""

import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

import chatcompat
from chatcompat.cli.serve import serve
from chatcompat.prometheus import PrometheusMetrics
from chatcompat.reply.errors import ERROR_TYPES
from chatcompat.simulator.faults import _ITEMS
from tests.docs.pages import DOCS, PAGES, README, table_rows, text_of
from tests.servers.running import ROOT
from tests.test_surface import SURFACE

OPTIONS = re.compile(r"<!-- options: ([\w.]+)\.(\w+) -->")
TABLES = [(page.name, *found.groups()) for page in PAGES.values() for found in OPTIONS.finditer(text_of(page))]
# `[text](target)`; a target in this repository has no scheme.
LINK = re.compile(r"\]\((?!\w+:)([^)\s]+)\)")
# What leads to the repository from elsewhere. The README is also shown by package indices.
REPOSITORY = "https://github.com/chatcompat/chatcompat"
INTO_REPOSITORY = re.compile(rf"{REPOSITORY}/(?:blob|tree)/main/([^)\s]+)")
DEFINED = re.compile(r"^\[([^\]]+)\]: \S+$", re.MULTILINE)
UNITS = {"": 1, "s": 1, "KiB": 1024, "MiB": 1024**2}
PACKAGE = Path(chatcompat.__file__).parent


def options_of(module: str, name: str) -> dict[str, Any]:
    """The keyword arguments with their defaults."""
    parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters.values()
    return {one.name: one.default for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY}


def value_of(cell: str) -> Any:
    """The value that a cell shows: a number with its unit, a word in the code, or else None."""
    if number := re.fullmatch(r"([\d,.]+) ?(s|KiB|MiB)?", cell):
        return float(number[1].replace(",", "")) * UNITS[number[2] or ""]
    word = cell.strip("`").strip('"')
    return {"True": True, "False": False, "None": None, "": None}.get(word, word)


def anchors(page: Path) -> set[str]:
    """The anchors of the headings, as the site and the repository's own view make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "module", "name"), TABLES)
def test_a_table_has_each_option_with_its_default(page: str, module: str, name: str) -> None:
    options = options_of(module, name)
    rows = table_rows(text_of(DOCS / page), f"<!-- options: {module}.{name} -->")
    shown = {option: row[1] for row in rows for option in re.findall(r"`(\w+)`", row[0])}
    assert sorted(shown) == sorted(options)
    for option, cell in shown.items():
        if isinstance(default := options[option], bool | int | float | str | None):
            assert value_of(cell) == default, option


def test_the_tables_of_options_are_known() -> None:
    names = {name for _, _, name in TABLES}
    assert names == {"ChatCompatMiddleware", "Dialect", "RequestBounds", "RedisStore", "Upstream"}


def test_each_error_code_is_explained() -> None:
    """The codes that the package gives. `server_shutdown` is a constant there."""
    codes = {code for _, _, code in ERROR_TYPES.values() if code}
    codes |= {"server_shutdown", "context_length_exceeded"}
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] not in ("simulator", "check", "cli"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.keyword("code", ast.Constant(str(code))):
                        codes.add(code)
    text = text_of(DOCS / "errors.md")
    assert {code for code in codes if f"`{code}`" not in text} == set()


def test_each_native_error_is_in_the_table() -> None:
    rows = table_rows(text_of(DOCS / "errors.md"), "## Errors of the inner app")
    shown = {row[0].strip("`"): (int(row[1]), row[2].strip("`")) for row in rows}
    assert shown == {native: (status, kind) for native, (status, kind, _) in ERROR_TYPES.items()}


def test_each_option_of_serve_is_explained() -> None:
    text = text_of(DOCS / "commands.md") + text_of(DOCS / "operations.md")
    named = set(re.findall(r"--(?:no-)?([a-z-]+)", text))
    hidden = {"ssl-keyfile-password"}  # set in the environment
    assert {name.replace("_", "-") for name in inspect.signature(serve).parameters} - hidden - named == set()


def test_each_item_of_the_simulators_header_is_explained() -> None:
    text = text_of(DOCS / "simulator.md").partition("## The header")[2]
    assert set(re.findall(r"`([a-z-]+)(?:=[A-Z]+(?:\.5)?)?`(?=[,| ])", text)) >= set(_ITEMS)


def test_the_reference_has_each_public_name_once() -> None:
    named = re.findall(r"^::: ([\w.]+)$", text_of(DOCS / "reference.md"), re.MULTILINE)
    last = [name.rpartition(".")[2] for name in named]
    assert sorted(last) == sorted({name for names in SURFACE.values() for name in names})
    assert {name for name in named if name.rpartition(".")[2] not in SURFACE[name.rpartition(".")[0]]} == set()


@pytest.mark.parametrize("name", PAGES)
def test_each_file_and_heading_that_a_page_names_exists(name: str) -> None:
    page, text = PAGES[name], text_of(PAGES[name])
    targets = [(target, page.parent) for target in LINK.findall(text)]
    targets += [(target, ROOT) for target in INTO_REPOSITORY.findall(text)]
    for target, base in targets:
        path, _, anchor = target.partition("#")
        linked = (base / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target
    named = re.findall(r"`((?:benchmarks|chatcompat|docs|examples|tests|\.ci)/[\w./-]*)`", text)
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_links_in_the_readme_work_elsewhere_too() -> None:
    text = README.read_text(encoding="utf-8")
    assert LINK.findall(text) == []
    used = {
        label.lower()
        for label in re.findall(r"\[([^\]\n]+)\](?![(:])", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    }
    assert used == {label.lower() for label in DEFINED.findall(text)}
    assert f"repo_url: {REPOSITORY} " in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")


def test_the_readme_links_to_each_page() -> None:
    linked = set(re.findall(r"/docs/(\w[\w-]*\.md)", README.read_text(encoding="utf-8")))
    only_on_the_site = {"changelog.md", "index.md", "reference.md"}
    assert linked == {page.name for page in PAGES.values() if page != README} - only_on_the_site


def test_the_readme_is_a_screen_and_a_half() -> None:
    text = DEFINED.sub("", README.read_text(encoding="utf-8")).rstrip()
    assert len(text.splitlines()) <= 115


def test_each_metric_is_listed() -> None:
    registry = CollectorRegistry()
    PrometheusMetrics(registry=registry)
    suffix = {"counter": "_total", "histogram": ""}
    metrics = {metric.name.removeprefix("chatcompat_") + suffix[metric.type] for metric in registry.collect()}
    rows = table_rows(text_of(DOCS / "operations.md"), "### Prometheus")
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row[0]) if "_" in name} == metrics | {
        "credits_consumed"
    }
