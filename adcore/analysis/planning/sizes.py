"""How often things run and how many bytes they take, as formulas in the argument shapes and trip counts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from adcore.analysis.affine.forms import Affine, Form, known
from adcore.analysis.planning.polynomial import Octets, Polynomial, Sum, octets
from adcore.analysis.structure import Structure
from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import BOOL, ArrayType, ListType, Scalar, Type, is_float
from adcore.machine_model import MODEL


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
            amount = self._over(loop, amount)
        return amount

    def _over(self, loop: Instr, amount: Polynomial) -> Polynomial:
        """The sum of `amount` over the iterations of a loop."""
        counter = loop.regions[0].params[0]
        varying = {atom for atom in amount.atoms() if self._varies(atom, loop)}
        counted = loop.op == "for" and abs(loop.attrs["step"]) == 1
        if loop.op == "for" and not (varying <= {counter} and counted and not _within_compounds(counter, amount)):
            return Polynomial.atom(Sum(loop, amount)) if varying else amount * self.trips(loop)
        if not counted:
            return amount * Polynomial.atom(loop)
        start, stop = self.bounds(loop)
        return amount.sum_over(counter, start, stop) if varying else amount * (stop - start)

    def _varies(self, atom: Hashable, loop: Instr) -> bool:
        """Whether a quantity may be another one in each iteration of `loop`."""
        if isinstance(atom, Instr):
            return any(self._varies(v, loop) for v in atom.operands[:2]) if atom.op == "for" else False
        if not isinstance(atom, Value):
            return False  # what compounds hold is among the atoms
        home = self.structure.home.get(atom)
        return home is not None and loop.regions[0] in self.structure.chain(home)

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
        if instr is not None and instr.op in self.structure.ops.allocs:
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

        def number(atom: Hashable) -> int:
            return int(MODEL.guessed_trips * self.guess(atom.amount)) if isinstance(atom, Sum) else MODEL.guessed_trips

        return float(amount.evaluate(number))

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
                times *= MODEL.guessed_trips
            else:
                times *= self._guess(owner)
        return times

    def _guess(self, loop: Instr) -> float:
        lo, hi = (known(self.affine.form(v)) for v in loop.operands[:2])
        return (
            MODEL.guessed_trips if lo is None or hi is None else float(max(1, len(range(lo, hi, loop.attrs["step"]))))
        )

    def name(self, atom: Hashable) -> str:
        """What an atom is called in a formula: the user's name, `len(x)`, `x.shape[1]`, or a trip count by line."""
        if isinstance(atom, Instr):
            line = atom.span.line if atom.span else 0
            return f"trips(line {line})"
        if isinstance(atom, Sum):
            return self._sum_text(atom)
        if isinstance(atom, Extent):
            whole = f"size({_list_name(atom.array)})"
            return whole if atom.axis is None else _extent_name(atom.array, atom.axis)
        assert isinstance(atom, Value)
        instr = self.structure.definition.get(atom)
        if atom.hint and atom.hint.isidentifier():
            return atom.hint
        if instr is not None and instr.op == "dim":
            return _extent_name(instr.operands[0], instr.attrs["axis"])
        if instr is not None and instr.op == "count":
            return f"len({_list_name(instr.operands[0])})"
        if instr is not None and instr.op in ("minimum", "maximum", "floordiv", "mod", "mul"):
            symbol = {"floordiv": "//", "mod": "%", "mul": "*"}.get(instr.op)
            texts = [self.polynomial(self.affine.form(v)).text(self.name) for v in instr.operands]
            if symbol:
                return f"({symbol.join(f'({t})' if ' ' in t else t for t in texts)})"
            return f"{instr.op[:3]}({', '.join(texts)})"
        if instr is not None and instr.op == "select":
            condition, yes, no = instr.operands
            return f"({self._called(yes)} if {self._called(condition)} else {self._called(no)})"
        if instr is not None and instr.op in _COMPARISONS:
            left, right = map(self._called, instr.operands)
            return f"{left} {_COMPARISONS[instr.op]} {right}"
        return atom.hint or "?"

    def _called(self, value: Value) -> str:
        return self.polynomial(self.affine.form(value)).text(self.name)

    def _sum_text(self, total: Sum) -> str:
        loop = total.loop
        assert isinstance(loop, Instr)
        counter, step = loop.regions[0].params[0], loop.attrs["step"]
        lo, hi = map(self._called, loop.operands[:2])
        item = self._item(loop, total.amount)
        if item is not None and (lo, step) == ("0", 1):
            return f"sum({total.amount.text(self.name)} for {item.result.hint} in {_list_name(item.operands[0])})"
        bounds = ", ".join([hi] if lo == "0" and step == 1 else [lo, hi] if step == 1 else [lo, hi, str(step)])
        return f"sum({total.amount.text(self.name)} for {counter.hint or 'i'} in range({bounds}))"

    def _item(self, loop: Instr, amount: Polynomial) -> Instr | None:
        """The item of a list of which `amount` speaks, if `loop` runs over all of that list and is not mentioned."""
        definition = self.structure.definition
        varying = [
            definition.get(atom) for atom in amount.atoms() if isinstance(atom, Value) and self._varies(atom, loop)
        ]
        items = {definition.get(dim.operands[0]) if dim is not None and dim.op == "dim" else None for dim in varying}
        item, end = next(iter(items), None), definition.get(loop.operands[1])
        if len(items) != 1 or item is None or item.op != "item" or end is None or end.op != "count":
            return None
        whole = item.operands == (end.operands[0], loop.regions[0].params[0])
        return item if whole and item.result.hint else None

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
            return len(self._range(atom, given))
        if isinstance(atom, Sum):
            return self._summed(atom, given)
        if isinstance(atom, Extent):
            array = self._argument(atom.array, given)
            return sum(item.size for item in array) if atom.axis is None else int(array.shape[atom.axis])
        assert isinstance(atom, Value)
        if given.get(atom) is not None:
            return int(given[atom])
        instr = self.structure.definition.get(atom)
        if instr is None:
            raise Unknown(atom)
        if instr.op in ("dim", "count"):
            array = self._argument(instr.operands[0], given)
            return int(array.shape[instr.attrs["axis"]]) if instr.op == "dim" else len(array)
        if instr.op == "const":
            return int(instr.attrs["value"])
        if instr.op not in _EVALUATORS or any(
            not isinstance(v.type, Scalar) or is_float(v.type) for v in instr.operands
        ):
            raise Unknown(atom)
        return int(_EVALUATORS[instr.op](*(self._number(v, given) for v in instr.operands)))

    def _argument(self, array: Value, given: Mapping[Value, Any]) -> Any:
        """The actual array or list of arrays; an item of a list where its number is known."""
        if given.get(array) is not None:
            return given[array]
        instr = self.structure.definition.get(array)
        if instr is None or instr.op != "item":
            raise Unknown(array)
        return self._argument(instr.operands[0], given)[self._number(instr.operands[1], given)]

    def _range(self, loop: Instr, given: Mapping[Value, Any]) -> range:
        lo, hi = (self._number(v, given) for v in loop.operands[:2])
        return range(lo, hi, loop.attrs["step"])

    def _summed(self, total: Sum, given: Mapping[Value, Any]) -> int:
        loop = total.loop
        assert isinstance(loop, Instr)
        iterations = self._range(loop, given)
        if len(iterations) > MODEL.most_summands:
            raise Unknown(total)
        counter = loop.regions[0].params[0]
        each = (total.amount.evaluate(lambda atom, k=k: self._number(atom, {**given, counter: k})) for k in iterations)  # type: ignore[misc]
        return ceil(sum(each))


def _within_compounds(atom: Hashable, amount: Polynomial) -> bool:
    """Whether an atom stands in something that a closed form of a sum does not see into."""
    compounds = (a for m in amount.terms for a, _ in m if isinstance(a, (Octets, Sum)))
    return any(atom in compound.amount.atoms() for compound in compounds)


def _list_name(items: Value) -> str:
    return items.hint.removesuffix("[]")


def _extent_name(array: Value, axis: int) -> str:
    rank_one = str(array.type).split(",")[1] == "1"
    return f"len({array.hint})" if rank_one else f"{array.hint}.shape[{axis}]"


_EVALUATORS: dict[str, Any] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "neg": lambda a: -a,
    "floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "minimum": min, "maximum": max,
    "index": lambda i, n: i + n if i < 0 else i, "select": lambda c, a, b: a if c else b, "abs": abs,
    "lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "and": lambda a, b: a and b, "or": lambda a, b: a or b,
    "not": lambda a: not a,
}  # fmt: skip
_COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
