"""A function in wider arithmetic, for whoever checks a derivative: values and slopes without a derivative rule.

A `Reference` reads the primal's IR as it is before differentiation. See `adcore.jets` for how slopes come about.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from adcore.driver.calls.binding import bind, python_function
from adcore.driver.calls.call import Call
from adcore.driver.evidence.no_reference import NoReference
from adcore.driver.request import Options, standard_ops
from adcore.driver.specialisations import PrimalSpecialisation
from adcore.ir.core import walk
from adcore.ir.types import Scalar
from adcore.jets import Germs, Jet, JetProgram, Jets, NotReadable, RoundedJets, TooMuchWork, program_of
from adcore.jets.elementary import DIGITS_OF_WIDE
from adcore.runtime.values.leaves import LeafValue, flatten
from adcore.source import Span

if TYPE_CHECKING:
    from adcore.driver.evidence.locating import Located, LocatedTangent
    from adcore.driver.evidence.twin import Twin

MOST_COMPONENTS = 512
"""Each number that moves has a slope by each component: twice as many take four times the memory."""

_programs: weakref.WeakKeyDictionary[PrimalSpecialisation, JetProgram] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class ReferenceSlopes:
    """`value`: as the program computes it; `wide`: in wide arithmetic. `slopes`: by component. `undecided`: components
    for which a comparison ends in a tie, or a slope is not finite: ask for their sides. `crossed`: components that a
    decision depends on which rounding turns."""

    value: float
    wide: Any
    slopes: Any
    undecided: tuple[int, ...]
    crossed: tuple[int, ...]


@dataclass(frozen=True)
class OneSide:
    """An instant beside the point: `start`, where the value starts from; `slope`, infinite where it is steeper than any
    line. `defined`: whether there is a value. `crossed`: whether rounding turns a decision."""

    start: float
    slope: Any
    defined: bool = True
    crossed: bool = False


class Reference:
    """The slopes of a function at arguments of one kind. Raises NoReference and what compiling raises."""

    def __init__(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        python = python_function(function)
        names, arguments = bind(python, tuple(args), dict(kwargs))
        call = Call(python, names, arguments, Options())
        if call.groups:
            raise NoReference(f"arguments of {python.__name__} share memory that it writes into")
        self._primal, self._signature = call.primal, call.signature
        self._program = _program(call.primal)

    @property
    def single(self) -> bool:
        """Whether some number of the program has but 32 bits."""
        return self._program.single

    @property
    def text(self) -> str:
        """The program as Python code over an arithmetic `T`."""
        return self._program.text

    def slopes(
        self, args: Sequence[Any], numbers: Sequence[Any], weights: Sequence[Any] | None = None, *, count: int,
        wide: bool = True, seed: int | None = None, budget: float = np.inf,
    ) -> ReferenceSlopes:  # fmt: skip
        """Values and slopes at `args`.

        `numbers`: arguments that hold the number of a component, from 1, in the place of each number that moves, and 0
        elsewhere. `weights`: what is differentiated is not what the function returns, but the sum of what it leaves in
        its arguments, with these weights. `wide`: else in the program's own types; with a `seed` the
        slopes are then rounded at random.
        Raises NoReference after `budget` instructions, and what the program raises."""
        if count > MOST_COMPONENTS:
            raise NoReference(f"{count} components are more than {MOST_COMPONENTS}")
        exact = wide or seed is None
        jets = Jets(count, wide=wide, budget=budget) if exact else RoundedJets(count, seed=seed or 0, budget=budget)

        def number(s: Any, component: Any) -> Any:
            return jets.variable(s, int(component) - 1) if component else jets.const(s)

        total: Jet = self._run(jets, number, args, numbers, weights)
        slopes = np.broadcast_to(np.asarray(total.d), (count,))
        return ReferenceSlopes(float(total.s), total.v, slopes, _components(jets.undecided), _components(jets.crossed))

    def side(
        self,
        args: Sequence[Any],
        speeds: Sequence[Any],
        weights: Sequence[Any] | None = None,
        *,
        budget: float = np.inf,
    ) -> OneSide:
        """What the function does an instant beside `args`, whose numbers move by `speeds`."""
        germs = Germs(budget)

        def number(s: Any, speed: Any) -> Any:
            return germs.variable(s, float(speed)) if speed else germs.const(s)

        try:
            total = self._run(germs, number, args, speeds, weights)
        except (ArithmeticError, ValueError, IndexError):
            return OneSide(np.nan, np.nan, defined=False)
        below = [c for e, c in sorted(total.terms.items()) if 0 < e < 1]
        slope = np.copysign(np.inf, below[0]) if below else total.terms.get(1, np.longdouble(0))
        return OneSide(float(total.start), slope, bool(np.isfinite(total.start)), bool(germs.crossed))

    def twin(self, args: Sequence[Any], numbers: Sequence[Any], chosen: Sequence[int]) -> Twin:
        """The function and its gradient by the arguments number `chosen` as native 80-bit code, at `args`.

        Raises NoReference where there is none."""
        from adcore.driver.evidence.twin import Twin

        return Twin(self._primal.origin.python, args, numbers, chosen)

    def located(
        self, args: Sequence[Any], numbers: Sequence[Any], weights: Sequence[Any] | None = None, *, count: int
    ) -> Located:
        """Value and gradient at `args` by the interpreter, and where they stop to be finite (`ad.locate`).

        Raises NoReference where that is not known."""
        from adcore.driver.evidence.locating import located

        return located(self._primal.origin.python, self._signature.names, args, numbers, weights, count)

    def forward_located(self, args: Sequence[Any], speeds: Sequence[Any]) -> LocatedTangent:
        """The same for forward mode along `speeds`: arguments that hold the tangent of each number in its place."""
        from adcore.driver.evidence.locating import forward_located

        return forward_located(self._primal.origin.python, self._signature.names, args, speeds)

    def places(self, numbers: Sequence[Any], component: int) -> tuple[Span, ...]:
        """Where the program reads what component number `component` (from 0) stands for, in the order of its lines."""
        marked = flatten(self._signature.args, numbers).values
        held = [k for k, mark in enumerate(marked) if any(np.any(m == component + 1) for m in _parts(mark))]
        function, ops = self._primal.function, standard_ops()
        params = {function.params[k] for k in held}
        definition = {v: i for i in walk(function.region) for v in i.results}
        found: dict[tuple[str, int], Span] = {}
        for instr in walk(function.region):
            reads = [v for v in instr.operands if isinstance(v.type, Scalar) or instr.op in ops.readers]
            if instr.span is not None and any(ops.root(v, definition) in params for v in reads):
                found.setdefault((instr.span.file, instr.span.line), instr.span)
        return tuple(found.values())

    def _run(self, arithmetic: Any, number: Callable[[Any, Any], Any], args: Any, marks: Any, weights: Any) -> Any:
        described = self._signature.args
        values, marked = flatten(described, args).values, flatten(described, marks).values
        size = (arithmetic.budget, *map(_size, values))
        if size in self._program.too_long:
            raise NoReference("more instructions than were allowed")
        try:
            params = [_parameter(arithmetic, number, v, m) for v, m in zip(values, marked, strict=True)]
            params += [_parameter(arithmetic, number, v, None) for v in self._primal.captured()]
            with np.errstate(all="ignore"):
                results = self._program.run(arithmetic, *params)
                if weights is None:
                    return results[0] if hasattr(results[0], "s") else arithmetic.const(float(results[0]))
                return _weighted(arithmetic, params, flatten(described, weights).values)
        except TooMuchWork:
            self._program.too_long.add(size)
            raise NoReference("more instructions than were allowed") from None


def _program(primal: PrimalSpecialisation) -> JetProgram:
    if primal not in _programs:
        from adcore.ops.messages import silenced
        from adcore.transform.canonical.dead_code import eliminate_dead_code
        from adcore.transform.canonical.inline import expand
        from adcore.transform.diff.selection import lower_attach
        from adcore.transform.expansion import expand_bulk

        ops = standard_ops()
        # What derivatives are by convention, at ties and at 0, is no property of the function.
        values = eliminate_dead_code(lower_attach(expand(primal.function, everything=True), ops), ops)
        try:
            _programs[primal] = program_of(silenced(expand_bulk(values, ops), ops.effects), ops)
        except NotReadable as problem:
            raise NoReference(f"nothing is known about {problem}") from problem
    return _programs[primal]


def _size(value: LeafValue) -> Any:
    """What decides how long a program runs, mostly."""
    if isinstance(value, tuple):
        return tuple(map(_size, value))
    return value if isinstance(value, int) else np.shape(value)


def _parameter(arithmetic: Any, number: Callable[[Any, Any], Any], value: LeafValue, marks: LeafValue) -> Any:
    """A leaf's value in an arithmetic: numbers, arrays of objects, and arrays of integers as they are."""
    if isinstance(value, tuple):
        return [_parameter(arithmetic, number, v, None if marks is None else marks[k]) for k, v in enumerate(value)]
    if not isinstance(value, np.ndarray):
        if not isinstance(value, (float, np.floating)):
            return value.item() if isinstance(value, np.generic) else value
        return number(value if isinstance(value, np.float32) else float(value), 0 if marks is None else marks)
    if value.dtype.kind != "f":
        return value.copy()
    arithmetic.tick(value.size)
    cells = np.empty(value.size, object)
    flat = value.reshape(-1)
    numbers = flat if value.dtype == np.float32 else flat.tolist()
    marked = [0] * value.size if marks is None else marks.reshape(-1).tolist()
    for k, (x, mark) in enumerate(zip(numbers, marked, strict=True)):
        cells[k] = number(x, mark)
    return cells.reshape(value.shape)


def _parts(mark: LeafValue) -> Sequence[Any]:
    return mark if isinstance(mark, tuple) else (mark,)


def _weighted(arithmetic: Any, params: Sequence[Any], weights: Sequence[LeafValue]) -> Any:
    total = arithmetic.const(0.0)
    for cells, weight in zip(params, weights, strict=False):
        pairs = zip(cells, weight, strict=True) if isinstance(cells, list) else [(cells, weight)]
        for array, factors in pairs:
            if isinstance(array, np.ndarray) and array.dtype == object:
                for cell, factor in zip(array.reshape(-1), np.reshape(factors, -1), strict=True):
                    if factor:
                        total = arithmetic.add_(total, arithmetic.mul_(cell, arithmetic.const(float(factor))))
    return total


def _components(bits: int) -> tuple[int, ...]:
    return tuple(k for k in range(bits.bit_length()) if bits >> k & 1)


def reference(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Reference:
    """The reference of a function for arguments of these kinds: its slopes, without differences and without rules.

    Raises CompileError and ArgumentError as a derivative would, NoReference where nothing can be said.
    """
    return Reference(function, args, kwargs)


__all__ = ["DIGITS_OF_WIDE", "NoReference", "OneSide", "Reference", "ReferenceSlopes", "reference"]
