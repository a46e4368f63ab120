"""How often things run and how many bytes they take, as formulas in the argument shapes and trip counts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adcore.analysis.affine import Affine, Form, known
from adcore.analysis.polynomial import Polynomial, octets
from adcore.analysis.structure import Structure
from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import BOOL, ArrayType, ListType, Scalar, Type

GUESS = 100
"""Trips assumed for a loop whose count is unknown while compiling: only ratios of costs matter."""


@dataclass(frozen=True)
class Extent:
    """The size of an array along `axis`, where no instruction of the program asks for it; of a list (no axis): of all
    its arrays together."""

    array: Value
    axis: int | None = None


class Unknown(LookupError):
    """A quantity that is known only while the program runs (the trip count of a `while`, say)."""


def kept_width(type_: Type) -> float:
    """Bytes that each of many kept scalars takes: for a truth value an eighth."""
    return 0.125 if type_ == BOOL else _bytes(type_)


def _bytes(type_: Type) -> int:
    assert isinstance(type_, Scalar)
    return type_.bytes


class Sizes:
    """Trip counts and byte counts of one function."""

    def __init__(self, structure: Structure, affine: Affine) -> None:
        self.structure, self.affine = structure, affine

    def polynomial(self, form: Form) -> Polynomial:
        total = Polynomial()
        for atom, coefficient in form.items():
            part = Polynomial.number(1) if atom == 1 else Polynomial.atom(atom)
            total = total + part * coefficient
        return total

    def bounds(self, loop: Instr) -> tuple[Polynomial, Polynomial]:
        """First value and end of the range that a `for` of step 1 or -1 runs through, ascending."""
        lo, hi = (self.polynomial(self.affine.form(v)) for v in loop.operands[:2])
        one = Polynomial.number(1)
        return (lo, hi) if loop.attrs["step"] > 0 else (hi + one, lo + one)

    def total(self, unit: int, region: Region) -> Polynomial:
        """`unit` bytes in every instance of `region`, summed over all loops around it."""
        amount = Polynomial.number(unit)
        for loop in reversed(self.structure.loops(region)):
            if loop.op == "for" and abs(loop.attrs["step"]) == 1:
                start, stop = self.bounds(loop)
                counter = loop.regions[0].params[0]
                if counter in amount.atoms():
                    amount = amount.sum_over(counter, start, stop)
                else:
                    amount = amount * (stop - start)
            else:
                amount = amount * Polynomial.atom(loop)
        return amount

    def trips(self, loop: Instr) -> Polynomial:
        """How often a `for` runs."""
        if abs(loop.attrs["step"]) != 1:
            return Polynomial.atom(loop)
        start, stop = self.bounds(loop)
        return stop - start

    def kept(self, type_: Type, region: Region) -> Polynomial:
        """Bytes for a scalar of every instance of `region`. Truth values take a bit: in a buffer each run of the
        innermost loop has bytes of its own, among records they follow each other."""
        if type_ != BOOL:
            return self.total(_bytes(type_), region)
        if not self.structure.rectangular(region):
            return octets(self.total(1, region))
        *outer, inner = self.structure.loops(region)
        amount = octets(self.trips(inner))
        for loop in outer:
            amount = amount * self.trips(loop)
        return amount

    def row(self, type_: Type, loop: Instr) -> Polynomial:
        """Bytes for a scalar of every iteration of one run of `loop`."""
        return octets(self.trips(loop)) if type_ == BOOL else self.trips(loop) * _bytes(type_)

    def dimension(self, root: Value, axis: int) -> Polynomial:
        """The size of a parameter or of an array of the function's own region along `axis`."""
        instr = self.structure.definition.get(root)
        if instr is not None and instr.op == "alloc":
            return self.polynomial(self.affine.form(instr.operands[axis]))
        for user in self.structure.users.get(root, ()):
            if user.op == "dim" and user.attrs["axis"] == axis:
                return Polynomial.atom(user.result)
        return Polynomial.atom(Extent(root, axis))

    def array(self, root: Value) -> Polynomial:
        """Bytes of a whole array, or of all arrays of a list."""
        if isinstance(root.type, ListType):
            return Polynomial.atom(Extent(root)) * root.type.element.bytes
        assert isinstance(root.type, ArrayType)
        amount = Polynomial.number(root.type.element.bytes)
        for axis in range(root.type.rank):
            amount = amount * self.dimension(root, axis)
        return amount

    def guess(self, amount: Polynomial) -> float:
        """A number for a formula, every unknown quantity guessed."""
        return float(amount.evaluate(lambda atom: GUESS))

    def estimate(self, region: Region) -> float:
        """Executions of `region` in one call, guessed where unknown; a branch counts half."""
        times = 1.0
        for inner in self.structure.chain(region):
            owner = self.structure.owner[inner]
            if owner is None:
                continue
            if owner.op == "if":
                times *= 0.5
            elif owner.op == "while":
                times *= GUESS
            else:
                times *= self._guess(owner)
        return times

    def _guess(self, loop: Instr) -> float:
        lo, hi = (known(self.affine.form(v)) for v in loop.operands[:2])
        return GUESS if lo is None or hi is None else float(max(1, len(range(lo, hi, loop.attrs["step"]))))

    def name(self, atom: Hashable) -> str:
        """What an atom is called in a formula: the user's name, `len(x)`, `x.shape[1]`, or a trip count by line."""
        if isinstance(atom, Instr):
            line = atom.span.line if atom.span else 0
            return f"trips(line {line})"
        if isinstance(atom, Extent):
            whole = f"size({atom.array.hint.removesuffix('[]')})"
            return whole if atom.axis is None else _extent_name(atom.array, atom.axis)
        assert isinstance(atom, Value)
        instr = self.structure.definition.get(atom)
        if atom.hint and atom.hint.isidentifier():
            return atom.hint
        if instr is not None and instr.op == "dim":
            return _extent_name(instr.operands[0], instr.attrs["axis"])
        if instr is not None and instr.op == "count":
            return f"len({instr.operands[0].hint.removesuffix('[]')})"
        if instr is not None and instr.op in ("minimum", "maximum", "floordiv", "mod", "mul"):
            symbol = {"floordiv": "//", "mod": "%", "mul": "*"}.get(instr.op)
            texts = [self.polynomial(self.affine.form(v)).text(self.name) for v in instr.operands]
            if symbol:
                return f"({symbol.join(f'({t})' if ' ' in t else t for t in texts)})"
            return f"{instr.op[:3]}({', '.join(texts)})"
        return atom.hint or "?"

    def text(self, amount: Polynomial) -> str:
        return amount.text(self.name)

    def evaluate(self, amount: Polynomial, arguments: Sequence[Any]) -> int:
        """Bytes for actual arguments (one per parameter: numbers, arrays, lists of arrays; None is not known). Raises
        Unknown."""
        given = dict(zip(self.structure.function.params, arguments, strict=False))
        return max(0, int(amount.evaluate(lambda atom: self._number(atom, given))))

    def number(self, value: Value, arguments: Sequence[Any]) -> int:
        """An integer of the function's own region for actual arguments. Raises Unknown."""
        given = dict(zip(self.structure.function.params, arguments, strict=False))
        return int(self.polynomial(self.affine.form(value)).evaluate(lambda atom: self._number(atom, given)))

    def _number(self, atom: Hashable, given: Mapping[Value, Any]) -> int:
        if isinstance(atom, Instr):
            if atom.op != "for":
                raise Unknown(atom)
            lo, hi = (self._number(v, given) for v in atom.operands[:2])
            return len(range(lo, hi, atom.attrs["step"]))
        if isinstance(atom, Extent):
            array = given.get(atom.array)
            if array is None:
                raise Unknown(atom)
            return sum(item.size for item in array) if atom.axis is None else int(array.shape[atom.axis])
        assert isinstance(atom, Value)
        if given.get(atom) is not None:
            return int(given[atom])
        instr = self.structure.definition.get(atom)
        if instr is None:
            raise Unknown(atom)
        if instr.op in ("dim", "count"):
            array = given.get(instr.operands[0])
            if array is None:
                raise Unknown(atom)
            return int(array.shape[instr.attrs["axis"]]) if instr.op == "dim" else len(array)
        if instr.op == "const":
            return int(instr.attrs["value"])
        if instr.op not in _EVALUATORS:
            raise Unknown(atom)
        return int(_EVALUATORS[instr.op](*(self._number(v, given) for v in instr.operands)))


def _extent_name(array: Value, axis: int) -> str:
    rank_one = str(array.type).split(",")[1] == "1"
    return f"len({array.hint})" if rank_one else f"{array.hint}.shape[{axis}]"


_EVALUATORS: dict[str, Any] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "neg": lambda a: -a,
    "floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "minimum": min, "maximum": max,
    "index": lambda i, n: i + n if i < 0 else i,
}  # fmt: skip
