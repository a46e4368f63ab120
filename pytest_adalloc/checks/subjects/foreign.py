"""A gradient of the user's as a subject: any callable that returns it in the structure of the arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_adalloc.checks.inputs.arguments import Moved, Point, Vector, walk
from pytest_adalloc.checks.inputs.flat import FlatFunction
from pytest_adalloc.checks.subjects.evaluation import Outcome, Weights
from pytest_adalloc.checks.subjects.subject import CountedRun, TimedCall, Unmet, WorkspaceUse

if TYPE_CHECKING:
    from pytest_adalloc.hooks.reports import Scope


class ForeignGradient:
    """A gradient that someone else computes: `grad(*arguments)` returns it in the structure of the arguments."""

    primal: Callable[..., Any] | None = None
    coarse = False
    storage: WorkspaceUse = WorkspaceUse()
    certificate: Any = None

    def __init__(self, grad: Callable[..., Any], point: Point, function: FlatFunction) -> None:
        self._grad, self._point, self._function = grad, point, function
        self.ours = type(grad).__module__.partition(".")[0] == "adcore" or hasattr(grad, "__adcore_derivative__")

    def derive(self, outcome: Outcome, weights: Weights) -> None:
        """There is nothing to do. Raises TypeError if the function returned nothing."""
        if outcome.value is None:
            raise TypeError("grad= needs a function that returns a number; this one returned None")

    def call(self, *row: Any) -> Any:
        """What the callable returns for a row of arguments. It is called as the function was."""
        args, kwargs = self._function.as_given(row)
        return self._grad(*args, **kwargs)

    def gradient(self, vector: Vector | None = None) -> Vector:
        """What the callable returns, one component after the other."""
        return self.as_vector(self.call(*Moved(self._point).at(vector)))

    def forward(self, tangent: Vector) -> float | None:
        """There is none."""
        return None

    def second(self, vector: Vector) -> Vector:
        """There is none. Raises ValueError."""
        raise ValueError("order=2 checks the compiler's second derivatives; with grad= there are none")

    def count(self, calls: int, scope: Scope) -> tuple[CountedRun, ...]:
        """The callable as it is, called from Python, or by native code where it is a function pointer."""
        from pytest_adalloc import hooks

        args, kwargs = self._function.as_given(Moved(self._point).at())
        counted = hooks.measured(self._grad, args, kwargs, calls=calls, scope=scope)
        return (CountedRun(counted, self.gradient()),)

    def timed(self) -> tuple[TimedCall, TimedCall]:
        """The function as it is called by its users, and their gradient, on arguments of their own."""
        calls = []
        for function in (self._function.function, self._grad):
            replica = Moved(self._point)
            args, kwargs = self._function.as_given(replica.at())
            call = TimedCall(partial(function, *args, **kwargs))
            call.function()
            calls.append(TimedCall(call.function, replica.replica.restore) if replica.written() else call)
        return calls[0], calls[1]

    def as_vector(self, returned: Any) -> Vector:
        """The components of an answer in a row. Raises Unmet where its structure is not that of the arguments."""
        point = self._point
        wanted = [leaf for leaf in point.leaves if leaf.moves]
        found = [np.asarray(leaf) for _, leaf in walk(returned, "") if not isinstance(leaf, str)]
        if len(point.wrt) == 1 and isinstance(returned, (tuple, list)) and len(returned) == 1 and len(found) == 1:
            found = [np.asarray(returned[0])]
        floats = [array for array in found if array.dtype.kind in "fiu"]
        if sum(array.size for array in floats) != point.size or len(floats) != len(found):
            shapes = ", ".join(str(array.shape) if array.dtype != object else "None" for array in found)
            raise Unmet(
                "gradient wrong",
                f"the gradient has the wrong structure: it should have {_shapes(wanted)} for "
                f"{', '.join(leaf.path for leaf in wanted)}, and grad returned {shapes or 'nothing'}."
                + _wrt_hint(point, floats),
            )
        if len(floats) == len(wanted):
            for leaf, array in zip(wanted, floats, strict=True):
                if array.shape != (leaf.shape or ()) and array.size != 1:
                    raise Unmet(
                        "gradient wrong",
                        f"the gradient of {leaf.path} has shape {array.shape} where {leaf.path} has {leaf.shape}.",
                    )
        self.coarse = any(array.dtype.kind == "f" and array.dtype.itemsize < point.dtype.itemsize for array in found)
        flat = [array.reshape(-1).astype(np.float64) for array in floats]
        return np.concatenate(flat or [np.zeros(0)])


def _shapes(leaves: list[Any]) -> str:
    return ", ".join("a number" if leaf.shape is None else f"shape {leaf.shape}" for leaf in leaves)


def _wrt_hint(point: Point, floats: list[Any]) -> str:
    if len(point.wrt) > 1 and len(floats) == 1:
        return f" If it is the gradient of one argument alone, say which: wrt={point.names[point.wrt[0]]!r}."
    return ""
