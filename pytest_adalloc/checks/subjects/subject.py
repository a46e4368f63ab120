"""What a check needs to know of the gradient that is checked, whoever makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pytest_adalloc.checks.inputs.arguments import Vector
from pytest_adalloc.checks.subjects.evaluation import Outcome, Weights
from pytest_adalloc.checks.verdict.grad_report import Verdict
from pytest_adalloc.checks.verdict.later import Later

if TYPE_CHECKING:
    from pytest_adalloc.hooks import AllocationReport
    from pytest_adalloc.hooks.reports import Scope


class Unmet(Exception):
    """A step of the check that is not met: the verdict, and its diagnostic."""

    def __init__(self, verdict: Verdict, diagnostic: str) -> None:
        super().__init__(diagnostic)
        self.verdict: Verdict = verdict
        self.diagnostic = diagnostic


@dataclass(frozen=True)
class WorkspaceUse:
    """What a gradient keeps between its sweeps; the records and their explanation are made when they are read."""

    bytes: int | None = None
    formula: str = ""
    stored: Later[tuple[Any, ...]] | tuple[Any, ...] = ()
    explanation: Later[str] | str = ""


@dataclass(frozen=True)
class CountedRun:
    """One counted run: what the hooks saw, and what the last counted call left: the gradient, or a derivative by
    forward mode together with what is expected. None: it can't be read."""

    allocations: AllocationReport
    result: Vector | None
    expected: Vector | None = None  # None: the gradient
    sweep: str = "gradient"


@dataclass(frozen=True)
class TimedCall:
    """A call that can be repeated; `restore` puts back before each what it writes into."""

    function: Callable[[], object]
    restore: Callable[[], None] | None = None


class GradientSubject(Protocol):
    """A gradient under test at one point."""

    primal: Callable[..., Any] | None
    ours: bool  # whether our compiler made it
    coarse: bool  # whether the gradient came with fewer bits than the arguments have

    @property
    def storage(self) -> WorkspaceUse:
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

    def count(self, calls: int, scope: Scope) -> tuple[CountedRun, ...]:
        """Calls counted one by one, arguments put back before each."""

    def timed(self) -> tuple[TimedCall, TimedCall]:
        """The primal and the gradient as calls to be timed beside each other."""
