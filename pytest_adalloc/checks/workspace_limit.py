"""A limit on the workspace as a formula in the shapes, `max_workspace="8*n"`: it holds for all of them, or it fails.

    need   8*len(x) + 16     what the gradient keeps, as the compiler tells it
    limit  24*n              `n` is no argument: the length of the first array that is differentiated
    holds  where need <= limit at every size from 1 to a million, in every combination

Both are evaluated at whole sizes. For sums of products, which is what such formulas are, sizes that far apart decide.
"""

from __future__ import annotations

import ast
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import numpy as np

SIZES = (1, 2, 3, 5, 8, 64, 1_000, 1_000_000)
MOST_COMBINATIONS = 4_096
LENGTH = "n"

_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub,
    ast.Constant, ast.Name, ast.Load, ast.Store, ast.Call, ast.Attribute, ast.Subscript, ast.GeneratorExp,
    ast.comprehension, ast.IfExp, ast.Compare, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq, ast.BoolOp, ast.And,
    ast.Or,
)  # fmt: skip
_FUNCTIONS = {"min": min, "max": max, "sum": sum, "range": range}
_TRIPS = re.compile(r"trips\(line (\d+)\)")


@dataclass(frozen=True)
class SizeFormula:
    """An expression in sizes; `atoms` maps the names in its code to how they are spelled."""

    text: str
    code: CodeType
    atoms: Mapping[str, str]

    @staticmethod
    def of(text: str) -> SizeFormula:
        """Raises ValueError for what is no formula."""
        try:
            tree = ast.parse(_TRIPS.sub(r"trips_line_\1", text.strip()), mode="eval")
        except SyntaxError:
            raise ValueError(_no_formula(text)) from None
        if not all(isinstance(node, _NODES) for node in ast.walk(tree)):
            raise ValueError(_no_formula(text))
        atoms = _Atoms()
        replaced = ast.fix_missing_locations(atoms.visit(tree))
        for node in ast.walk(replaced):
            fine = not isinstance(node, ast.Call) or (isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS)
            whole = not isinstance(node, ast.Constant) or (isinstance(node.value, int) and node.value is not True)
            if not fine or not whole or isinstance(node, (ast.Attribute, ast.Subscript)):
                raise ValueError(_no_formula(text))
        return SizeFormula(text.strip(), compile(replaced, "<formula>", "eval"), atoms.names)

    def at(self, sizes: Mapping[str, int]) -> int:
        """Its value, with a size for the spelling of each atom."""
        values = {name: sizes[spelled] for name, spelled in self.atoms.items()}
        return int(eval(self.code, {"__builtins__": {}, **_FUNCTIONS, **values}))

    @property
    def spelled(self) -> set[str]:
        return set(self.atoms.values())


