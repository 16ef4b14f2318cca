"""Which regular expressions can cost more than a scan, told from the pattern itself.

A pattern passes where each of these holds; together they mean that a match takes time in proportion to the text, and no
memory for each repetition.

- What a repeat takes cannot also be what stands behind it, unless that has a short bound, or the repeat is possessive:
  so there is one way to match and nothing to try again.
- A repeat is of one character, or possessive: of others the engine keeps a state for each repetition.
- The branches of a choice begin differently.
- Where every place in the text is tried (`search`, `findall`, `sub`), an attempt that fails cannot have scanned over
  places where others begin.
"""

import ast
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import chatcompat

_parser: Final[Any] = import_module("re._parser")
_compiler: Final[Any] = import_module("re._compiler")

# What these read is not a client's or a model's, or they serve their own user only.
APART: Final = ("chatcompat.check", "chatcompat.cli", "chatcompat.simulator")
TRIES_EVERY_PLACE: Final = frozenset({"findall", "finditer", "search", "split", "sub", "subn"})
SHORT: Final = 128  # characters; what has this bound costs no more than so many steps at each place
_ALPHABET: Final = [*range(256), 0x2028, 0x4E2D, 0x1F642]
_REPEATS: Final = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_NOTHING: Final[frozenset[int]] = frozenset()


@dataclass
class Used:
    """A pattern of the package, and the methods that it is used by."""

    pattern: re.Pattern[Any]
    methods: set[str] = field(default_factory=set)


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(chatcompat.__path__, "chatcompat."):
        if not found.name.startswith(APART) and found.name != "chatcompat.__main__":
            yield import_module(found.name)


def source_of(module: ModuleType) -> Path:
    """The file of a module, which stands beside it if it is compiled."""
    found = Path(str(module.__file__))
    return found if found.suffix == ".py" else found.with_name(f"{found.name.partition('.')[0]}.py")


def parsed(module: ModuleType) -> ast.Module:
    return ast.parse(source_of(module).read_text(encoding="utf-8"))


def used_patterns() -> dict[str, Used]:
    """Every compiled pattern by the place that names it; one method of a pattern, kept by itself, is one too."""
    read = [(module, parsed(module)) for module in modules()]
    found: dict[str, Used] = {}
    for module, tree in read:
        for name in _assigned(tree) & vars(module).keys():
            value = vars(module)[name]
            owner = getattr(value, "__self__", None)
            if isinstance(value, re.Pattern):
                found[f"{module.__name__}.{name}"] = Used(value, _methods_of(name, value, read))
            elif isinstance(owner, re.Pattern):
                found[f"{module.__name__}.{name}"] = Used(owner, {value.__name__})
    return found


def _assigned(tree: ast.Module) -> set[str]:
    """The names that a module gives to something of its own."""
    names: set[str] = set()
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def _methods_of(name: str, pattern: re.Pattern[Any], read: list[tuple[ModuleType, ast.Module]]) -> set[str]:
    """What is called of a pattern, wherever it was imported to."""
    return {
        node.attr
        for module, tree in read
        if vars(module).get(name) is pattern
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }


def other_uses() -> list[str]:
    """Uses of `re` that compile nothing by name, so that no pattern escapes the list."""
    return [
        f"{module.__name__}:{node.lineno}"
        for module in modules()
        for node in ast.walk(parsed(module))
        if (isinstance(node, ast.ImportFrom) and node.module == "re")
        or (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr != "compile"
        )
    ]


# ---------------------------------------------------------------- what a pattern costs


def faults(pattern: re.Pattern[Any], methods: set[str]) -> list[str]:
    """Why a pattern can cost more than a scan."""
    parsed = _parser.parse(pattern.pattern, pattern.flags)
    nodes = [*parsed]
    found = _Faults(pattern.flags, parsed.state)
    found.walk(nodes, _NOTHING, 0, within=False)
    if methods & TRIES_EVERY_PLACE:
        found.check_starts(nodes)
    return found.told


