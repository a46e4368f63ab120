"""What a gradient from elsewhere does besides giving the right numbers.

A caller relies on more than the numbers: its arguments are as `f` leaves them, another call gives the same, and the
answer is its own. The first two fail the check; memory that is shared is allowed (it is how an answer costs no
allocation) and noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_adalloc.checks.inputs.arguments import Moved, walk
from pytest_adalloc.checks.subjects.evaluation import Outcome
from pytest_adalloc.checks.subjects.foreign import ForeignGradient
from pytest_adalloc.checks.subjects.subject import Unmet
from pytest_adalloc.checks.trial import Trial
from pytest_adalloc.checks.verdict import diagnostics

REORDERED = 64  # roundings: what sums in another order may change from call to call


def require_no_side_effects(trial: Trial, gradient: ForeignGradient, outcome: Outcome) -> None:
    """Call the gradient twice more at the point and look at what else happened.

    Raises Unmet where it leaves other arguments than `f` does ("gradient wrong"), or gives another answer for the same
    arguments ("not deterministic"), be it another one than was compared with the reference.
    """
    __tracebackhide__ = True
    moved = Moved(trial.about.point)
    given = moved.at()
    bare = _leaves(given)
    returned = gradient.call(*given)
    first = _arrays(returned)
    _require_arguments(trial, moved, outcome, bare, _leaves(given))
    borrowed = [trial.about.point.leaves[k].path for k, array in _held(given) if _share([array], first)]
    if borrowed:
        trial.note(f"the gradient is a view of {', '.join(borrowed)}: what is written there later changes it")
    kept = [array.copy() for array in first]
    coarsest = max((_precision(array) for array in first), default=0.0)
    _require_same(trial, [trial.gradient], [gradient.as_vector(returned)], coarsest)
    again = _arrays(gradient.call(*moved.at()))
    _require_same(trial, kept, again)
    if _share(first, again) and not borrowed:
        trial.note("the gradient's memory is the same at each call: the answer before is overwritten")


def _require_arguments(
    trial: Trial, moved: Moved, outcome: Outcome, before: Sequence[Any], after: Sequence[Any]
) -> None:
    """The arguments are as they were, or as `f` leaves them. What only `f` writes is noted."""
    about, leaves = trial.about, trial.about.point.leaves
    written = moved.written()
    wrong = [k for k in written if not _as_left(moved.replica.array(k), outcome.written.get(k))]
    wrong += [k for k, (one, other) in enumerate(zip(before, after, strict=True)) if one is not other]
    if wrong:
        raise Unmet("gradient wrong", diagnostics.changes_arguments(about, [leaves[k].path for k in sorted(wrong)]))
    left = [leaves[k].path for k in outcome.written if k not in written]
    if left:
        trial.note(f"{about.function} writes into {', '.join(left)}, and the gradient leaves it as it was")


def _require_same(
    trial: Trial, first: Sequence[NDArray[Any]], again: Sequence[NDArray[Any]], coarsest: float = 0.0
) -> None:
    """The same numbers twice, but for the order of sums, in the arrays' precision or a coarser one."""
    exact = True
    for one, other in zip(first, again, strict=True):
        if np.array_equal(one, other, equal_nan=one.dtype.kind in "fc"):
            continue
        exact = False
        allowed = REORDERED * max(_precision(one), coarsest) * np.max(np.abs(one), initial=0.0)
        with np.errstate(invalid="ignore"):
            distance = np.abs(one - other)
        if not np.all(distance <= allowed):
            worst = int(np.argmax(np.where(np.isnan(distance), np.inf, distance)))
            pair = one.reshape(-1)[worst], other.reshape(-1)[worst]
            raise Unmet("not deterministic", diagnostics.another_gradient(trial.about, *map(float, pair)))
    if not exact:
        trial.note("two calls of the gradient differ in their last bits: sums are taken in another order each time")


def _precision(array: NDArray[Any]) -> float:
    return float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else 0.0


def _leaves(arguments: Sequence[Any]) -> list[Any]:
    return [leaf for argument in arguments for _, leaf in walk(argument, "")]


def _held(arguments: Sequence[Any]) -> list[tuple[int, NDArray[Any]]]:
    return [(k, leaf) for k, leaf in enumerate(_leaves(arguments)) if isinstance(leaf, np.ndarray)]


def _arrays(returned: Any) -> list[NDArray[Any]]:
    return [np.asarray(leaf) for _, leaf in walk(returned, "") if leaf is not None]


def _share(some: Sequence[NDArray[Any]], others: Sequence[NDArray[Any]]) -> bool:
    return any(a.size and b.size and np.may_share_memory(a, b) for a in some for b in others)


def _as_left(now: NDArray[Any], by_function: NDArray[Any] | None) -> bool:
    return by_function is not None and now.tobytes() == by_function.tobytes()
