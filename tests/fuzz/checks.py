"""What must hold for every program: Python, the interpreter of the IR and machine code agree, derivatives too."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import adcore as ad
from adcore.ir import interpret
from adcore.ops import TABLE
from adcore.runtime.arguments import signature
from adcore.versions import Options, Prepared, bind, prepare
from tests.fuzz.cases import Case, Outcome, Point, same, same_buffers
from tests.fuzz.programs import Program

EXACT = 1e-12
ROUNDING = 1e-9  # machine code may contract products and sums, and has vector functions of its own
DOT = 1e-9
DIFFERENCES = 1e-5


def usual_depth(seed: int) -> int:
    """Some programs are checked as far as it goes, some no further than their IR, so that many can be."""
    return (THOROUGH, *[GRADIENT, INTERPRETED] * 4, INTERPRETED)[seed % 10]


class Mismatch(AssertionError):
    """Two ways to run a program disagree; `kind` names them."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


@dataclass
class Report:
    """What was compared for one program."""

    seed: int
    checks: list[str] = field(default_factory=list)
    refused: str = ""
    raised: str = ""


def innermost(error: BaseException) -> str:
    """The first cause of an error and where it came from."""
    while error.__cause__ is not None:
        error = error.__cause__
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
    return f"{type(error).__name__}: {str(error)[:300]} ({places})"


def expect(holds: bool, kind: str, detail: str) -> None:
    if not holds:
        raise Mismatch(kind, detail)


INTERPRETED, PRIMAL, GRADIENT, THOROUGH = range(4)


def check(program: Program, folder: Path, depth: int = THOROUGH) -> Report:
    """Compare all ways to run `program`: its IR; machine code, too; its derivatives, too; those under every workspace,
    the functional face, and the number of allocations."""
    case, report = Case(program, folder), Report(program.seed)
    expected = case.outcome(lambda at: case.function(*case.arguments(at)))
    try:
        described(case, case.point)
    except ad.CompileError as error:
        report.refused = error.diagnostics[0].title
        return report
    interpreted(case, expected, report)
    if depth >= PRIMAL:
        primal(case, expected, report)
    if expected.error is not None:
        report.raised = type(expected.error).__name__
        if depth >= GRADIENT:
            faults(case, expected)
        return report
    finite = np.isfinite(total(expected.value)) and all(np.isfinite(b).all() for b in expected.buffers)
    if program.result != "array" and depth >= GRADIENT and finite:
        Derivatives(case, expected, report).check(depth >= THOROUGH)
    if depth >= THOROUGH and finite:
        functional(case, expected, report)
    return report


def agree(kind: str, got: Outcome, expected: Outcome, tolerance: float) -> None:
    """The outcome is the expected one; after an exception buffers are not compared."""
    if expected.error is not None or got.error is not None:
        lines = not isinstance(expected.error, UnboundLocalError)  # CPython may give the line before
        alike = type(got.error) is type(expected.error) and (not lines or got.line == expected.line)
        detail = f"{got.error!r} at {got.line} instead of {expected.error!r} at {expected.line}"
        expect(alike, f"{kind} raises", detail)
        return
    expect(same(got.value, expected.value, tolerance), f"{kind} value", f"{got.value!r} not {expected.value!r}")
    written = same_buffers(got.buffers, expected.buffers, tolerance)
    expect(written, f"{kind} writes", first_difference(got.buffers, expected.buffers))


def first_difference(got: list[Any], expected: list[Any]) -> str:
    """Where two lists of buffers differ most."""
    gaps = [np.nan_to_num(np.abs(a - b), nan=np.inf) for a, b in zip(got, expected, strict=True)]
    k = int(np.argmax([gap.max() for gap in gaps]))
    where = np.unravel_index(int(np.argmax(gaps[k])), gaps[k].shape)
    return f"buffer {k} at {tuple(map(int, where))}: {got[k][where]!r} not {expected[k][where]!r}"


def described(case: Case, at: Point) -> Prepared:
    """A call of the function, with what its compilation made of it so far."""
    names, values = bind(case.function, case.arguments(at), {})
    return prepare(case.function, signature(names, values), values, Options())


