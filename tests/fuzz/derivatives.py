"""Reverse mode against forward mode, differences, and itself under every workspace; allocations, counted."""

from __future__ import annotations

from typing import Any

import numpy as np

import adcore as ad
from pytest_adalloc import hooks
from pytest_adalloc.checks.differences.extrapolation import SMOOTH, Precision, measured_noise, slopes
from pytest_adalloc.checks.subjects.compiled import HEAP, restored
from tests.fuzz import storage
from tests.fuzz.cases import Array, Case, Outcome, Point, numbers_of
from tests.fuzz.checks import Mismatch, Report, agree, expect
from tests.fuzz.features import plan_features
from tests.fuzz.rounding import Rounding

CALLS = 3
TRUSTED = 1e-4
"""Differences whose own error is larger (relative to 1 or the slope) say nothing: a kink is near."""


class Derivatives:
    """The derivative of the value and the weighted buffers of one case, every way."""

    def __init__(self, case: Case, expected: Outcome, rounding: Rounding, report: Report) -> None:
        self.case, self.expected, self.rounding, self.report = case, expected, rounding, report
        self.direction, self.weights = case.random(), case.random()
        self.weights.numbers = [0.0] * case.program.numbers  # numbers are inputs alone
        self.handles: dict[str, Any] = {}
        self.finite = False

    def check(self, thorough: bool) -> None:
        gradient = self.reverse("auto")
        tangent, terms = self.forward()
        self.finite = bool(np.isfinite(gradient.flat()).all() and np.isfinite(tangent))
        plan_features(self.handles["auto"], self.report.features)
        if not self.finite:
            self.report.features.add("gradient not finite")
            return
        self.report.features |= {"active"} if np.any(gradient.flat() != self.weights.flat()) else {"inactive"}
        self.dot_product(gradient, tangent, terms)
        self.differences(tangent)
        if thorough:
            self.workspaces(gradient)
            self.counted("auto", False)
            self.counted("forward", True)

    # The two modes

    def reverse(self, workspace: Any, at: Point | None = None) -> Point:
        """The gradient at a point, after a look at what else the sweep left behind."""
        case = self.case
        own, shadow = (at or case.point).copy(), self.weights.copy()
        annotated = case.annotated(own, shadow, False)
        handle = self.handle(str(workspace), ad.ReverseWithPrimal, annotated, workspace)
        with np.errstate(all="ignore"):
            derivatives, value = handle(*annotated)
        if at is None:
            agree(f"reverse {workspace}", Outcome(value, own.buffers), self.expected, self.rounding)
        return Point(shadow.buffers, gradient_numbers(annotated, derivatives))

    def forward(self, at: Point | None = None) -> tuple[float, list[float]]:
        """The derivative along the direction at a point, and its summands."""
        case = self.case
        own, tangent = (at or case.point).copy(), self.direction.copy()
        annotated = case.annotated(own, tangent, True)
        handle = self.handle("forward", ad.ForwardWithPrimal, annotated)
        moved, value = handle(*annotated)
        if at is None:
            agree("forward", Outcome(value, own.buffers), self.expected, self.rounding)
        terms = numbers_of(derivatives_of(moved)) + Point(tangent.buffers, []).terms(Point(self.weights.buffers, []))
        return float(sum(terms)), terms

    def handle(self, name: str, mode: Any, annotated: list[Any], workspace: Any = "auto") -> Any:
        if name not in self.handles:
            self.handles[name] = ad.compile(self.case.function, *annotated, mode=mode, workspace=workspace)
        return self.handles[name]

    def dot_product(self, gradient: Point, tangent: float, terms: list[float]) -> None:
        """The gradient along the direction is the tangent, relative to the summands of both: cancellation in the sums
        is no error of the summands."""
        summands = gradient.terms(self.direction)
        scale = max(sum(map(abs, summands)), sum(map(abs, terms)))
        along = float(sum(summands))
        self.report.checks.append("reverse = forward")
        both = np.array([along]), np.array([tangent])
        expect(
            self.rounding.close(*both, scale, self.spread_along), "reverse and forward", f"{along!r} and {tangent!r}"
        )

    def spread_along(self) -> Array:
        """What rounding the inputs changes in the derivative along the direction, in either mode."""
        spread = self.rounding.spread_of(
            lambda at: np.array([self.reverse("auto", at).dot(self.direction), self.forward(at)[0]])
        )
        return np.array([float(np.max(spread))])

    def differences(self, tangent: float) -> None:
        """Differences that estimate their own error, where that is small."""
        case = self.case

        def value(step: float) -> float:
            result = case.python(case.point.moved(self.direction, step))
            if result.error is not None:
                return float("nan")
            floats = numbers_of(derivatives_of(result.value))
            return sum(floats) + Point(result.buffers, []).dot(Point(self.weights.buffers, []))

        precision = Precision.of(np.dtype(np.float32 if self.rounding.single else np.float64))
        base = value(0.0)
        noise = measured_noise(value, precision, base)
        found = slopes(lambda _, step: value(step), np.array([1.0]), base, noise, precision)
        slope, error, kind = float(found.value[0]), float(found.error[0]), found.kind[0]
        if kind != SMOOTH or not error <= TRUSTED * max(1.0, abs(slope)):
            self.report.features.add("no differences")
            return
        allowed = 8.0 * error + self.rounding.unit * max(1.0, abs(tangent))
        if not abs(slope - tangent) <= allowed:
            again = slopes(lambda _, step: value(step), np.array([1.0]), base, noise, precision, thorough=True)
            slope, error, kind = float(again.value[0]), float(again.error[0]), again.kind[0]
            allowed = 8.0 * error + self.rounding.unit * max(1.0, abs(tangent))
            detail = f"{slope!r} +- {error!r} and {tangent!r}"
            expect(kind != SMOOTH or abs(slope - tangent) <= allowed, "differences", detail)
        self.report.checks.append("differences")

    # Storage

    def workspaces(self, gradient: Point) -> None:
        """Under every size of workspace the same gradient, and no more kept than was said."""
        auto, features = self.handles["auto"], self.report.features
        known, plans = storage.known_bytes(auto), storage.Plans(auto)
        kept = self.meter("auto", gradient)
        features |= {"storage of unknown size"} if known is None else {"stored bytes"} if known else {"nothing stored"}
        self.report.checks.append("kept <= workspace_bytes")
        refused = plans.refused(0)
        features.add("workspace 0 refused" if refused else "workspace 0 accepted")
        registers = known == 0 and not storage.keeps_in_loops(auto)
        expect(not (registers and refused), "workspace", "nothing in memory is kept, but workspace=0 is refused")
        if not refused:
            sizes = [0]
        elif known == 0:
            sizes = [1]  # workspace=0 does not look at the shapes, where no loop makes a turn
        elif known is not None:
            sizes = self.bisected(plans, known)
        else:
            sizes = [size for size in (1, 2 * kept) if not plans.refused(size)]
        for size in sizes:
            if not plans.is_same(size):
                features.add("other plan under a limit")
                self.under(size, gradient, known is None)
        self.report.checks.append("workspaces")
        if self.case.program.seed % 4 == 0:
            self.alike(self.reverse("heap"), gradient, "reverse heap")
            # Up to 63 truth values stay in a word of the stack.
            self.counted("heap", False, must_allocate=kept > 8)

    def under(self, size: int, gradient: Point, may_run_out: bool) -> None:
        """The gradient under a limit in bytes; where only a run can tell the size, the run may end in an error."""
        try:
            found = self.reverse(size)
        except ad.WorkspaceError:
            if not may_run_out:
                raise
            self.report.checks.append("limit met while running")
            return
        self.alike(found, gradient, f"reverse {size}")
        self.meter(str(size), gradient, size)
        self.counted(str(size), False)

    def bisected(self, plans: storage.Plans, enough: int) -> list[int]:
        """The smallest workspace that is accepted and one above it; what lies between is accepted, what lies below is
        not."""
        smallest = plans.smallest_limit(enough)
        if smallest < enough:
            self.report.features.add("smaller plan")
        if smallest > 1:
            expect(plans.refused(smallest - 1), "workspace", f"{smallest - 1} is accepted after all")
            self.report.checks.append("one byte less is refused")
        if self.case.program.seed % 4 == 0:
            try:
                self.reverse(smallest - 1)
            except ad.WorkspaceError:
                self.report.checks.append("WorkspaceError")
            else:
                raise Mismatch("workspace", f"{smallest - 1} is accepted after all")
        between = [int(self.case.rng.integers(smallest, enough + 1)) for _ in range(3)]
        for size in between:
            expect(not plans.refused(size), "workspace", f"{smallest} is accepted, {size} is not")
        return [smallest, max(between)] if max(between) < enough else [smallest]

    def meter(self, name: str, gradient: Point, limit: int | None = None) -> int:
        """Bytes that the gradient's IR keeps when it is interpreted; its gradient is the same."""
        handle, shadow = self.handles[name], self.weights.copy()
        annotated = self.case.annotated(self.case.point.copy(), shadow, False)
        meter = storage.metered(handle, annotated)
        self.alike(Point(shadow.buffers, gradient.numbers), gradient, f"interpreted gradient ({name})")
        known = storage.known_bytes(handle)
        if known is not None:
            expect(meter.most_kept <= known, "workspace_bytes", f"{meter.most_kept} bytes kept, {known} said ({name})")
            if limit is not None:
                expect(meter.most_kept <= limit, "workspace", f"{meter.most_kept} bytes kept, {limit} allowed")
        used = handle.high_water  # less where something is on the stack
        expect(used <= meter.most_kept, "high water", f"{used} bytes used, {meter.most_kept} kept ({name})")
        plan_features(handle, self.report.features)
        return meter.most_kept

    def alike(self, other: Point, gradient: Point, kind: str) -> None:
        """The same gradient, up to rounding relative to its largest component."""
        a, b = other.flat(), gradient.flat()
        scale = float(np.max(np.abs(b), initial=0.0))
        if np.array_equal(a, b):
            self.report.checks.append("gradients bit for bit")
            return
        spread = self.rounding.spread_of
        holds = self.rounding.close(a, b, scale, lambda: spread(lambda at: self.reverse("auto", at).flat()))
        expect(holds, kind, f"{a[np.argmax(np.abs(a - b))]!r} and {b[np.argmax(np.abs(a - b))]!r} of {scale!r}")

    def counted(self, name: str, forward: bool, must_allocate: bool | None = None) -> None:
        """No native allocation in any call; with `must_allocate` (on the heap) at least one where that holds."""
        annotated = self.case.annotated(self.case.point.copy(), self.weights.copy(), forward)
        handle = self.handles[name]
        bound = handle.bind(*annotated)
        address = handle.relink({n: at for n, at in hooks.hook_addresses().items() if n in HEAP})
        kept, restore = restored(bound.buffers)
        seen = hooks.measure_native(address, bound.frame_address, calls=CALLS, restore=restore, witness=False)
        del kept
        counts = set(seen.allocs_per_call)
        if must_allocate is None:
            expect(seen.status == 0 and counts == {0}, f"{name} allocates", repr(seen.allocs_per_call))
            self.report.checks.append("0 allocations")
        elif must_allocate:
            expect(min(counts) > 0, "heap does not allocate", "the counters missed what has to be allocated")
            self.report.checks.append("heap counted")


def gradient_numbers(annotated: list[Any], derivatives: Any) -> list[float]:
    """The derivatives by the numbers among the arguments: returned ones, and those left in shadows."""
    given = iter(derivatives or ())
    found: list[float] = []
    for argument in annotated:
        if isinstance(argument, ad.Active):
            found += numbers_of(next(given))
        elif isinstance(argument, ad.Duplicated) and hasattr(argument.shadow, "weight"):
            found.append(float(argument.shadow.weight))
        elif isinstance(argument, ad.Duplicated) and isinstance(argument.shadow, list):
            found += [float(x) for x in argument.shadow if isinstance(x, float)]
    return found


def derivatives_of(value: Any) -> Any:
    """The floats of a value or tangent: integers have no derivative."""
    if isinstance(value, (tuple, list)):
        return tuple(derivatives_of(v) for v in value)
    return None if isinstance(value, (bool, int, np.integer)) else value


__all__ = ["Array", "Derivatives", "derivatives_of", "gradient_numbers"]
