"""From annotations to the run that serves them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adcore.activities import BatchDuplicated, Mode, ReverseSplit
from adcore.driver.calls.batch import BatchRun
from adcore.driver.calls.in_place import InPlaceRun
from adcore.driver.calls.reverse_batch import ReverseBatchRun
from adcore.driver.calls.split_run import SplitRun
from adcore.driver.request import Options
from adcore.driver.specialisations import PrimalSpecialisation


def annotated_run(
    mode: Mode,
    function: Callable[..., Any],
    names: Sequence[str],
    annotated: Sequence[Any],
    options: Options,
    expected: PrimalSpecialisation | None = None,
) -> InPlaceRun:
    """The call with these annotations, ready to run."""
    cls: type[InPlaceRun] = InPlaceRun
    if any(isinstance(a, BatchDuplicated) for a in annotated):
        cls = ReverseBatchRun if mode.sweep == "reverse" and mode is not ReverseSplit else BatchRun
    elif mode is ReverseSplit:
        cls = SplitRun
    return cls(mode, function, names, annotated, options, expected)


__all__ = ["annotated_run"]