def interpreted(case: Case, expected: Outcome, report: Report) -> None:
    """The IR, as the frontend made it and as it is differentiated, does what Python does."""
    for stage in ("ir", "simplified"):

        def run(at: Point, stage: str = stage) -> Any:
            call = described(case, at)
            product = call.primal.products[stage]
            results = interpret(product.module if stage == "ir" else product, TABLE, call.values)
            for packed in call.flattened.packed:
                if packed.leaf in call.primal.written:
                    packed.write_back()
            return call.primal.rebuild(results)

        agree(f"interpreter ({stage})", case.outcome(run), expected, EXACT)
        report.checks.append(stage)


def primal(case: Case, expected: Outcome, report: Report) -> None:
    """Machine code does what Python does."""
    handle = ad.compile(case.function, *case.arguments(case.point), mode=ad.Primal)
    agree("native", case.outcome(lambda at: handle(*case.arguments(at))), expected, ROUNDING)
    report.checks.append("native")


def faults(case: Case, expected: Outcome) -> None:
    """Derivatives raise what the function raises."""
    if case.program.result == "array":
        return
    for mode in (ad.Reverse, ad.Forward):
        shadow = Point.random(case.rng, case.program.numbers)

        def run(at: Point, mode: Any = mode, shadow: Point = shadow) -> Any:
            return ad.autodiff(mode, case.function, *case.annotated(at, shadow, mode is ad.Forward))

        agree(f"{mode.name}", case.outcome(run), expected, ROUNDING)


class Derivatives:
    """Reverse mode against forward mode, differences and itself under other workspaces."""

    def __init__(self, case: Case, expected: Outcome, report: Report) -> None:
        self.case, self.expected, self.report = case, expected, report
        self.direction = Point.random(case.rng, case.program.numbers)
        self.weights = Point.random(case.rng, case.program.numbers)
        self.weights.numbers = [0.0] * case.program.numbers  # numbers are inputs alone
        self.handles: dict[str, Any] = {}

    def check(self, thorough: bool) -> None:
        gradient = self.reverse("auto")
        along = gradient.dot(self.direction)
        scale = abs_dot(gradient, self.direction)
        tangent = self.forward()
        close = abs(along - tangent) <= DOT * max(1.0, scale)
        expect(close, "reverse and forward", f"{along!r} and {tangent!r}")
        self.report.checks += ["reverse", "forward"]
        self.differences(tangent)
        if thorough:
            self.workspaces(gradient)
            self.counted()

    def reverse(self, workspace: Any) -> Point:
        """The gradient of the value and the weighted buffers, after a look at what else the sweep left behind."""
        case = self.case
        at, shadow = case.point.copy(), self.weights.copy()
        annotated = case.annotated(at, shadow, False)
        handle = ad.compile(case.function, *annotated, mode=ad.ReverseWithPrimal, workspace=workspace)
        self.handles[f"reverse {workspace}"] = handle
        derivatives, value = handle(*annotated)
        kind = f"reverse {workspace}"
        agree(kind, Outcome(value, at.buffers), self.expected, ROUNDING)
        known = handle.explain().bytes
        if known is not None and handle.high_water < known and workspace == "auto":
            self.report.checks.append("workspace above use")
        return self.gradient(annotated, shadow, derivatives)

    def gradient(self, annotated: list[Any], shadow: Point, derivatives: Any) -> Point:
        """Shadows and returned derivatives as a point."""
        given = iter(derivatives or ())
        found = []
        for argument in annotated:
            if isinstance(argument, ad.Active):
                one = next(given)
                found += one if isinstance(one, tuple) else [one]
            elif isinstance(argument, ad.Duplicated) and hasattr(argument.shadow, "weight"):
                found.append(argument.shadow.weight)
        return Point(shadow.buffers, [float(x) for x in found])

    def forward(self) -> float:
        case = self.case
        at, tangent = case.point.copy(), self.direction.copy()
        annotated = case.annotated(at, tangent, True)
        handle = ad.compile(case.function, *annotated, mode=ad.ForwardWithPrimal)
        self.handles["forward"] = handle
        moved, value = handle(*annotated)
        agree("forward", Outcome(value, at.buffers), self.expected, ROUNDING)
        return total(moved) + Point(tangent.buffers, []).dot(Point(self.weights.buffers, []))

    def differences(self, tangent: float) -> None:
        """Central differences, where they themselves say that they can be trusted."""
        case = self.case

        def value(step: float) -> float:
            at = case.point.moved(self.direction, step)
            result = case.outcome(lambda own: case.function(*case.arguments(own)), at)
            if result.error is not None:
                return float("nan")
            return total(result.value) + Point(result.buffers, []).dot(Point(self.weights.buffers, []))

        here = value(0.0)
        h = 1e-4
        ends = [value(s) for s in (h, -h, h / 2, -h / 2)]
        wide, narrow = (ends[0] - ends[1]) / (2 * h), (ends[2] - ends[3]) / h
        bend = (ends[2] - here) / (h / 2) - (here - ends[3]) / (h / 2)
        scale = max(1.0, abs(narrow))
        if not abs(wide - narrow) <= 1e-3 * scale or not abs(bend) <= 5e-2 * scale:
            return
        best = (4 * narrow - wide) / 3
        expect(abs(best - tangent) <= DIFFERENCES * scale, "differences", f"{best!r} and {tangent!r}")
        self.report.checks.append("differences")

    def workspaces(self, gradient: Point) -> None:
        for workspace in ("heap", 0):
            try:
                other = self.reverse(workspace)
            except ad.WorkspaceError:
                continue
            mine, theirs = ([*p.buffers, np.array([0.0, *p.numbers])] for p in (other, gradient))
            expect(same_buffers(mine, theirs, DOT), f"reverse {workspace}", first_difference(mine, theirs))
            self.report.checks.append(f"workspace {workspace}")

    def counted(self) -> None:
        """No native allocation in any call."""
        from pytest_adalloc.compiled import _counted

        for mode, forward in (("reverse auto", False), ("forward", True)):
            point, shadow = self.case.point.copy(), self.weights.copy()
            annotated = self.case.annotated(point, shadow, forward)
            seen, _ = _counted(self.handles[mode], annotated, 3, "thread")
            expect(set(seen.allocs_per_call) <= {0}, f"{mode} allocates", repr(seen.allocs_per_call))
        self.report.checks.append("counted")


