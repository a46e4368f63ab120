"""Code with a frame over buffers: it can be run again and again."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from adcore.driver.calls.call import Call
from adcore.driver.specialisations import Specialisation
from adcore.runtime.frames import Frame
from adcore.runtime.values.leaves import LeafValue

if TYPE_CHECKING:
    from adcore.analysis.planning.findings import Explanation


class Run:
    """The code of some sweeps of `call`, and a frame over `values`, one per parameter of it."""

    def __init__(self, call: Call, specialisation: Specialisation, values: list[LeafValue]) -> None:
        self.call, self.specialisation, self.values = call, specialisation, values
        self.frame: Frame = specialisation.kernel.frame(values)

    def execute(self) -> None:
        """Call the native code. Raises what the user's program raises."""
        self.specialisation.kernel.run(self.frame)

    def results(self, frame: Frame | None = None) -> list[Any]:
        """All results of the native code, as the last call in `frame` (default: the run's own) left them: numbers, and
        fresh copies of arrays."""
        frame = self.frame if frame is None else frame
        return [frame.result(k) for k in range(len(frame.layout.results))]

    def explain(self) -> Explanation:
        """What the reverse sweep keeps, if there is one. Remedies are tried out for it: that is done once."""
        return self._explanation

    @functools.cached_property
    def _explanation(self) -> Explanation:
        return self.specialisation.explain(self.call.values)


@dataclass(frozen=True)
class Buffer:
    """An array that a call reads or writes: `path` names it, `role` is "argument" or "shadow"."""

    path: str
    role: str
    array: np.ndarray[Any, Any]
    written: bool


__all__ = ["Buffer", "Run"]
