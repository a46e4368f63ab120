"""Reverse mode in two calls: `forward` runs the function and keeps a record, `reverse` uses the record up.

    g = ad.compile(f, ad.Duplicated(x, dx), mode=ad.ReverseSplit)
    first = g.forward(ad.Duplicated(x, dx))
    x[:] = ...                                   # the record does not depend on the caller's memory
    second = g.forward(ad.Duplicated(x, dx))
    g.reverse(second, 2.0)                       # cotangents, not before they are known; any order
    g.reverse(first)                             # the default cotangent of a float is 1.0

All records lie in one workspace, which is reserved once and divided among them: a call asks no allocator for anything.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adcore.abi import frame as words
from adcore.abi.certificate import Certificate
from adcore.activities import ReverseSplit
from adcore.driver.calls.in_place import InPlaceRun
from adcore.driver.calls.split_run import Held, SplitRun
from adcore.driver.handles.handle import Handle
from adcore.driver.request import Options
from adcore.driver.specialisations import is_differentiable
from adcore.ir.types import ArrayType
from adcore.runtime.arena import Arena
from adcore.runtime.frames import Frame, array_words
from adcore.runtime.values.arguments import refuse

if TYPE_CHECKING:
    from adcore.analysis.planning.findings import Explanation


@dataclass(frozen=True, eq=False)
class Step:
    """A forward call that waits for its reverse call; `value` is what the function returned."""

    value: Any
    _slot: _Slot
    _use: int

    def __repr__(self) -> str:
        state = "pending" if self._slot.use == self._use else "reversed"
        return f"<{state} forward call: {self.value!r}>"


class SplitHandle(Handle):
    """Compiled forward and reverse sweeps; at most `pending` forward calls wait at a time."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Options,
        pending: int,
    ) -> None:
        if options.workspace in (0, "heap"):
            refuse(f"workspace={options.workspace!r}: records have to be kept", help='workspace="auto", or bytes')
        if isinstance(pending, bool) or not isinstance(pending, int) or pending < 1:
            refuse(f"pending={pending!r}: give the number of forward calls that may wait, at least 1")
        super().__init__(ReverseSplit, function, args, kwargs, options)
        self._arena = Arena()
        size = self._arena.size // pending // PAGE * PAGE
        starts = [self._arena.base + k * size for k in range(pending)]
        self._slots = [_Slot(start, start + size) for start in starts]
        self._waiting: list[_Slot] = []
        self._free = self._slots[::-1]
        self._claiming = threading.Lock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return refuse(f"the sweeps of {self.__qualname__} were split", help="call .forward(...), then .reverse(...)")

    def forward(self, *args: Any, **kwargs: Any) -> Step:
        """Run the function and keep what its reverse sweep needs; arguments as for any handle.

        Raises ArgumentError, also where too many calls wait already, and what the function itself raises."""
        return self._forward(self._prepared(args, kwargs))

    def reverse(self, step: Step | None = None, cotangent: Any = None) -> tuple[Any, ...] | None:
        """Add derivatives to the shadows that `forward` was given and return those of the Active arguments.

        `step`: a result of `forward`, in any order (default: the latest that waits). `cotangent`: in the structure of
        the function's result (default: 1.0 for each float). Each record serves once."""
        slot = self._claimed(step)
        try:
            return slot.backwards(cotangent)
        finally:
            self._free.append(slot)

    def discard(self, step: Step | None = None) -> None:
        """Give up a forward call that will not be reversed."""
        if step is not None or self._waiting:
            self._free.append(self._claimed(step))

    @property
    def pending(self) -> int:
        """How many forward calls wait."""
        return len(self._waiting)

    def bind(self, *args: Any, **kwargs: Any) -> BoundSplit:  # type: ignore[override]
        """Both sweeps over these very buffers (default: those of the compilation)."""
        run = self._prepared(args, kwargs) if args or kwargs else self._run.again(self._run.activities)
        return BoundSplit(self, run)

    frame = bind  # type: ignore[assignment]

    @property
    def address(self) -> int:
        """Split sweeps are two entries that share a record: other callers take them whole."""
        return refuse("split sweeps have no one native entry", help="compile with mode=ad.Reverse")

    def low_level_callable(self) -> Any:
        return self.address

    def export(self, directory: str | Path, cpu: str = "native") -> tuple[Path, Path]:
        raise AssertionError(self.address)

    def _forward(self, run: InPlaceRun) -> Step:
        assert isinstance(run, SplitRun)
        try:
            # Taken before it is used: another thread gets another one.
            slot = self._free.pop()
        except IndexError:
            refuse(
                f"{len(self._waiting)} forward calls of {self.__qualname__} are pending, for which the workspace was "
                "divided",
                help=f"reverse or discard one, or compile with pending={2 * len(self._slots)}",
            )
        try:
            value = slot.forwards(run)
        except BaseException:
            self._free.append(slot)
            raise
        self._waiting.append(slot)
        return Step(value, slot, slot.use)

    def _claimed(self, step: Step | None) -> _Slot:
        """The record of `step`, no longer pending."""
        with self._claiming:
            if step is None and not self._waiting:
                refuse(f"no forward call of {self.__qualname__} is pending", help="call .forward(...) first")
            slot = self._waiting[-1] if step is None else step._slot
            if slot not in self._slots:
                refuse(f"this forward call is not one of {self.__qualname__}'s", help="reverse it by its own handle")
            if step is not None and slot.use != step._use:
                refuse("this forward call was reversed already: its record is used up", help="call .forward(...) again")
            slot.use += 1
            self._waiting.remove(slot)
            return slot

    # What is known about it

    @property
    def high_water(self) -> int:
        """Bytes of the workspace that the largest record has used so far, its reverse sweep included."""
        return max(slot.used for slot in self._slots)

    @property
    def copied(self) -> tuple[str, ...]:
        """The arguments that `forward` copies, because the reverse sweep reads them."""
        return tuple(name for name, _ in self._copies())

    def _copies(self) -> list[tuple[str, ArrayType]]:
        from adcore.driver.pipeline import DERIVED
        from adcore.transform.diff.split_sweeps import COPY

        derived = self._build.product(DERIVED).function
        results = derived.results[len(self._split.call.result_types) :]
        return [(v.hint.removeprefix(COPY), v.type) for v in results
                if v.hint.startswith(COPY) and isinstance(v.type, ArrayType)]  # fmt: skip

    @property
    def _split(self) -> SplitRun:
        assert isinstance(self._run, SplitRun)
        return self._run

    def explain(self) -> Explanation:
        """What a record keeps, and which arguments it copies."""
        explained = super().explain()
        copies = [f"`{name}` ({type_.element.bytes}*{name}.size bytes)" for name, type_ in self._copies()]
        if not copies:
            return explained
        note = f"Copied by forward, as the caller may change it before reverse: {', '.join(copies)}."
        return replace(explained, notes=(*explained.notes, note))

    @property
    def certificate(self) -> Certificate:
        """The proof for both sweeps."""
        both = [s.code.certificate for s in (self._split.specialisation, self._split.back)]
        symbols = dict.fromkeys(s for c in both for s in c.external_symbols)
        return Certificate(
            all(c.proven for c in both),
            tuple(symbols),
            tuple(dict.fromkeys(r for c in both for r in c.unproven)),
            sum(c.indirect_calls for c in both),
            tuple(dict.fromkeys(d for c in both for d in c.declared)),
        )

    def stage(self, name: str) -> str:
        """A stage of the pipeline as text, of both sweeps where they differ."""
        if name == "plan":
            return str(self.explain())
        both = [s.build.stage(name) for s in (self._split.specialisation, self._split.back)]
        return both[0] if both[0] == both[1] else "\n".join(both)


