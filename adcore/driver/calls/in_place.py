"""In-place differentiation: annotated arguments in, derivatives into their shadows.

An `InPlaceRun` is prepared to the last word: its frame can be run once (`autodiff`), again and again over the same
buffers (`bind`), or by any native caller.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from adcore.abi.faults import AssignedBefore
from adcore.activities import Active, Activity, Const, Duplicated, Mode
from adcore.driver.calls.annotations import add_numbers, annotate, check, has_scalars, weakened
from adcore.driver.calls.attribute_shadows import AttributeShadows
from adcore.driver.calls.call import Call
from adcore.driver.calls.run import Buffer, Run
from adcore.driver.request import Options
from adcore.driver.specialisations import PrimalSpecialisation, Specialisation, is_differentiable
from adcore.ir.types import ArrayType, Scalar
from adcore.runtime.alias_guard import mirror
from adcore.runtime.calls import Returned
from adcore.runtime.frames import Frame
from adcore.runtime.values.arguments import refuse
from adcore.runtime.values.leaves import Flattened, LeafValue, Packed, arrays, rebuild
from adcore.runtime.values.results import note_unassigned
from adcore.runtime.values.shadows import check_overlaps
from adcore.signature import ScalarArg, StaticArg

OptionalLeaves = list[LeafValue | None]


@dataclass(frozen=True)
class Shadows:
    """The shadow of each leaf that is differentiated (None for others). `packed`: lists of numbers that were copied to
    arrays; `own`: whether some are the call's own, and have to be zero when it starts."""

    values: OptionalLeaves
    packed: list[Packed]
    own: bool


