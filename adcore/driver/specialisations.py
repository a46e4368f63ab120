"""Which compiled code serves a call: by function, kinds of arguments, what is differentiated, and aliasing.

A function is read and compiled to IR once per signature (`PrimalSpecialisation`); numbers that it takes from outside
are looked up again at each use, and a change means a new one. Each keeps its specialisations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from adcore.captures import unwrap
from adcore.driver.compilation import Compilation, Specialisation
from adcore.driver.derivatives.rules import generation
from adcore.driver.interface import Interface
from adcore.driver.request import Groups, Options, Sweep, Variant
from adcore.driver.shared import COMPILING, keep
from adcore.errors import LengthsNeeded, ObjectsNeeded
from adcore.ir.types import ArrayType, ListType, Type, is_float
from adcore.runtime.values.arguments import described_call, refuse
from adcore.runtime.values.leaves import LeafValue, flatten, rebuild
from adcore.runtime.values.objects import LiveObjects
from adcore.signature import ArrayArg, Leaf, LiveAttributes, ScalarArg, Signature, has_objects, leaves

if TYPE_CHECKING:
    from adcore.driver.pipeline import Build
    from adcore.ir.core import Function
    from adcore.lower import SweepPart

# The stages are imported where something is compiled, not before.


@dataclass(frozen=True, eq=False)
class PrimalSpecialisation:
    """A function for one signature, ready to be differentiated."""

    origin: Compilation
    options: Options
    interface: Interface
    specialisations: dict[Variant, Specialisation] = field(default_factory=dict)

    @property
    def signature(self) -> Signature:
        return self.origin.signature

    @property
    def build(self) -> Build:
        """What the stages before differentiation make of it."""
        return self.origin.build

    @property
    def function(self) -> Function:
        """The IR that is differentiated."""
        from adcore.driver.pipeline import SIMPLIFIED

        return self.build.product(SIMPLIFIED)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return self.interface.leaves

    @property
    def written(self) -> frozenset[int]:
        return self.interface.written

    @property
    def result_types(self) -> tuple[Type, ...]:
        return self.interface.result_types

    @property
    def returned_types(self) -> tuple[Type, ...]:
        """The types of the results that the function returns; behind them are attributes that it assigns."""
        return self.interface.result_types[: len(list(leaves(self.interface.result, "")))]

    def rebuild_tangent(self, tangents: Sequence[Any]) -> Any:
        """The derivative of what it returns: floats for floats, None for what has no derivative."""
        return rebuild(self.interface.result, iter(tangents))

    def parts(self, cotangent: Any) -> list[Any]:
        """A cotangent in the structure of what the function returns, by result."""
        return flatten([self.interface.result], [cotangent]).values

    def stretched(self, values: Sequence[LeafValue]) -> set[tuple[int, int]]:
        """Axes of length 1 in a call with these leaves that stretch, or for which this was compiled."""
        found = {
            (k, axis) for k, axis in self.interface.compared if getattr(values[k], "shape", ())[axis : axis + 1] == (1,)
        }
        return found | set(self.signature.ones)

    @property
    def is_single(self) -> bool:
        """Whether the function returns one number or one array, in no container."""
        return isinstance(self.interface.result, (ScalarArg, ArrayArg))

    def captured(self) -> list[Any]:
        """The arrays that the function takes from outside, as they are now."""
        arrays = [capture for capture in self.interface.captures if capture.arg is not None]
        for capture in arrays:
            if not capture.unchanged():
                refuse(
                    f"`{capture.path}` is no longer an array of the kind that this was compiled for",
                    help="compile again",
                )
        return [capture.fetch() for capture in arrays]

    def is_current(self) -> bool:
        """Whether everything that was baked in still has its value."""
        return all(capture.unchanged() for capture in self.interface.captures)

    def relevant(self, groups: Groups, writes: frozenset[int]) -> Groups:
        """The alias groups that matter: sharing memory that nobody writes is harmless."""
        return tuple(group for group in groups if writes & frozenset(group))

    def specialisation(
        self, sweeps: tuple[Sweep, ...], aliases: Groups, values: Sequence[LeafValue], part: SweepPart = "whole"
    ) -> Specialisation:
        """Code for these sweeps under this aliasing; `values` are the primal leaves, for limits in bytes."""
        limit, plain = self.options.workspace, Variant(sweeps, aliases, part)
        if not isinstance(limit, int):
            return self._made(replace(plain, heap=limit == "heap"))
        if limit == 0:
            return self._made(replace(plain, limit=0))
        usual = self._made(plain)
        needed = usual.bytes(values)
        if needed is not None and needed <= limit:
            return usual
        # Leaner code depends on the shapes, through what the plan takes for them.
        shapes = tuple(np.shape(v) if isinstance(v, np.ndarray) else v for v in values if not isinstance(v, list))
        return self._made(replace(plain, limit=limit, shapes=repr(shapes), values=tuple(values)))

    def _made(self, wanted: Variant) -> Specialisation:
        found = self.specialisations.get(wanted)
        if found is not None:
            return found
        with COMPILING:
            if wanted not in self.specialisations:
                self.specialisations[wanted] = Specialisation(self.origin, wanted)
            return self.specialisations[wanted]


MOST_PRIMALS = 1024
"""Compiled functions remembered: lambdas made in a loop, or ever new static values, must not grow for ever."""

_primals: dict[tuple[Any, ...], PrimalSpecialisation] = {}


def primal_of(
    function: Callable[..., Any], signature: Signature, options: Options, live: LiveAttributes | None = None
) -> PrimalSpecialisation:
    """`function` compiled to IR for `signature`, and for what it reads of `live` objects beyond that.

    Raises CompileError."""
    found = _primals.get(_key(function, signature, options))
    if found is not None and found.is_current():
        return found
    with COMPILING:
        return _compiled(function, signature, options, live)


def _compiled(
    function: Callable[..., Any], signature: Signature, options: Options, live: LiveAttributes | None
) -> PrimalSpecialisation:
    """As `primal_of`, for what was not there; another thread may have compiled it since."""
    key = _key(function, signature, options)
    found = _primals.get(key)
    if found is not None and found.is_current():
        return found
    # The function itself is the same under every workspace; each specialisation knows what it was compiled for.
    plain = _primals.get(_key(function, signature, replace(options, workspace="auto")))
    if plain is not None and plain.is_current():
        return keep(_primals, key, replace(plain, options=options), MOST_PRIMALS)
    origin = Compilation(function, signature, options, live)
    primal = PrimalSpecialisation(origin, options, origin.interface())
    return keep(_primals, _key(function, origin.signature, options), primal, MOST_PRIMALS)


def _key(function: Callable[..., Any], signature: Signature, options: Options) -> tuple[Any, ...]:
    # Reloading puts other code into the same function.
    code = getattr(unwrap(function), "__code__", None)
    return (function, code, signature, options, id(options.ops), generation())


MOST_READS = 16
"""Ways of reading the same objects that are remembered: as many as a function has versions by flags, say."""

_wanted: dict[tuple[Any, ...], frozenset[tuple[str, int]]] = {}
"""The lengths that a program needs, by function and what else is known of a call."""

_reads: dict[tuple[Any, ...], list[Signature]] = {}


def primal_for(
    function: Callable[..., Any],
    names: Sequence[str],
    values: Sequence[Any],
    options: Options,
    weaken: Callable[[Signature], Signature],
) -> tuple[PrimalSpecialisation, LiveObjects]:
    """`function` compiled to IR for a call with `values`, and the objects of that call. `weaken` makes the signature
    fit more than these values.

    What a program reads of objects is only known once it was compiled. Later calls are described by what an earlier one
    has read; where that gives another signature than the earlier one's, the program is compiled anew. So it is
    where the program needs more of a call than others do (`Needs`)."""
    key = (function, getattr(unwrap(function), "__code__", None))
    known = _needs.get(key, NOTHING)
    try:
        return _primal_with(function, names, values, options, weaken, known)
    except (ObjectsNeeded, LengthsNeeded) as needed:
        more = known.together(needed)
        if more == known:
            raise
        keep(_needs, key, more, MOST_PRIMALS)
    return primal_for(function, names, values, options, weaken)


@dataclass(frozen=True)
class Needs:
    """What the signatures of a function's calls have to say that others need not: `classes` of dataclasses whose
    instances are objects, because the function assigns their fields; `lengths` of arguments, by path and axis."""

    classes: frozenset[type] = frozenset()
    lengths: frozenset[tuple[str, int]] = frozenset()

    def together(self, needed: ObjectsNeeded | LengthsNeeded) -> Needs:
        if isinstance(needed, ObjectsNeeded):
            return replace(self, classes=self.classes | needed.classes)
        return replace(self, lengths=self.lengths | needed.wanted)

    def described(
        self, names: Sequence[str], values: Sequence[Any], like: Signature | None = None
    ) -> tuple[Signature, LiveObjects]:
        """The signature of a call, and its objects."""
        signature, live = described_call(names, values, like, self.classes)
        return measured(signature, values, self.lengths), live


NOTHING = Needs()

_needs: dict[tuple[Any, ...], Needs] = {}


def measured(signature: Signature, values: Sequence[Any], wanted: Iterable[tuple[str, int]]) -> Signature:
    """`signature` with those lengths of the arguments that are wanted, and are there."""
    if not wanted:
        return signature
    own = [leaf.path for leaf in signature.leaves()]
    leaves_of = dict(zip(own, flatten(signature.args, values).values, strict=True))
    shapes = {path: leaf.shape if isinstance(leaf, np.ndarray) else (len(leaf),)
              for path, leaf in leaves_of.items() if isinstance(leaf, (np.ndarray, tuple, list))}  # fmt: skip
    found = [(path, axis, shapes[path][axis]) for path, axis in sorted(wanted) if axis < len(shapes.get(path, ()))]
    return replace(signature, lengths=tuple(found))


def _primal_with(
    function: Callable[..., Any], names: Sequence[str], values: Sequence[Any], options: Options,
    weaken: Callable[[Signature], Signature], needs: Needs,
) -> tuple[PrimalSpecialisation, LiveObjects]:  # fmt: skip
    """As `primal_for`, for signatures that say what is needed."""
    coarse, live = needs.described(names, values)
    if not any(map(has_objects, coarse.args)):
        return primal_of(function, weaken(coarse), options), live
    known = _reads_of(function, coarse, options)
    for read in tuple(known):
        described, live = needs.described(names, values, read)
        found = _primals.get(_key(function, weaken(described), options))
        if found is not None and found.is_current():
            return found, live
    with COMPILING:
        _, asked = needs.described(names, values)
        primal = primal_of(function, coarse, options, asked)
        # The user's objects are not kept alive.
        asked.forget()
        # What was read first need not be what is met first, depth first, where objects are shared.
        described, live = needs.described(names, values, primal.signature)
        if described in known:
            known.remove(described)
        known.insert(0, described)
        del known[MOST_READS:]
    wanted = weaken(described)
    return primal if wanted == primal.signature else primal_of(function, wanted, options), live


def _reads_of(function: Callable[..., Any], coarse: Signature, options: Options) -> list[Signature]:
    key = (function, coarse, options.boundscheck, id(options.ops))
    found = _reads.get(key)
    return keep(_reads, key, [], MOST_PRIMALS) if found is None else found


def is_differentiable(type_: Type) -> bool:
    """Whether a leaf or a result has a derivative."""
    return is_float(type_) if not isinstance(type_, (ArrayType, ListType)) else is_float(type_.element)


__all__ = ["PrimalSpecialisation", "Specialisation", "is_differentiable", "primal_of"]
