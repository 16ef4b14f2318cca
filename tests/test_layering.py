"""Imports point downwards: each folder imports only what is below it, and translation is free of IO."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import chatcompat

PACKAGE = Path(chatcompat.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# From the ground up; what stands on one floor does not import its neighbours. A name is a folder, or a module at the
# top; `chatcompat` is the package's own `__init__`.
FLOORS = [
    {"_options", "capabilities", "errors", "simulator"},
    {"dialect"},
    {"record", "store", "wire"},
    {"_telemetry", "check", "redis", "reply", "request"},
    {"translation"},
    {"asgi"},
    {"chatcompat", "inspector", "prometheus", "upstream"},
    {"cli", "otel"},
    {"__main__"},
]
FLOOR = {place: number for number, floor in enumerate(FLOORS) for place in floor}

FREE_OF_IO = ("wire", "request", "reply", "translation")
IO = {"aiohttp", "anyio", "asyncio", "http", "httpx", "selectors", "socket", "ssl", "starlette", "trio", "urllib"}


def place_of(module: str) -> str:
    """The folder, or the module at the top, that a module belongs to."""
    return module.split(".")[1] if "." in module else module


def imports_of(path: Path) -> set[str]:
    """All modules that a file imports, wherever the import stands in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            names = {f"{node.module}.{name.name}" for name in node.names}
            found |= (names & MODULES.keys()) or {node.module or ""}
    return found


IMPORTS = {module: imports_of(path) for module, path in MODULES.items()}
PLACES = sorted({place_of(module) for module in MODULES})


def test_each_folder_and_top_module_has_a_floor() -> None:
    assert set(PLACES) == FLOOR.keys()


@pytest.mark.parametrize("place", PLACES)
def test_imports_point_down(place: str) -> None:
    upward = {
        f"{module} imports {imported}"
        for module, found in IMPORTS.items()
        if place_of(module) == place
        for imported in found & MODULES.keys()
        if place_of(imported) != place and FLOOR[place_of(imported)] >= FLOOR[place]
    }
    assert upward == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    left = {module: found & MODULES.keys() - {module} for module, found in IMPORTS.items()}
    while ground := {module for module, found in left.items() if not found & left.keys()}:
        left = {module: found for module, found in left.items() if module not in ground}
    assert left == {}


@pytest.mark.parametrize("module", [module for module in MODULES if place_of(module) in FREE_OF_IO])
def test_translation_imports_no_io(module: str) -> None:
    assert {imported.partition(".")[0] for imported in IMPORTS[module]} & IO == set()


@pytest.mark.parametrize("module", [module for module in MODULES if place_of(module) in FREE_OF_IO])
def test_translation_needs_msgspec_alone(module: str) -> None:
    needed = {imported.partition(".")[0] for imported in IMPORTS[module]} - set(sys.stdlib_module_names)
    optional = {"pybase64"} if module == "chatcompat.request.base64_data" else set()
    assert needed <= {"chatcompat", "msgspec"} | optional


def test_json_of_the_standard_library_is_left_to_one_module() -> None:
    """It is slow. A body that cannot be decoded may need it, to say where half of a character is."""
    readers = {module for module, found in IMPORTS.items() if place_of(module) in FREE_OF_IO and "json" in found}
    assert readers <= {"chatcompat.request.json_objects"}


@pytest.mark.parametrize(
    "module", ["chatcompat.wire", "chatcompat.request", "chatcompat.reply", "chatcompat.translation"]
)
def test_importing_translation_loads_no_event_loop(module: str) -> None:
    """Also not by way of another import."""
    command = [sys.executable, "-c", f"import {module}, sys; print(*sys.modules)"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert module in loaded
    assert {"anyio", "asyncio", "starlette"}.isdisjoint(loaded)


def test_what_translates_or_describes_imports_no_starlette() -> None:
    apart = {"asgi", "check", "cli", "inspector", "otel", "prometheus", "redis", "simulator", "upstream"}
    users = {
        place_of(module)
        for module, found in IMPORTS.items()
        if {"anyio", "starlette"} & {imported.partition(".")[0] for imported in found}
    }
    assert users <= apart


def test_the_simulator_shares_no_code_with_the_translation() -> None:
    shared = {
        imported
        for module, found in IMPORTS.items()
        if place_of(module) == "simulator"
        for imported in found & MODULES.keys()
        if place_of(imported) != "simulator"
    }
    assert shared == set()
