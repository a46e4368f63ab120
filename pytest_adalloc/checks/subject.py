"""What makes the gradient that is checked: the compiler, or any callable of the user's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pytest_adalloc.checks.arguments import Moved, Point, Vector, walk
from pytest_adalloc.checks.evaluation import Outcome, Weights
from pytest_adalloc.report.later import Later
from pytest_adalloc.report.reports import Verdict

if TYPE_CHECKING:
    from pytest_adalloc.hooks import AllocationReport
    from pytest_adalloc.options import Options, Scope


class Unmet(Exception):
    """A step of the check that is not met: the verdict, and its story."""

    def __init__(self, verdict: Verdict, story: str) -> None:
        super().__init__(story)
        self.verdict: Verdict = verdict
        self.story = story


@dataclass(frozen=True)
class Storage:
    """What a gradient keeps between its sweeps; the records and their explanation are made when they are read."""

    bytes: int | None = None
    formula: str = ""
    stored: Later[tuple[Any, ...]] | tuple[Any, ...] = ()
    explanation: Later[str] | str = ""


@dataclass(frozen=True)
class Count:
    """One counted run: what the hooks saw, and what the last counted call left: the gradient, or a derivative by
    forward mode together with what is expected. None: it can't be read."""

    allocations: AllocationReport
    result: Vector | None
    expected: Vector | None = None  # None: the gradient
    sweep: str = "gradient"


class Subject(Protocol):
    """A gradient under test at one point."""

    primal: Callable[..., Any] | None
    coarse: bool  # whether the gradient came with fewer bits than the arguments have

    @property
    def storage(self) -> Storage:
        """What is kept; where only a run can tell how much, what the last call used."""

    @property
    def certificate(self) -> Any:
        """The proof that nothing allocates, None where there can be none."""

    def derive(self, outcome: Outcome, weights: Weights) -> None:
        """Get ready to differentiate: what the function returns and writes is known now."""

    def gradient(self, vector: Vector | None = None) -> Vector:
        """The gradient as a vector, at the point or elsewhere."""

    def forward(self, tangent: Vector) -> float | None:
        """The derivative of the value along a tangent by forward mode; None where there is no forward mode."""

    def second(self, vector: Vector) -> Vector:
        """The Hessian times a vector."""

    def count(self, calls: int, scope: Scope) -> tuple[Count, ...]:
        """Calls counted one by one, arguments put back before each."""


class Foreign:
    """A gradient that someone else computes: `grad(*arguments)` returns it in the structure of the arguments."""

    primal: Callable[..., Any] | None = None
    coarse = False
    storage: Storage = Storage()
    certificate: Any = None

    def __init__(self, grad: Callable[..., Any], point: Point) -> None:
        self._grad, self._point = grad, point

    def derive(self, outcome: Outcome, weights: Weights) -> None:
        """There is nothing to do. Raises TypeError if the function returned nothing."""
        if outcome.value is None:
            raise TypeError("grad= needs a function that returns a number; this one returned None")

    def gradient(self, vector: Vector | None = None) -> Vector:
        """What the callable returns, one component after the other."""
        return self._as_vector(self._grad(*Moved(self._point).at(vector)))

    def forward(self, tangent: Vector) -> float | None:
        """There is none."""
        return None

    def second(self, vector: Vector) -> Vector:
        """There is none. Raises ValueError."""
        raise ValueError("order=2 checks the compiler's second derivatives; with grad= there are none")

    def count(self, calls: int, scope: Scope) -> tuple[Count, ...]:
        """The callable as it is, called from Python, or by native code where it is a function pointer."""
        from pytest_adalloc import hooks

        arguments = Moved(self._point).at()
        counted = hooks.measure(self._grad, *arguments, calls=calls, scope=scope)
        return (Count(counted, self.gradient()),)

    def _as_vector(self, returned: Any) -> Vector:
        point = self._point
        wanted = [leaf for leaf in point.leaves if leaf.moves]
        found = [np.asarray(leaf) for _, leaf in walk(returned, "")]
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


def compiled(f: Callable[..., Any], point: Point, options: Options) -> Subject:
    """The compiler's gradient; the compiler is imported on first use. Raises Unmet if `f` can't be compiled."""
    from pytest_adalloc.checks.compiled import Compiled

    return Compiled(f, point, options)
