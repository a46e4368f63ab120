"""Calls with several tangents: one primal evaluation and one native call for all of them (vector forward mode)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adcore.activities import Activity, BatchDuplicated, Duplicated, Mode
from adcore.driver.calls.attribute_shadows import AttributeShadows
from adcore.driver.calls.in_place import InPlaceRun
from adcore.driver.request import Options
from adcore.driver.specialisations import PrimalSpecialisation, Specialisation
from adcore.runtime.alias_guard import alias_groups
from adcore.runtime.calls import Returned
from adcore.runtime.frames import Frame
from adcore.runtime.values.arguments import refuse
from adcore.runtime.values.leaves import LeafValue


class BatchRun(InPlaceRun):
    """One forward sweep with as many tangents as its BatchDuplicated arguments have; what is Duplicated beside them has
    the same tangent in all."""

    def __init__(
        self,
        mode: Mode,
        function: Callable[..., Any],
        names: Sequence[str],
        annotated: Sequence[Any],
        options: Options,
        expected: PrimalSpecialisation | None = None,
    ) -> None:
        if mode.sweep != "forward":
            refuse("BatchDuplicated arguments are for forward and reverse mode")
        widths = [len(a.shadows) for a in annotated if isinstance(a, BatchDuplicated)]
        if len(set(widths)) > 1 or not widths[0]:
            refuse(f"BatchDuplicated arguments have {', '.join(map(str, widths))} tangents")
        self.width = widths[0]
        super().__init__(mode, function, names, annotated, options, expected)

    def _lanes(self) -> list[list[Activity]]:
        def lane(activity: Activity, k: int) -> Activity:
            return (
                Duplicated(activity.value, activity.shadows[k]) if isinstance(activity, BatchDuplicated) else activity
            )

        return [[lane(activity, k) for activity in self.activities] for k in range(self.width)]

    def _specialised(self, given: Sequence[LeafValue]) -> Specialisation:
        call, written = self.call, self._written_shadows
        count = len(call.values)
        behind = [k for k in call.varied for _ in self.lanes]
        targets = {count + at for at, k in enumerate(behind) if k in written}
        for group in alias_groups(given):
            lanes = {(k - count) % self.width for k in group if k in targets}
            if len(lanes) > 1:
                path = call.paths[behind[min(targets & set(group)) - count]]
                refuse(f"tangents of `{path}` share memory, and the function writes there", help="use copies")
        return super()._specialised(given)

    def finish(self, frame: Frame | None = None) -> Any:
        """The tangents of the result, one per lane."""
        primal, results = self.call.primal, self.results(frame)
        lanes = [self.call.tangents(results, lane, self.width) for lane in range(self.width)]
        for activities, tangents in zip(self._lanes(), lanes, strict=True):
            AttributeShadows(self.call, activities).moved(results, tangents)
        found = tuple(map(primal.rebuild_tangent, lanes))
        value = self.call.returned(results, assign=True)
        return (found, value) if self.mode.primal else found

    @property
    def returned(self) -> Returned:
        plain = all(str(t) == "f64" for t in self.frame.layout.results)
        if plain and self.call.primal.is_single and not self.mode.primal:
            return Returned(self.width, 1)
        return Returned(None)

    def _is_written(self, leaf: int) -> bool:
        return leaf in self.call.primal.written


__all__ = ["BatchRun"]