class _Faults:
    def __init__(self, flags: int, state: Any) -> None:
        self.told: list[str] = []
        self._as_text = bool(flags & re.UNICODE)
        self._state = state

    def walk(self, nodes: list[Any], follow: frozenset[int], left: int | None, *, within: bool) -> None:
        """`follow` is what may come behind these nodes and `left` how much at most; `within` an endless repeat."""
        for number, (op, value) in enumerate(nodes):
            rest = nodes[number + 1 :]
            behind = self.first(rest) | (follow if self.nullable(rest) else _NOTHING)
            width = self.width(rest)
            room = None if width is None or left is None else width + left
            name = str(op)
            if name in _REPEATS:
                self._check_repeat(name, value, behind, room, within=within)
            elif name == "SUBPATTERN":
                self.walk([*value[-1]], behind, room, within=within)
            elif name == "ATOMIC_GROUP":
                self.walk([*value], _NOTHING, 0, within=within)
            elif name == "BRANCH":
                self._check_branches([[*branch] for branch in value[1]], behind, room, within=within)
            elif name in ("ASSERT", "ASSERT_NOT"):
                self.walk([*value[1]], _NOTHING, 0, within=within)
            elif name.startswith("GROUPREF"):
                self.told.append("refers to a group")

    def _check_repeat(self, name: str, value: Any, behind: frozenset[int], room: int | None, *, within: bool) -> None:
        most, body = value[1], [*value[2]]
        width = self.width(body)
        if width is not None and most is not _parser.MAXREPEAT and width * most <= SHORT:
            self.walk(body, self.first(body) | behind, room, within=within)
            return
        possessive = name == "POSSESSIVE_REPEAT"
        short = room is not None and room <= SHORT and not within
        if not possessive and self.first(body) & behind and not short:
            self.told.append("a repeat takes what stands behind it")
        if not possessive and not self._is_one_character(body):
            self.told.append("keeps a state for each repetition")
        if self.nullable(body):
            self.told.append("repeats what may be nothing")
        self.walk(body, self.first(body) | behind, None, within=True)

    def _check_branches(
        self, branches: list[list[Any]], behind: frozenset[int], room: int | None, *, within: bool
    ) -> None:
        seen: set[int] = set()
        for branch in branches:
            first = self.first(branch) | (behind if self.nullable(branch) else _NOTHING)
            width = self.width(branch)
            if seen & first and (within or width is None or width > SHORT):
                self.told.append("two branches begin alike")
            seen |= first
            self.walk(branch, behind, room, within=within)

    def check_starts(self, nodes: list[Any]) -> None:
        """An attempt that fails behind a long repeat must not have passed places where others begin."""
        starts = self._starts(nodes)
        if starts is None:
            return
        for number, (op, value) in enumerate(nodes):
            rest = nodes[number + 1 :]
            if str(op) == "SUBPATTERN":
                self.check_starts_of(starts, [*value[-1]], rest)
            else:
                self.check_starts_of(starts, [(op, value)], rest)

    def check_starts_of(self, starts: frozenset[int], nodes: list[Any], rest: list[Any]) -> None:
        for number, (op, value) in enumerate(nodes):
            behind = [*nodes[number + 1 :], *rest]
            if str(op) in _REPEATS and self.width([(op, value)]) is None and not self.nullable(behind):
                if self.within([*value[2]]) & starts:
                    self.told.append("attempts that fail overlap")
            elif str(op) == "SUBPATTERN":
                self.check_starts_of(starts, [*value[-1]], behind)

    def _starts(self, nodes: list[Any]) -> frozenset[int] | None:
        """What is at a place where an attempt begins, or before it; None where there is one such place."""
        op, value = nodes[0]
        if str(op) == "AT":
            return None if "BEGINNING" in str(value) else self.first(nodes)
        if str(op) == "SUBPATTERN" and len([*value[-1]]) == 1:
            op, value = next(iter(value[-1]))
        if str(op) == "BRANCH":
            before = [self._before([*branch]) for branch in value[1]]
            if None not in before:
                return frozenset[int]().union(*(chars for chars in before if chars is not None))
        if (chars := self._before([(op, value)])) is not None:
            return chars
        return self.first(nodes)

    def _before(self, nodes: list[Any]) -> frozenset[int] | None:
        """What a look behind wants right before the place."""
        if len(nodes) != 1:
            return None
        op, value = nodes[0]
        if str(op) == "AT" and "BEGINNING" in str(value):
            return _NOTHING
        if str(op) == "ASSERT" and value[0] == -1:
            return self.first([[*value[1]][-1]])
        return None

    # ------------------------------------------------------------ sets of characters

    def first(self, nodes: list[Any]) -> frozenset[int]:
        """What a match of these nodes may begin with."""
        found: frozenset[int] = _NOTHING
        for node in nodes:
            found |= self._first_of(node)
            if not self.nullable([node]):
                break
        return found

    def _first_of(self, node: Any) -> frozenset[int]:
        name, value = str(node[0]), node[1]
        if name in _REPEATS:
            return self.first([*value[2]])
        if name in ("SUBPATTERN", "ATOMIC_GROUP"):
            return self.first([*(value[-1] if name == "SUBPATTERN" else value)])
        if name == "BRANCH":
            return frozenset[int]().union(*(self.first([*branch]) for branch in value[1]))
        return _NOTHING if name in ("AT", "ASSERT", "ASSERT_NOT") else self._chars(node)

    def within(self, nodes: list[Any]) -> frozenset[int]:
        """What may stand anywhere in a match of these nodes."""
        found: frozenset[int] = _NOTHING
        for op, value in nodes:
            name = str(op)
            if name in _REPEATS:
                found |= self.within([*value[2]])
            elif name in ("SUBPATTERN", "ATOMIC_GROUP"):
                found |= self.within([*(value[-1] if name == "SUBPATTERN" else value)])
            elif name == "BRANCH":
                found = found.union(*(self.within([*branch]) for branch in value[1]))
            elif name not in ("AT", "ASSERT", "ASSERT_NOT"):
                found |= self._chars((op, value))
        return found

    def _chars(self, node: Any) -> frozenset[int]:
        """The characters of the alphabet that a node of one character takes: the engine itself is asked."""
        one = _compiler.compile(_parser.SubPattern(self._state, [node]))
        texts: dict[int, str | bytes] = (
            {char: chr(char) for char in _ALPHABET} if self._as_text else {char: bytes([char]) for char in range(256)}
        )
        return frozenset(char for char, text in texts.items() if one.match(text) is not None)

    def nullable(self, nodes: list[Any]) -> bool:
        return all(self._widths(node)[0] == 0 for node in nodes)

    def width(self, nodes: list[Any]) -> int | None:
        """The longest match; None where there is no end to it."""
        total = 0
        for node in nodes:
            most = self._widths(node)[1]
            if most is None:
                return None
            total += most
        return total

    def _is_one_character(self, body: list[Any]) -> bool:
        return len(body) == 1 and str(body[0][0]) in ("ANY", "IN", "LITERAL", "NOT_LITERAL", "RANGE", "CATEGORY")

    def _widths(self, node: Any) -> tuple[int, int | None]:
        """The shortest and the longest match of a node, as the parser tells it."""
        least, most = _parser.SubPattern(self._state, [node]).getwidth()
        return least, None if most >= int(_parser.MAXREPEAT) else most
