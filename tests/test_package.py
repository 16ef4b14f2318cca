"""What the package promises as a whole: what it imports, and what it does not have."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import chatcompat

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]


@pytest.mark.parametrize(
    ("code", "not_loaded"),
    [
        ("import chatcompat", {"msgspec", "chatcompat.translation", "chatcompat.wire"}),
        ("from chatcompat import Dialect", {"chatcompat.translation", "chatcompat.wire"}),
        ("from chatcompat import translate", {"hashlib", "json", "base64"}),
        ("from chatcompat import translate", {"anyio", "starlette", "asyncio"}),
        ("import anyio, starlette.types; from chatcompat import ChatCompatMiddleware", {"asyncio"}),
    ],
)
def test_what_is_not_needed_is_not_imported(code: str, not_loaded: set[str]) -> None:
    """Who translates needs no ASGI; who serves has an event loop already, which takes longer than all else."""
    counted = f"import sys; before = {{*sys.modules}}; {code}; print(*({{*sys.modules}} - before))"
    command = [sys.executable, "-c", counted]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not_loaded.isdisjoint(loaded)


@pytest.mark.parametrize("name", chatcompat.__all__)
def test_each_public_name_is_imported_on_first_use(name: str) -> None:
    command = [sys.executable, "-c", f"from chatcompat import {name}; import chatcompat; chatcompat.{name}"]
    subprocess.run(command, check=True)


@pytest.mark.parametrize(
    "module", ["asgi", "capabilities", "dialect", "errors", "record", "reply", "request", "store", "translation"]
)
def test_a_module_of_the_package_needs_no_import_of_its_own(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import chatcompat; chatcompat.{module}"], check=True)


def test_all_public_names_are_listed() -> None:
    code = "import chatcompat; print(set(chatcompat.__all__) <= {*dir(chatcompat)})"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"


def test_another_name_is_no_part_of_the_package() -> None:
    with pytest.raises(AttributeError, match="module 'chatcompat' has no attribute 'Middleware'"):
        chatcompat.Middleware  # type: ignore[attr-defined]  # noqa: B018


def test_each_python_that_is_tested_is_named() -> None:
    tested = re.findall(
        r"\"(3\.\d+)\"", (ROOT / "noxfile.py").read_text().partition("PYTHONS = [")[2].partition("]")[0]
    )
    named = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line]
    assert named == tested
    assert PROJECT["requires-python"] == f">={named[0]}"


def test_the_needs_of_development_are_no_extras() -> None:
    assert set(PROJECT["optional-dependencies"]) == {"otel", "prometheus", "ray", "redis", "serve", "speed", "test"}
    assert set(PYPROJECT["dependency-groups"]) == {"bench", "dev", "docs", "lint", "package"}


@pytest.mark.parametrize("name", ["README.md", "SECURITY.md", ".github/ISSUE_TEMPLATE/config.yml"])
def test_links_to_the_repository_are_those_of_the_package(name: str) -> None:
    text = (ROOT / name).read_text()
    owner = PROJECT["urls"]["Repository"].removeprefix("https://github.com/")
    linked = re.findall(r"https://(?:github|raw\.githubusercontent)\.com/([\w-]+/chatcompat)\b", text)
    assert set(linked) == {owner}
    assert all(url.startswith(PROJECT["urls"]["Repository"]) for url in PROJECT["urls"].values())


def test_pictures_of_the_description_are_shown_on_an_index_too() -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", (ROOT / "README.md").read_text())
    assert pictures
    for picture in pictures:
        base, _, path = picture.partition("/main/")
        assert base.startswith("https://raw.githubusercontent.com/")
        assert (ROOT / path).is_file()


def test_the_version_is_in_the_changelog_with_its_date() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[{re.escape(chatcompat.__version__)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE)


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.name
)
def test_each_issue_template_is_valid(path: Path) -> None:
    template = yaml.safe_load(path.read_text())
    if path.stem != "config":
        assert {"name", "description", "body"} <= template.keys()
        ids = [field["id"] for field in template["body"]]
        assert len(ids) == len(set(ids))


def test_each_hint_to_install_an_extra_works_before_and_after_publication() -> None:
    hints = 0
    for path in (ROOT / "chatcompat").rglob("*.py"):
        for extra in re.findall(r"pip install 'chatcompat\[(\w+)\]'", path.read_text()):
            hints += 1
            assert extra in PROJECT["optional-dependencies"]
            assert f"pip install -e '.[{extra}]'" in path.read_text()
    assert hints >= 6
