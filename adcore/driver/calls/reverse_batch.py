"""Reverse sweeps with several seeds: one call, a sweep for each set of shadows.

The shadows of what the function writes bring a seed each, so that every row of a Jacobian (or any other combinations of
them) is there after one call. A sweep may use up what it reads and writes, so the arguments are put back between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adcore.activities import BatchDuplicated, Duplicated, Mode
from adcore.driver.calls.annotations import annotate
from adcore.driver.calls.in_place import InPlaceRun
from adcore.driver.request import Options
from adcore.driver.specialisations import PrimalSpecialisation
from adcore.runtime.alias_guard import share_memory
from adcore.runtime.frames import Frame
from adcore.runtime.values.arguments import refuse
from adcore.runtime.values.leaves import arrays


class ReverseBatchRun(InPlaceRun):
    """The run with the first shadows of its BatchDuplicated arguments, and one for each of the others."""

    def __init__(
        self,
        mode: Mode,
        function: Callable[..., Any],
        names: Sequence[str],
        annotated: Sequence[Any],
        options: Options,
        expected: PrimalSpecialisation | None = None,
    ) -> None:
        given = [annotate(a) for a in annotated]
        widths = {len(a.shadows) for a in given if isinstance(a, BatchDuplicated)}
        if len(widths) > 1 or 0 in widths:
            refuse(f"BatchDuplicated arguments have {', '.join(map(str, sorted(widths)))} shadows")

        def lane(k: int) -> list[Any]:
            return [Duplicated(a.value, a.shadows[k]) if isinstance(a, BatchDuplicated) else a for a in given]

        super().__init__(mode, function, names, lane(0), options, expected)
        self.activities = given
        self.others = [InPlaceRun(mode, function, names, lane(k), options, self.call.base) for k in range(1, *widths)]
        self._check_apart()

    def _check_apart(self) -> None:
        """Refuse shadows of two sweeps that overlap: what one adds, the other would take for its own."""
        for at, run in enumerate(self.others):
            for other in (self, *self.others[:at]):
                for k, (mine, theirs) in enumerate(zip(run.lanes[0].values, other.lanes[0].values, strict=True)):
                    owner = next(n for n, span in enumerate(self.call.spans) if span.start <= k < span.stop)
                    if mine is None or theirs is None or not isinstance(self.activities[owner], BatchDuplicated):
                        continue
                    if any(share_memory(a, b) for a in arrays(mine) for b in arrays(theirs)):
                        path = self.call.paths[k]
                        refuse(f"two shadows of `{path}` share memory", help="give each sweep memory of its own")

    def execute(self) -> None:
        """All sweeps, one after the other, each from the arguments as they were."""
        written = [a for k in sorted(self.call.primal.written) for a in arrays(self.call.values[k])]
        before = [array.copy() for array in written] if self.others else []
        super().execute()
        for run in self.others:
            for array, was in zip(written, before, strict=True):
                array[...] = was
            run.frame.note = self.frame.note
            run.execute()

    def run(self) -> Any:
        """One tuple of derivatives for each sweep, None where no argument is Active."""
        try:
            return super().run()
        finally:
            for run in self.others:
                run.frame.release()

    def write_back_shadows(self) -> None:
        """Of the shadows of all sweeps."""
        super().write_back_shadows()
        for run in self.others:
            run.write_back_shadows()

    def finish(self, frame: Frame | None = None) -> Any:
        """The derivatives of the Active arguments by sweep, and the value."""
        found = [super().finish(frame), *(run.finish() for run in self.others)]
        if self.mode.primal:
            return tuple(derivatives for derivatives, _ in found), found[0][1]
        return None if found[0] is None else tuple(found)

    @property
    def is_direct(self) -> bool:
        """One native call is not all of it."""
        return False


__all__ = ["ReverseBatchRun"]
