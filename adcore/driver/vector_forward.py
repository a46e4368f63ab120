"""Calls with several tangents: one primal evaluation and one native call for all of them (vector forward mode)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adcore.activities import Activity, BatchDuplicated, Duplicated, Mode, ReverseSplit
from adcore.driver.inplace import AnnotatedCall, Buffer, annotate, tangents_of
from adcore.driver.pipeline import Sweep
from adcore.driver.specialisations import Options, Primal, Version
from adcore.driver.split_calls import SplitCall
from adcore.runtime.alias_guard import alias_groups
from adcore.runtime.arguments import refuse
from adcore.runtime.calls import Returned
from adcore.runtime.leaves import LeafValue, arrays
from adcore.runtime.shadows import check_overlaps


def prepared_call(
    mode: Mode,
    function: Callable[..., Any],
    names: Sequence[str],
    annotated: Sequence[Any],
    options: Options,
    expected: Primal | None = None,
) -> AnnotatedCall:
    """The call with these annotations, of the class that serves them."""
    cls: type[AnnotatedCall] = AnnotatedCall
    if any(isinstance(a, BatchDuplicated) for a in annotated):
        cls = BatchCall
    elif mode is ReverseSplit:
        cls = SplitCall
    return cls(mode, function, names, annotated, options, expected)


class BatchCall(AnnotatedCall):
    """One forward sweep with as many tangents as its BatchDuplicated arguments have; what is Duplicated beside them has
    the same tangent in all."""

    def __init__(
        self,
        mode: Mode,
        function: Callable[..., Any],
        names: Sequence[str],
        annotated: Sequence[Any],
        options: Options,
        expected: Primal | None = None,
    ) -> None:
        batched = [a for a in annotated if isinstance(a, BatchDuplicated)]
        if mode.sweep != "forward":
            refuse("BatchDuplicated arguments are for forward mode", help="one reverse sweep gives the whole gradient")
        widths = [len(a.shadows) for a in batched]
        if len(set(widths)) > 1 or not widths[0]:
            refuse(f"BatchDuplicated arguments have {', '.join(map(str, widths))} tangents")
        self.width = widths[0]
        self.lanes: list[list[LeafValue | None]] = []
        super().__init__(mode, function, names, annotated, options, expected)

    def _lane(self, k: int) -> list[Activity]:
        return [Duplicated(a.value, a.shadows[k]) if isinstance(a, BatchDuplicated) else annotate(a)
                for a in self.activities]  # fmt: skip

    def _check(self) -> None:
        whole = self.activities
        for k in range(self.width):
            self.activities = self._lane(k)
            super()._check()
            self.activities = whole

    def _kinds(self) -> tuple[tuple[str, ...], list[LeafValue | None]]:
        whole = self.activities
        for k in range(self.width):
            self.activities = self._lane(k)
            kinds, shadows = super()._kinds()
            self.lanes.append(shadows)
            self.activities = whole
        return kinds, self.lanes[0]

    def _version(self, kinds: tuple[str, ...], shadows: list[LeafValue | None]) -> Version:
        prepared, primal = self.prepared, self.prepared.primal
        written = frozenset(k for k, kind in enumerate(kinds) if kind == "duplicated" and k in primal.written)
        for lane in self.lanes:
            checked = [s if k in written else None for k, s in enumerate(lane)]
            check_overlaps(prepared.names, prepared.values, checked, primal.written)
        values = self._derived_values(kinds, shadows)
        count, groups = len(prepared.values), alias_groups(values)
        varied = [k for k, kind in enumerate(kinds) if kind != "const" for _ in range(self.width)]
        targets = {count + j for j, k in enumerate(varied) if k in written}
        for group in groups:
            lanes = [(k - count) % self.width for k in group if k in targets]
            if len(set(lanes)) > 1:
                name = prepared.names[varied[min(targets & set(group)) - count]]
                refuse(f"tangents of `{name}` share memory, and the function writes there", help="use copies")
        sweep = Sweep("forward", kinds, (), prepared.groups, self.width)
        return primal.version((sweep,), primal.relevant(groups, primal.written | targets), prepared.values)

    def _derived_values(self, kinds: tuple[str, ...], shadows: list[LeafValue | None]) -> list[LeafValue]:
        varied = [k for k, kind in enumerate(kinds) if kind != "const"]
        return [*self.prepared.values, *(lane[k] for k in varied for lane in self.lanes)]

    def finish(self) -> Any:
        """The tangents of the result, one per lane."""
        primal, types = self.prepared.primal, self.prepared.primal.result_types
        results = [self.frame.result(k) for k in range(len(self.frame.layout.results))]
        count = len(types)
        found = tuple(
            primal.rebuild_tangent(tangents_of(types, results[count + k :: self.width])) for k in range(self.width)
        )
        return (found, primal.rebuild(results[:count])) if self.mode.primal else found

    @property
    def returned(self) -> Returned:
        plain = all(str(t) == "f64" for t in self.frame.layout.results)
        if plain and self.prepared.primal.is_single and not self.mode.primal:
            return Returned(self.width, 1)
        return Returned(None)

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        count, names, written = len(self.prepared.values), self.prepared.names, self.prepared.primal.written
        varied = [k for k, kind in enumerate(self.kinds) if kind != "const" for _ in range(self.width)]
        found = [Buffer(names[k], "argument", a, k in written) for k in range(count) for a in arrays(self.values[k])]
        for k, value in zip(varied, self.values[count:], strict=True):
            found += [Buffer(names[k], "shadow", a, k in written) for a in arrays(value)]
        return tuple(found)
