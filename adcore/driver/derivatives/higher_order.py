"""Jacobians, and second derivatives: exact, by forward mode over the reverse sweep.

`ad.hvp(f)`, `ad.hessian(f)` and `ad.jacobian(f)` are called as `f` is. `.bind(...)` takes the same arguments and gives
a call without arguments over them, arrays as they are whenever it is called: it fills the same arrays each time and
asks no allocator for anything. `.explain(...)` says which sweeps that takes and what they keep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from adcore.driver.calls.call import Call
from adcore.driver.calls.sweeps import results, structured, tangent_leaves
from adcore.driver.calls.targets import WrtTarget
from adcore.driver.calls.wrt import Wrt, at
from adcore.driver.derivatives.batching import Cotangents, Tangents, lanes_for
from adcore.driver.derivatives.functional import scalar_seeds
from adcore.driver.request import Options
from adcore.driver.specialisations import is_differentiable
from adcore.ir.types import NUMPY_NAMES, Scalar, Type
from adcore.runtime.messages import unsent
from adcore.runtime.values.arguments import refuse
from adcore.runtime.values.leaves import NDArray
from adcore.signature import ArrayArg, ScalarArg, UniformArg

if TYPE_CHECKING:
    from adcore.analysis.planning.findings import Explanation


class BoundDerivative:
    """`bound()` computes anew over the arguments as they are and returns the same arrays every time."""

    def __call__(self) -> Any:
        raise NotImplementedError

    def explain(self) -> Explanation:
        """Which sweeps run, and what they keep."""
        raise NotImplementedError


class Operator:
    """A derivative of `f`, called as `f` is."""

    def __init__(self, what: str, f: Callable[..., Any], wrt: Wrt, make: Callable[..., BoundDerivative]) -> None:
        self._f, self._wrt, self._make = f, wrt, make
        self.__adcore_derivative__ = "hessian" if make is _Hessian else what.lower()
        self.__adcore_of__ = f, wrt
        self.__name__ = str(getattr(f, "__name__", f))
        self.__doc__ = f"{what} of {self.__name__}."

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.bind(*args, **kwargs)()

    def bind(self, *args: Any, **kwargs: Any) -> BoundDerivative:
        """A call without arguments over these very arrays."""
        extra = {"vector": kwargs.pop("vector")} if self._make is _BoundProduct and "vector" in kwargs else {}
        if self._make is _BoundProduct and not extra:
            raise TypeError(f"hvp({self.__name__}) is called without `vector=`")
        call = at(self._f, args, kwargs, self._wrt, Options())
        return self._make(call, isinstance(self._wrt, tuple), **extra)

    def explain(self, *args: Any, **kwargs: Any) -> Explanation:
        """Which sweeps run for these arguments, and what they keep."""
        return self.bind(*args, **kwargs).explain()


def hvp(f: Callable[..., Any], wrt: Wrt = 0) -> Operator:
    """`hvp(f)(*args, vector=v)`: the product of the Hessian of the scalar function `f` with `v`.

    `v` and the result have the structure of the argument (of a tuple of arguments, if `wrt` is a tuple).
    """
    return Operator("Hessian-vector products", f, wrt, _BoundProduct)


def hessian(f: Callable[..., Any], wrt: Wrt = 0) -> Operator:
    """The Hessian of the scalar function `f`: an array of shape `x.shape + x.shape` (a float for a float).

    For a tuple of arguments a tuple of tuples of blocks.
    """
    return Operator("The Hessian", f, wrt, _Hessian)


hessian.__dict__["__adcore_makes__"] = "hessian"


def jacobian(f: Callable[..., Any], wrt: Wrt = 0) -> Operator:
    """The Jacobian of `f` by one argument: shape `output.shape + x.shape`; a tuple of them for a tuple of arguments,
    and a tuple over the outputs where there are several.

    Runs forward sweeps of up to 8 inputs each, or one reverse sweep per output, whichever are fewer.
    """
    return Operator("The Jacobian", f, wrt, _jacobian)


class _BoundProduct(BoundDerivative):
    def __init__(self, call: Call, several: bool, vector: Any) -> None:
        scalar_seeds(call)
        self.call, self.several = call, several
        vectors = vector if several else (vector,)
        if len(vectors) != len(call.chosen):
            refuse(f"hvp got {len(vectors)} vectors for {len(call.chosen)} arguments")
        self.tangents = tangent_leaves(call, vectors)
        self.sweeper = Tangents(call, 1, higher=True)

    def __call__(self) -> Any:
        self.sweeper.clear()
        self.sweeper.along(self.tangents)
        self.sweeper.run()
        change = [self.sweeper.change(k, 0) for k in range(len(self.call.kinds))]
        found = structured(self.call, change)
        return found if self.several else found[0]

    def explain(self) -> Explanation:
        return _noted(self.sweeper.explain(), "Forward mode over the reverse sweep: " + _twofold(1))


class _Hessian(BoundDerivative):
    def __init__(self, call: Call, several: bool) -> None:
        scalar_seeds(call)
        self.call, self.several = call, several
        self.directions = _directions(call)
        self.sweeper = Tangents(call, lanes_for(call, len(self.directions), True), higher=True)
        kinds = [(_shape(call, t), _dtype(call, t)) for t in call.targets]
        self.blocks = [[np.zeros((_count(a), _count(b)), np.result_type(s, t)) for b, t in kinds] for a, s in kinds]
        self.shaped = [
            [block.reshape(a + b) for block, (b, _) in zip(row, kinds, strict=True)]
            for row, (a, _) in zip(self.blocks, kinds, strict=True)
        ]

    def __call__(self) -> Any:
        sweeper, lanes = self.sweeper, self.sweeper.lanes
        columns = [_leaf(self.call, target) for target in self.call.targets]
        for start in range(0, len(self.directions), lanes):
            batch = self.directions[start : start + lanes]
            _sweep(sweeper, batch, again=start > 0)
            for lane, d in enumerate(batch):
                for block, leaf in zip(self.blocks[d.number], columns, strict=True):
                    change = sweeper.change(leaf, lane)
                    block[d.element] = change.reshape(-1) if isinstance(change, np.ndarray) else change or 0.0
        found = tuple(tuple(map(_plain, row)) for row in self.shaped)
        return found if self.several else found[0][0]

    def explain(self) -> Explanation:
        lanes, count = self.sweeper.lanes, len(self.directions)
        how = f"Forward mode over the reverse sweep: {_sweeps(lanes, count)} for {count} columns. {_twofold(lanes)}"
        return _noted(self.sweeper.explain(), how)


def _jacobian(call: Call, several: bool) -> BoundDerivative:
    with unsent():
        outputs = results(call)[: len(call.returned_types)]
    directions = _directions(call)
    rows = sum(int(np.size(o)) for o in outputs)
    forward = -(-len(directions) // lanes_for(call, len(directions), False)) <= rows
    return (_ByColumns if forward else _ByRows)(call, several, outputs)


class _Jacobian(BoundDerivative):
    """`blocks[output][argument]`: a matrix of elements of the output by elements of the argument."""

    def __init__(self, call: Call, several: bool, outputs: Sequence[Any]) -> None:
        self.call, self.several, self.outputs = call, several, outputs
        self.blocks, self.shaped = [], []
        for output, type_ in zip(outputs, call.returned_types, strict=True):
            own = _float_of(type_)
            shapes = [(_shape(call, t), np.result_type(own, _dtype(call, t))) for t in call.targets]
            self.blocks.append([np.zeros((int(np.size(output)), _count(shape)), dtype) for shape, dtype in shapes])
            self.shaped.append([
                block.reshape(np.shape(output) + shape)
                for block, (shape, _) in zip(self.blocks[-1], shapes, strict=True)
            ])  # fmt: skip

    def found(self) -> Any:
        lines = [tuple(map(_plain, line)) if self.several else _plain(line[0]) for line in self.shaped]
        return lines[0] if self.call.primal.is_single else tuple(lines)


class _ByColumns(_Jacobian):
    def __init__(self, call: Call, several: bool, outputs: Sequence[Any]) -> None:
        super().__init__(call, several, outputs)
        self.directions = _directions(call)
        self.sweeper = Tangents(call, lanes_for(call, len(self.directions), False), higher=False)
        self.columns = [
            np.zeros(int(np.size(o)), line[0].dtype) for o, line in zip(self.outputs, self.blocks, strict=True)
        ]

    def __call__(self) -> Any:
        sweeper, lanes = self.sweeper, self.sweeper.lanes
        for start in range(0, len(self.directions), lanes):
            batch = self.directions[start : start + lanes]
            _sweep(sweeper, batch, again=start > 0)
            for lane, d in enumerate(batch):
                for result, line in enumerate(self.blocks):
                    sweeper.tangent(result, lane, self.columns[result])
                    line[d.number][:, d.element] = self.columns[result]
        return self.found()

    def explain(self) -> Explanation:
        lanes, count = self.sweeper.lanes, len(self.directions)
        how = f"Forward mode, the inputs being fewer: {_sweeps(lanes, count)} for {count} columns."
        return _noted(self.sweeper.explain(), how)


class _ByRows(_Jacobian):
    def __init__(self, call: Call, several: bool, outputs: Sequence[Any]) -> None:
        super().__init__(call, several, outputs)
        self.sweepers = {
            result: Cotangents(call, result, output)
            for result, (type_, output) in enumerate(zip(call.returned_types, self.outputs, strict=True))
            if is_differentiable(type_)
        }

    def __call__(self) -> Any:
        leaves, again = [_leaf(self.call, target) for target in self.call.targets], False
        for result, sweeper in self.sweepers.items():
            for row in range(len(self.blocks[result][0])):
                sweeper.aim(row)
                sweeper.run(again)
                again = True
                for block, leaf in zip(self.blocks[result], leaves, strict=True):
                    adjoint = sweeper.adjoint(leaf)
                    block[row] = adjoint.reshape(-1) if isinstance(adjoint, np.ndarray) else adjoint
        return self.found()

    def explain(self) -> Explanation:
        rows = sum(len(self.blocks[k][0]) for k in self.sweepers)
        how = f"Reverse mode, the outputs being fewer: {rows} sweep{'s' * (rows != 1)} for {rows} rows."
        first = next(iter(self.sweepers.values()), None)
        from adcore.analysis.planning.findings import Explanation

        function = self.call.primal.function
        empty = Explanation(function.name, function.span, (), "0", 0)
        return _noted(first.explain() if first is not None else empty, how)


def _sweep(sweeper: Tangents, batch: Sequence[_Direction], again: bool) -> None:
    """Run along these directions, one a lane; `again`: as before, along others."""
    sweeper.clear()
    for lane, d in enumerate(batch):
        sweeper.aim(lane, d.leaf, d.index)
    sweeper.run(again)


def _sweeps(lanes: int, count: int) -> str:
    sweeps = -(-count // lanes)
    each = f" of {lanes} directions" if lanes > 1 else ""
    return f"{sweeps} sweep{'s' * (sweeps != 1)}{each}"


def _twofold(lanes: int) -> str:
    tangents = "its tangent" if lanes == 1 else f"its {lanes} tangents"
    return f"Each value that is kept comes with {tangents}: {lanes + 1} times the bytes above."


def _noted(explained: Explanation, note: str) -> Explanation:
    return replace(explained, notes=(*explained.notes, note))


def _shape(call: Call, target: WrtTarget) -> tuple[int, ...]:
    """Shape of an argument or a part of one: numbers, arrays and lists of numbers have one."""
    if target.path is None:
        refuse(f"`{target.name}` is never read: its derivatives are zero", help="leave it out of wrt")
    arg, value = call.parts[target.path].arg, target.value
    if isinstance(arg, ScalarArg):
        return ()
    if isinstance(arg, ArrayArg):
        return tuple(value.shape)
    if isinstance(arg, UniformArg) and isinstance(arg.item, ScalarArg):
        return (len(value),)
    return refuse(
        f"`{target.name}` has no one shape: its second derivatives and Jacobians are no arrays",
        help="pass one array, or use ad.hvp, ad.jvp and ad.vjp, which keep structures",
    )


def _count(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape))


def _leaf(call: Call, target: WrtTarget) -> int:
    """The leaf of what has one shape."""
    assert target.path is not None
    return call.parts[target.path].span[0]


def _dtype(call: Call, target: WrtTarget) -> str:
    return _float_of(call.primal.leaves[_leaf(call, target)].type)


def _float_of(type_: Type) -> str:
    """NumPy's name of the floats that derivatives of such values are."""
    element = type_ if isinstance(type_, Scalar) else type_.element
    return NUMPY_NAMES[element.name] if element.kind == "f" else "float64"


@dataclass(frozen=True)
class _Direction:
    """One element that is differentiated: of the argument `number` among the chosen, a leaf."""

    number: int
    leaf: int
    element: int
    index: tuple[int, ...]


def _directions(call: Call) -> list[_Direction]:
    return [
        _Direction(number, _leaf(call, target), element, index)
        for number, target in enumerate(call.targets)
        for element, index in enumerate(np.ndindex(_shape(call, target)))
    ]


def _plain(array: NDArray) -> Any:
    """A Python float for what has no axes."""
    return float(array) if array.ndim == 0 else array