def functional(case: Case, expected: Outcome, report: Report) -> None:
    """`vjp` and `jvp` agree with each other and leave the arguments alone."""
    own = case.point.copy()
    arguments = case.arguments(own)
    direction = Point.random(case.rng, case.program.numbers)
    value, pullback = ad.vjp(case.function, *arguments)
    kept = same_buffers(own.buffers, case.point.buffers, 0.0)
    expect(kept, "vjp keeps its arguments", "they were changed")
    expect(same(value, expected.value, ROUNDING), "vjp value", f"{value!r} not {expected.value!r}")
    if expected.value is None:
        return
    seeds = seeds_like(value)
    back = pullback(seeds)
    tangents = tuple(tangent_like(a, d) for a, d in zip(arguments, case.arguments(direction), strict=True))
    _, moved = ad.jvp(case.function, arguments, tangents)
    expect(same_buffers(own.buffers, case.point.buffers, 0.0), "jvp keeps its arguments", "they were changed")
    left = inner(seeds, moved)
    if case.program.aliased:
        return  # every argument has a tangent of its own, which is not what shared memory means
    right = sum(inner(b, t) for b, t in zip(back, tangents, strict=True))
    expect(abs(left - right) <= DOT * max(1.0, abs(left)), "vjp and jvp", f"{right!r} and {left!r}")
    report.checks.append("functional")


def tangent_like(argument: Any, direction: Any) -> Any:
    """The direction, None for what has no derivative."""
    return None if isinstance(argument, int) or getattr(argument, "dtype", None) == np.int64 else direction


def seeds_like(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(seeds_like(v) for v in value)
    return np.ones_like(value) if isinstance(value, np.ndarray) else 1.0


def inner(a: Any, b: Any) -> float:
    """The inner product of two structures."""
    if a is None or b is None:
        return 0.0
    if isinstance(a, (list, tuple)):
        return sum(inner(x, y) for x, y in zip(a, b, strict=True))
    if hasattr(a, "weight"):
        return inner(a.place, b.place) + inner(a.speed, b.speed) + inner(a.weight, b.weight)
    return float(np.sum(np.asarray(a) * np.asarray(b)))


def abs_dot(a: Point, b: Point) -> float:
    positive = [Point([abs(x) for x in p.buffers], [abs(x) for x in p.numbers]) for p in (a, b)]
    return positive[0].dot(positive[1])


def total(value: Any) -> float:
    """The sum of the floats in a value or tangent."""
    if value is None:
        return 0.0
    if isinstance(value, (tuple, list)):
        return sum(total(v) for v in value)
    return float(np.sum(value))