class _Atoms(ast.NodeTransformer):
    """Puts a name in place of each size: `len(x)`, `x.shape[1]`, `x.size`, `n`."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self._bound: set[str] = set()

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        own = {each.target.id for each in node.generators if isinstance(each.target, ast.Name)} - self._bound
        self._bound |= own
        node = self.generic_visit(node)  # type: ignore[assignment]
        self._bound -= own
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        free = node.id not in _FUNCTIONS and node.id not in self._bound
        return self._atom(node) if free else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id in ("len", "size") and len(node.args) == 1:
            return self._atom(node)
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return self._atom(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return self._atom(node)

    def _atom(self, node: ast.expr) -> ast.AST:
        spelled = ast.unparse(node)
        length = re.fullmatch(r"(.+)\.shape\[0\]", spelled)
        spelled = f"len({length[1]})" if length else spelled
        known = {text: name for name, text in self.names.items()}
        name = known.get(spelled, f"atom_{len(self.names)}")
        self.names[name] = spelled
        return ast.Name(name, ast.Load())


@dataclass(frozen=True)
class WorkspaceLimit:
    """What may be kept: `bytes` at the arguments `row`, and a formula where one was given; `n` stands for `length`."""

    bytes: int
    formula: SizeFormula | None = None
    row: Mapping[str, Any] = field(default_factory=dict)
    length: str = ""

    @staticmethod
    def of(
        given: int | str | None, row: Mapping[str, Any], differentiated: Sequence[str] = ()
    ) -> WorkspaceLimit | None:
        """The limit of a check, None without one. `differentiated` spells by what.

        Raises ValueError for a formula with sizes that no argument has."""
        if given is None or not isinstance(given, str):
            return None if given is None else WorkspaceLimit(int(given))
        formula, length = SizeFormula.of(given), _first_length(row, differentiated)
        sizes = {}
        for spelled in formula.spelled:
            size = _size(length if spelled == LENGTH and LENGTH not in row else spelled, row)
            if size is None:
                raise ValueError(
                    f"max_workspace={given!r}: {spelled} is no size of the arguments; write len(x), x.shape[1], "
                    f"x.size, the name of a whole number, or {LENGTH} for the length of the first array"
                )
            sizes[spelled] = size
        return WorkspaceLimit(formula.at(sizes), formula if formula.atoms else None, row, length)

    def exceeded_by(self, need: str) -> str:
        """Where the formula `need` is larger, such as "16*len(x) is 16 and 8*n + 7 is 15 for len(x) = 1"; else empty.

        A size of `need` that is none of the arguments' (how often a `while` runs) is not compared any further.
        """
        if self.formula is None:
            return ""
        needed = SizeFormula.of(need)
        mine = self.formula.spelled
        own = LENGTH in mine and LENGTH not in self.row and LENGTH not in needed.spelled
        meant = {name: self.length if own and name == LENGTH else name for name in mine}
        if any(atom not in mine and _size(atom, self.row) is None for atom in needed.spelled):
            return ""
        atoms = sorted({each for atom in (*needed.spelled, *meant.values()) for each in _lengths(atom, self.row)})
        for chosen in itertools.product(_tried(len(atoms)), repeat=len(atoms)):
            at = _Sizes(dict(zip(atoms, chosen, strict=True)), self.row)
            allowed, bytes_needed = self.formula.at({name: at[atom] for name, atom in meant.items()}), needed.at(at)
            if bytes_needed > allowed:
                where = ", ".join(f"{atom} = {size}" for atom, size in at.chosen.items())
                return f"{need} is {bytes_needed} and {self.formula.text} is {allowed} for {where}"
        return ""


def _tried(atoms: int) -> tuple[int, ...]:
    """The sizes that each of so many quantities takes."""
    few = max(2, int(MOST_COMBINATIONS ** (1 / max(atoms, 1))))
    return SIZES if few >= len(SIZES) else (*SIZES[: few - 1], SIZES[-1])


class _Sizes(Mapping[str, int]):
    """Chosen sizes; `x.size` is the product of those of its axes."""

    def __init__(self, chosen: Mapping[str, int], row: Mapping[str, Any]) -> None:
        self.chosen, self._row = chosen, row

    def __getitem__(self, spelled: str) -> int:
        return math.prod(self.chosen[each] for each in _lengths(spelled, self._row))

    def __iter__(self) -> Iterator[str]:
        return iter(self.chosen)

    def __len__(self) -> int:
        return len(self.chosen)


def _lengths(spelled: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    """The lengths that make up a size: of `A.size` those of all axes."""
    whole = spelled.removesuffix(".size")
    array = _value(ast.parse(whole, mode="eval").body, row) if whole != spelled else None
    if not isinstance(array, np.ndarray) or not array.ndim:
        return (spelled,)
    return (f"len({whole})", *(f"{whole}.shape[{k}]" for k in range(1, array.ndim)))


def _size(spelled: str, row: Mapping[str, Any]) -> int | None:
    """A size of the arguments, None where they have no such thing."""
    value = _value(ast.parse(spelled, mode="eval").body, row) if spelled else None
    return int(value) if isinstance(value, (int, np.integer)) and not isinstance(value, bool) else None


def _value(node: ast.expr, row: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return row.get(node.id)
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Attribute):
        owner = _value(node.value, row)
        return getattr(owner, node.attr, None) if owner is not None else None
    if isinstance(node, ast.Subscript):
        owner, place = _value(node.value, row), _value(node.slice, row)
        try:
            return owner[place]
        except (TypeError, LookupError):
            return None
    if isinstance(node, ast.Call):
        owner = _value(node.args[0], row)
        return len(owner) if hasattr(owner, "__len__") else None
    return None


def _first_length(row: Mapping[str, Any], differentiated: Sequence[str]) -> str:
    """The spelling of the length that `n` stands for; empty where there is no array."""
    for spelled in (*differentiated, *row):
        value = _value(ast.parse(spelled, mode="eval").body, row)
        if isinstance(value, np.ndarray) and value.ndim:
            return f"len({spelled})"
    return ""


def _no_formula(text: str) -> str:
    return (
        f"max_workspace={text!r}: it is a number of bytes or a formula in sizes such as '8*n' or "
        "'24*len(x) + 8*A.shape[1]'"
    )