class InPlaceRun(Run):
    """One call of `function` in `mode` on annotated arguments, with its code and its frame."""

    def __init__(
        self, mode: Mode, function: Callable[..., Any], names: Sequence[str], annotated: Sequence[Any],
        options: Options, expected: PrimalSpecialisation | None = None,
    ) -> None:  # fmt: skip
        self.mode, self.options = mode, options
        self.activities = [annotate(a) for a in annotated]
        values = [a.value for a in self.activities]
        chosen = [k for k, a in enumerate(self.activities) if not isinstance(a, Const)]
        differentiated = None if mode.sweep == "primal" else chosen
        fit = functools.partial(weakened, activities=self.activities)
        self.call = Call(function, names, values, options, differentiated, fit, expected)
        for activities in self._lanes():
            self._check(activities)
        self.lanes = [self._shadows(activities) for activities in self._lanes()]
        self._check_memory()
        self.assigned = AttributeShadows(self.call, self.activities)
        given = self._given()
        super().__init__(self.call, self._specialised(given), given)
        self.frame.note = self._note()

    def _lanes(self) -> list[list[Activity]]:
        """The annotations by direction, where a call has several at once."""
        return [self.activities]

    # Shadows

    def _check(self, activities: Sequence[Activity]) -> None:
        call = self.call
        for name, arg, activity, own in zip(call.names, call.signature.args, activities, call.spans, strict=True):
            check(name, arg, activity, self.mode, self._writes or not call.primal.written.isdisjoint(own))

    @property
    def _writes(self) -> bool:
        """Whether every shadow is written into, not only those of what the function writes."""
        return self.mode.sweep == "reverse"

    def _shadows(self, activities: Sequence[Activity]) -> Shadows:
        flattened = Flattened()
        given: OptionalLeaves = [None] * len(self.call.kinds)
        for arg, activity, span in zip(self.call.signature.args, activities, self.call.spans, strict=True):
            if isinstance(activity, Duplicated):
                start = len(flattened.values)
                flattened.add(arg, activity.shadow)
                given[span.start : span.stop] = flattened.values[start:]
        given = [None if kind == "const" else value for kind, value in zip(self.call.kinds, given, strict=True)]
        missing = frozenset(k for k in self.call.duplicated if given[k] is None)
        self._check_shared(missing)
        own = mirror(self.call.values, missing, self.call.groups)
        values = [own[k] if k in missing else value for k, value in enumerate(given)]
        return Shadows(values, flattened.packed, bool(missing))

    def _check_shared(self, missing: frozenset[int]) -> None:
        """A constant argument gets zero shadows where it needs some, but none beside a shadow that was given."""
        for group in self.call.groups:
            given = [k for k in group if k not in missing and self.call.kinds[k] == "duplicated"]
            if given and missing & set(group):
                paths = self.call.paths
                constant = paths[min(missing & set(group))]
                refuse(
                    f"`{constant}` is constant and shares memory that the function writes with `{paths[given[0]]}`, "
                    "which is not",
                    help="give it the corresponding part of the same shadow: one location has one derivative",
                )

    # The code and its arguments

    @property
    def _written_shadows(self) -> frozenset[int]:
        """The leaves whose shadows are written into."""
        return frozenset(k for k in self.call.duplicated if self._writes or k in self.call.primal.written)

    def _check_memory(self) -> None:
        """Refuse shadows that are written into and overlap with what they must not."""
        for lane in self.lanes:
            checked = [value if k in self._written_shadows else None for k, value in enumerate(lane.values)]
            check_overlaps(self.call.paths, self.call.values, checked, self.call.primal.written)

    def _given(self) -> list[LeafValue]:
        """One value per parameter of the code."""
        call, lanes = self.call, [lane.values for lane in self.lanes]
        if self.mode.sweep == "reverse":
            ones = [1.0 for seed in self.seeds()[: len(call.returned_types)] if seed]
            return [*call.values, *(lanes[0][k] for k in call.duplicated), *ones, *self.assigned.cotangents()]
        return [*call.values, *(1.0 if lane[k] is None else lane[k] for k in call.varied for lane in lanes)]

    def _specialised(self, given: Sequence[LeafValue]) -> Specialisation:
        call, sweep, written = self.call, self.mode.sweep, self._written_shadows
        if sweep == "primal":
            return call.specialised((), given)
        behind = [k for k in (call.varied if sweep == "forward" else call.duplicated) for _ in self.lanes]
        targets = {len(call.values) + at for at, k in enumerate(behind) if k in written}
        made = call.forward(len(self.lanes)) if sweep == "forward" else call.reverse(self.seeds(), self._overwritten())
        return call.specialised((made,), given, targets)

    def _overwritten(self) -> tuple[int, ...]:
        """The parameters that are shadows which the sweep sets. Those of what the function writes bring the seeds of
        its results along, and are added to."""
        call = self.call
        if self.options.shadows == "add":
            return ()
        apart = call.primal.written.union(*(group for group in call.groups if set(group) & call.primal.written))
        chosen = [(at, k) for at, k in enumerate(call.duplicated, len(call.values)) if k not in apart]
        for _, k in chosen:
            if not isinstance(call.primal.leaves[k].type, ArrayType):
                refuse(
                    f"shadows='overwrite' is for arrays, and `{call.paths[k]}` is a list of them",
                    help="set them to zero before each call, or pass the arrays one by one",
                )
        return tuple(at for at, _ in chosen)

    def seeds(self) -> tuple[bool, ...]:
        """Which results are differentiated: all floats, seeded with 1.0."""
        types = self.call.returned_types
        if any(not isinstance(t, Scalar) and is_differentiable(t) for t in types):
            refuse(
                f"{self.call.function.__name__} returns an array: there is no one derivative to propagate",
                help="use ad.vjp, or write the result into an argument and seed its shadow",
            )
        return self.assigned.seeds([is_differentiable(t) for t in types])

    def _note(self) -> str:
        """What an error says of the arguments, which are the caller's own: checks are moved out of loops."""
        names = [f"`{self.call.paths[k]}`" for k in sorted(self.call.primal.written)]
        if not names:
            return ""
        what = (
            f"adcore: what {self.call.function.__name__} writes ({', '.join(names)}) may hold other values than after"
        )
        return f"{what} the same error in Python: compiled code may notice it earlier or later in a loop"

    # Running it

    def execute(self) -> None:
        """Call the native code. Raises what the user's program raises, with attributes as it had assigned them, or a
        note that says which are not."""
        if self.mode.sweep == "reverse":
            self.assigned.start()
        self.frame.fault = None
        try:
            super().execute()
        except Exception as error:
            self.assign_before(error, *self.frame.assigned())
            raise

    def assign_before(self, error: Exception, known: AssignedBefore | None, numbers: Sequence[Any]) -> None:
        """After an error: attributes as the program had assigned them, and a note about those of which that is not
        known."""
        if known is None:
            lost = [f"{update.path}.{update.name}" for update in self.call.primal.interface.updates]
        else:
            self.call.assign_before(known, numbers)
            lost = list(known.lost)
        note_unassigned(error, lost)

    def run(self) -> Any:
        """Call the native code; what it returned, in the form of the mode."""
        try:
            self.execute()
            self.write_back()
            return self.finish()
        finally:
            self.frame.release()

    def over_own_frame(self) -> InPlaceRun:
        """The same run with a frame of its own."""
        made = copy.copy(self)
        made.frame = self.specialisation.kernel.frame(self.values)
        made.frame.note = self.frame.note
        return made

    def again(self, activities: Sequence[Any]) -> InPlaceRun:
        """The same call with other annotations of these kinds (or those of this one, as they are now)."""
        call = self.call
        return type(self)(self.mode, call.function, call.names, activities, self.options, call.base)

    def write_back(self) -> None:
        """Bring numbers of lists that were passed as arrays back into the lists."""
        self.write_back_primal()
        self.write_back_shadows()

    def write_back_primal(self) -> None:
        """Of the arguments, those that the function writes."""
        for packed in self.call.flattened.packed:
            if packed.leaf in self.call.primal.written:
                packed.write_back()

    def write_back_shadows(self) -> None:
        """Of the shadows."""
        for lane in self.lanes:
            for packed in lane.packed:
                packed.write_back()

    @property
    def is_native(self) -> bool:
        """Whether the frame alone says everything: nothing is copied in and out, and no shadow of the call's own has to
        be zero when it starts."""
        return self.is_direct and not self.call.primal.interface.updates

    @property
    def is_direct(self) -> bool:
        """Whether this holds but for attributes that are assigned after the call."""
        copied = bool(self.call.flattened.packed) or any(lane.packed or lane.own for lane in self.lanes)
        return not (copied or self._scalar_shadows())

    def _scalar_shadows(self) -> bool:
        pairs = zip(self.call.signature.args, self.activities, strict=True)
        return self.mode.sweep == "reverse" and any(
            isinstance(activity, Duplicated) and has_scalars(arg) for arg, activity in pairs
        )

    def finish(self, frame: Frame | None = None) -> Any:
        """Results from `frame` (default: the run's own): the value, the tangent, or the derivatives of the Active
        arguments."""
        primal, results, count = self.call.primal, self.results(frame), len(self.call.result_types)
        value = self.call.returned(results[:count], assign=True)
        if self.mode.sweep == "primal":
            return value
        if self.mode.sweep == "forward":
            tangents = self.call.tangents(results)
            self.assigned.moved(results, tangents)
            found = primal.rebuild_tangent(tangents)
        else:
            found = self.derivatives(iter(results[count:]))
        return (found, value) if self.mode.primal else found

    def derivatives(self, adjoint: Iterator[Any]) -> tuple[Any, ...] | None:
        """Adjoints of the Active arguments; those of numbers inside Duplicated records are added to their shadows."""
        found: list[Any] = []
        call = self.call
        for name, arg, activity, span in zip(call.names, call.signature.args, self.activities, call.spans, strict=True):
            kinds = call.kinds[span.start : span.stop]
            own = [next(adjoint) if kind == "active" else None for kind in kinds]
            if isinstance(activity, Active):
                found.append(rebuild(arg, iter(own)))
            elif isinstance(activity, Duplicated) and "active" in kinds:
                add_numbers(f"`{name}`", arg, activity.shadow, iter(own))
        return tuple(found) if found else None

    @property
    def returned(self) -> Returned:
        """How a native wrapper hands back the result."""
        primal, results = self.call.primal, self.frame.layout.results
        count, sweep = len(primal.result_types), self.mode.sweep
        single = primal.is_single and count == 1 and all(str(t) == "f64" for t in results)
        if sweep == "reverse":
            return self._returned_derivatives(single)
        if isinstance(primal.interface.result, StaticArg) and (sweep == "primal" or not self.mode.primal):
            return Returned(0)
        if single and (sweep == "primal" or not self.mode.primal):
            return Returned(1, 0 if sweep == "primal" else 1, single=True)
        return Returned(None)

    def _returned_derivatives(self, single: bool) -> Returned:
        count, active = len(self.call.result_types), self.call.kinds.count("active")
        pairs = zip(self.call.signature.args, self.activities, strict=True)
        flat = all(isinstance(arg, ScalarArg) for arg, activity in pairs if isinstance(activity, Active))
        flat = flat and all(str(t) == "f64" for t in self.frame.layout.results[count:])
        if not self.mode.primal:
            return Returned(active, count) if flat else Returned(None)
        return Returned(active, pair=True) if flat and single else Returned(None)

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """Every array that the call touches, for those who restore them between calls."""
        call, written = self.call, self.call.primal.written
        found: list[Buffer] = []
        for k, path in enumerate(call.paths):
            found += [Buffer(path, "argument", a, k in written) for a in arrays(self.values[k])]
        shadowed = call.varied if self.mode.sweep == "forward" else call.duplicated
        behind = [k for k in shadowed for _ in self.lanes]
        for k, value in zip(behind, self.values[len(call.values) :], strict=False):
            found += [Buffer(call.paths[k], "shadow", a, self._is_written(k)) for a in arrays(value)]
        return tuple(found)

    def _is_written(self, leaf: int) -> bool:
        """Whether a caller has to restore the shadow of a leaf."""
        return True


__all__ = ["InPlaceRun", "OptionalLeaves"]