class BoundSplit:
    """Both sweeps over fixed buffers: `forward()` and `reverse()`."""

    def __init__(self, handle: SplitHandle, run: InPlaceRun) -> None:
        self._handle, self._run = handle, run
        self.buffers = run.buffers

    def forward(self) -> Step:
        """Run the function on the buffers as they are now."""
        return self._handle._forward(self._run)

    def reverse(self, step: Step | None = None, cotangent: Any = None) -> tuple[Any, ...] | None:
        """See `SplitHandle.reverse`."""
        return self._handle.reverse(step, cotangent)


PAGE = 4096


class _Slot:
    """One record: a part of the workspace, and a frame for either sweep. `use` counts how often it was used up."""

    def __init__(self, base: int, end: int) -> None:
        self.base, self.end, self.use, self.used = base, end, 0, 0
        self.run: SplitRun | None = None
        self.there: Frame
        self.back: Frame

    def forwards(self, run: SplitRun) -> Any:
        _check(run.held)
        if self.run is not run:
            self._load(run)
        kernel, primal = run.specialisation.kernel, run.call.primal
        kernel.run(self.there)
        count = len(primal.result_types)
        there, back = self.there.layout, self.back.layout
        if len(there.results) > count:
            size = 8 * (there.results_end - there.result_words[count])
            source = self.there.address + 8 * there.result_words[count]
            ctypes.memmove(self.back.address + 8 * back.param_words[0], source, size)
        records, free_end = int(self.there.words[words.FREE_BASE]) - self.base, int(self.there.words[words.FREE_END])
        self.back.grant(self.base, free_end)
        self.back.words[words.RECORDS] = records
        self.used = max(self.used, self.there.used)
        run.write_back_primal()
        return run.call.returned([self.there.result(k) for k in range(count)], assign=True)

    def _load(self, run: SplitRun) -> None:
        self.run, self.there, self.back = run, _copied(run.frame), _copied(run.back_frame)
        self.there.grant(self.base, self.end)

    def backwards(self, cotangent: Any) -> tuple[Any, ...] | None:
        run = self.run
        assert run is not None
        _check(run.held_shadows)
        seeds = self._seeds(run, cotangent)
        for k, seed in enumerate(seeds, len(self.back.layout.params) - len(seeds)):
            self.back.set_param(k, seed)
        kernel = run.back.kernel
        kernel.run(self.back)
        self.used = max(self.used, self.end - int(self.back.words[words.WORKSPACE_END]) + self.back.used)
        run.write_back_shadows()
        return run.derivatives(iter([self.back.result(k) for k in range(len(self.back.layout.results))]))

    def _seeds(self, run: SplitRun, cotangent: Any) -> list[float]:
        primal = run.call.primal
        floats = [is_differentiable(t) for t in primal.returned_types]
        if cotangent is None:
            return [1.0] * sum(floats)
        parts = [cotangent] if primal.is_single else primal.parts(cotangent)
        if len(parts) != len(floats):
            refuse(f"the cotangent has {len(parts)} parts; the function returns {len(floats)} values")
        return [0.0 if part is None else float(part) for part, f in zip(parts, floats, strict=True) if f]


def _copied(frame: Frame) -> Frame:
    made = Frame(frame.layout)
    made.words[:] = frame.words
    made.pinned = frame.pinned
    return made


def _check(held: Sequence[Held]) -> None:
    """Refuse arrays that are no longer where and how they were."""
    for name, array, words_then in held:
        if array_words(array) != words_then:
            refuse(f"`{name}` was resized, moved or reshaped since it was given", help="call .forward(...) again")


__all__ = ["BoundSplit", "SplitHandle", "Step"]
