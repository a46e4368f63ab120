"""Checks of gradients as plain functions: right, then free of allocations, then proved so.

The order is fixed: compile, compare the primal with plain Python, the gradient with finite differences and with forward
mode, count the calls one by one, compare the gradient of the last call, then the workspace and the certificate. The
first step that is not met decides the verdict.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pytest_adalloc import session
from pytest_adalloc.checks.arguments import Point, Vector, names_of
from pytest_adalloc.checks.comparison import Bounds, Comparison, Tolerance, compare, natural_scale
from pytest_adalloc.checks.evaluation import Evaluation, Outcome, Weights, ones_on_written
from pytest_adalloc.checks.foreign import Foreign
from pytest_adalloc.checks.subject import Count, Storage, Subject, Unmet
from pytest_adalloc.options import Options
from pytest_adalloc.report import diagnostics as stories
from pytest_adalloc.report.reports import AdallocWarning, CheckFailed, GradReport
from pytest_adalloc.session import Progress, Recorder, Settings

SLOW = 0.005  # seconds a plain call may take before differences are taken with the compiled primal


def check(f: Callable[..., Any], /, *args: Any, grad: Callable[..., Any] | None = None, **options: Any) -> GradReport:
    """Check that the gradient of `f` at `args` is right and that computing it allocates nothing.

    `grad` is a gradient that someone else computes (a callable that takes the same arguments and returns it); without
    it the compiler makes one. Options: wrt, mode, max_allocs, max_workspace, workspace, calls, rtol, atol, domain,
    order, prove, seed, fastmath, scope.

    Raises CheckFailed (an AssertionError) with the whole story when a step is not met, HooksDead when the allocation
    counters can't vouch for what they say, TypeError and ValueError for arguments that make no sense.
    """
    __tracebackhide__ = True
    return settled(f, args, grad, Options.of(options), session.current(), counted=True)


def check_gradient(
    f: Callable[..., Any], /, *args: Any, grad: Callable[..., Any] | None = None, **options: Any
) -> GradReport:
    """Check that the gradient is right; nothing is counted and nothing has to be proved. Otherwise like `check`."""
    __tracebackhide__ = True
    return settled(f, args, grad, Options.of(options), session.current(), counted=False)


def settled(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    grad: Callable[..., Any] | None,
    options: Options,
    recorder: Recorder | None,
    *,
    counted: bool,
) -> GradReport:
    """A check under the policy of the run: what is found is recorded, then raised, warned of, or returned."""
    __tracebackhide__ = True
    settings = recorder.settings if recorder is not None else Settings()
    if settings.policy == "off":
        report = GradReport(_name(f), "not checked", notes=("checks are off: --adalloc=off",))
    else:
        options = options.completed(calls=settings.calls, seed=settings.seed, scope=settings.scope)
        progress = recorder.progress if recorder is not None and recorder.progress else session.silent
        known = recorder.known.get(recorder.key) if recorder is not None and recorder.known is not None else None
        try:
            report = examined(f, args, grad, options, counted=counted, known=known, progress=progress)
        finally:
            progress("", 0, 0)
    if recorder is not None:
        from pytest_adalloc.report.findings import recorded

        recorded(recorder, report)
    if not report.passed and settings.policy == "strict":
        raise CheckFailed(report)
    if not report.passed and settings.policy == "warn":
        warnings.warn(AdallocWarning(report.message), stacklevel=3)
    return report


def examined(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    grad: Callable[..., Any] | None,
    options: Options,
    *,
    counted: bool = True,
    known: dict[str, Any] | None = None,
    progress: Progress = session.silent,
) -> GradReport:
    """The check itself: a report with the verdict; nothing is raised for a verdict that is not met."""
    __tracebackhide__ = True
    point = Point(names_of(f, len(args)), args, options.wrt)
    file, line = _place(f)
    maker = ("", 0) if grad is None else _place(grad)
    about = stories.About(_name(f), file, line, point, grad is not None, maker)
    trial = _Trial(about, options, GradReport(about.function, file=file, line=line), progress)
    try:
        with np.errstate(all="ignore"):  # what is not finite gets a verdict, not a warning
            subject = _compare_everything(trial, f, grad)
        if counted:
            _count(trial, subject)
            _hold_to_limits(trial, subject, known)
    except Unmet as unmet:
        return trial.report.learned(verdict=unmet.verdict, message=unmet.story)
    return trial.report


@dataclass
class _Trial:
    """A check on its way: the report grows with every step."""

    about: stories.About
    options: Options
    report: GradReport
    progress: Progress
    gradient: Vector = field(default_factory=lambda: np.zeros(0))
    noise: float = 0.0

    def learn(self, **figures: Any) -> None:
        self.report = self.report.learned(**figures)

    def note(self, text: str) -> None:
        self.learn(notes=(*self.report.notes, text))


def _compare_everything(trial: _Trial, f: Callable[..., Any], grad: Callable[..., Any] | None) -> Subject:
    __tracebackhide__ = True
    about, options = trial.about, trial.options
    trial.progress(f"compiling {about.function}", 0, 1)
    subject = _compiled(f, about.point, options) if grad is None else Foreign(grad, about.point)
    plain = getattr(f, "py_func", f)  # a jitted function stands for the Python function inside
    evaluation = Evaluation(plain, about.point)
    started = time.perf_counter()
    outcome = _first_call(trial, evaluation)
    took = time.perf_counter() - started
    trial.learn(value=outcome.returned)
    weights = evaluation.weights = _weights(trial, outcome)
    subject.derive(outcome, weights)
    if grad is None:
        _learn_storage(trial, subject.storage)
    how = ""
    if subject.primal is not None:
        native = Evaluation(subject.primal, about.point, weights)
        if took > SLOW:
            evaluation, how = native, f"; sampled with the compiled primal: a call of plain Python takes {took:.2g} s"
        _compare_primal(trial, outcome, native.outcome(), evaluation)
    trial.gradient = subject.gradient()
    trial.learn(gradients=about.point.split(trial.gradient))
    trial.about = replace(trial.about, coarse=subject.coarse)
    _compare_gradient(trial, evaluation, how)
    if grad is None:
        _compare_modes(trial, subject)
    if options.order == 2:
        _compare_second(trial, subject)
    return subject


def _compiled(f: Callable[..., Any], point: Point, options: Options) -> Subject:
    """The compiler's gradient; the compiler is imported on first use. Raises Unmet if `f` can't be compiled."""
    from pytest_adalloc.checks.compiled import Compiled

    return Compiled(f, point, options)


def _first_call(trial: _Trial, evaluation: Evaluation) -> Outcome:
    __tracebackhide__ = True
    point = trial.about.point
    try:
        outcome = evaluation.outcome()
    except (ArithmeticError, ValueError) as problem:
        evaluation.trouble = f"{type(problem).__name__}: {problem}"
        found = compare(evaluation, np.full(point.size, np.nan))
        if found.kind != "undefined":
            raise
        raise Unmet("edge of the domain", stories.edge(trial.about, found)) from problem
    return outcome


def _weights(trial: _Trial, outcome: Outcome) -> Weights:
    if outcome.value is not None:
        return {}
    weights = ones_on_written(trial.about.point, outcome)
    if not weights:
        nothing = "returns nothing and writes no floating-point array: there is nothing to differentiate"
        raise TypeError(f"{trial.about.function} {nothing}")
    names = ", ".join(trial.about.point.leaves[k].path for k in weights)
    trial.note(f"nothing is returned: differentiated is the sum of what is written into {names}")
    return weights


def _learn_storage(trial: _Trial, storage: Storage) -> None:
    trial.learn(
        workspace_bytes=storage.bytes,
        workspace_formula=storage.formula,
        stored=storage.stored,
        explanation=storage.explanation,
    )


def _compare_primal(trial: _Trial, plain: Outcome, native: Outcome, evaluation: Evaluation) -> None:
    """The compiled primal agrees with Python as far as the order of operations is free."""
    from pytest_adalloc.checks.differences import Precision, measured_noise

    about = trial.about
    point = about.point
    precision = Precision.of(point.dtype)
    line, _ = point.consistent(natural_scale(point))
    base = evaluation.at(point.vector)
    noise = measured_noise(lambda step: evaluation.at(point.vector + step * line), precision, base)
    trial.noise = noise
    allowed = 64.0 * noise + 1e3 * precision.roundoff * abs(base if math.isfinite(base) else 0.0)
    if plain.value is not None or native.value is not None:
        values = (plain.value, native.value)
        if None in values or not _same(np.float64(values[0]), np.float64(values[1]), allowed):
            story = stories.primal_differs(about, "the value", _shown(plain.value), _shown(native.value))
            raise Unmet("primal differs from Python", story)
    for k in sorted({*plain.written, *native.written}):
        expected = plain.written.get(k, point.held(k))
        got = native.written.get(k, point.held(k))
        largest = float(np.max(np.abs(expected), initial=0.0)) if expected.dtype.kind == "f" else 0.0
        tolerance = 1e4 * precision.roundoff * largest if math.isfinite(largest) else math.inf
        wrong = np.flatnonzero(~_same(expected, got, tolerance))
        if len(wrong):
            at = tuple(int(i) for i in np.unravel_index(wrong[0], expected.shape))
            what = f"what it writes into {point.leaves[k].path}[{', '.join(map(str, at))}]"
            story = stories.primal_differs(about, what, _shown(expected[at]), _shown(got[at]))
            raise Unmet("primal differs from Python", story)


def _same(expected: Any, got: Any, allowed: float) -> Any:
    with np.errstate(all="ignore"):
        both_nan = (expected != expected) & (got != got)
        return (expected == got) | both_nan | (np.abs(np.subtract(expected, got, dtype=np.float64)) <= allowed)


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"{float(value):.17g}"


def _compare_gradient(trial: _Trial, evaluation: Evaluation, how: str) -> None:
    options, about = trial.options, trial.about
    found = compare(
        evaluation,
        trial.gradient,
        tolerance=Tolerance(options.rtol, options.atol),
        domain=Bounds.of(options.domain, about.point),
        seed=options.seed or 0,
        tick=lambda done, total: trial.progress("finite differences", done, total),
    )
    trial.noise = max(trial.noise, found.noise)
    trial.learn(max_error=found.max_error, worst=found.worst(about.point), differences=_reference(found) + how)
    if found.verdict != "passed":
        raise Unmet(found.verdict, stories.of_comparison(about, found))


def _reference(found: Comparison) -> str:
    return f"{found.how}, rounding noise {found.noise:.1e}"


def _compare_modes(trial: _Trial, subject: Subject) -> None:
    """Forward mode along random tangents against the gradient."""
    point = trial.about.point
    random = np.random.default_rng(trial.options.seed)
    roundoff = _roundoff(point)
    for _ in range(2):
        tangent = np.where(random.random(point.size) < 0.5, -1.0, 1.0) * (0.5 + random.random(point.size))
        tangent, counts = point.consistent(tangent)
        forward = subject.forward(tangent)
        if forward is None:
            return
        terms = trial.gradient * tangent * counts
        reverse = float(np.sum(terms))
        allowed = 8.0 * roundoff**0.5 * float(np.sum(np.abs(terms))) + 64.0 * trial.noise
        if not abs(forward - reverse) <= allowed:
            raise Unmet("gradient wrong", stories.modes_disagree(trial.about, forward, reverse))


def _roundoff(point: Point) -> float:
    from pytest_adalloc.checks.differences import Precision

    return Precision.of(point.dtype).roundoff


def _compare_second(trial: _Trial, subject: Subject) -> None:
    """Second derivatives along random pairs of directions against differences of the gradient."""
    from pytest_adalloc.checks.differences import Precision, slopes

    point, about = trial.about.point, trial.about
    random = np.random.default_rng(trial.options.seed)
    precision = Precision.of(point.dtype)
    scale = natural_scale(point)
    for number in range(min(4, 2 * point.size)):
        along = random.choice([-1.0, 1.0], point.size) * random.integers(4, 8, point.size) / 4.0 * scale
        along, _ = point.consistent(along)
        weight = random.choice([-1.0, 1.0], point.size) / scale
        product = subject.second(along)
        got = float(np.sum(weight * product))
        base = float(np.sum(weight * trial.gradient))
        noise = 16.0 * precision.roundoff * float(np.sum(np.abs(weight * trial.gradient)))

        def sample(_: int, step: float, along: Vector = along, weight: Vector = weight) -> float:
            with np.errstate(all="ignore"):
                return float(np.sum(weight * subject.gradient(point.vector + step * along)))

        found = slopes(sample, np.ones(1), base, noise, precision)
        expected, error = float(found.value[0]), float(found.error[0])
        reach = float(np.sum(np.abs(weight * product)))
        if not abs(got - expected) <= 8.0 * error + 16.0 * precision.roundoff**0.5 * max(abs(expected), reach):
            raise Unmet(
                "gradient wrong",
                stories.story(
                    f"gradient wrong: second derivatives of {about.function}, random directions {number + 1}",
                    f"  expected {expected:.12g} (differences of the gradient, +- {error:.1e})",
                    f"  got      {got:.12g}",
                    about.here(),
                ),
            )
    trial.note("second derivatives agree along random directions")


def _count(trial: _Trial, subject: Subject) -> None:
    options, about = trial.options, trial.about
    calls = options.calls or 1
    trial.progress("counting allocations", 0, calls)
    if not _watched(trial):
        return
    for count in subject.count(calls, options.scope or "thread"):
        seen = count.allocations
        if not trial.report.allocs_per_call or sum(seen.allocs_per_call) > sum(trial.report.allocs_per_call):
            trial.learn(
                allocs_per_call=tuple(seen.allocs_per_call),
                bytes_per_call=tuple(seen.bytes_per_call),
                sites=tuple(seen.sites),
                allocations=seen,
                witnesses=tuple(seen.witnesses),
            )
        if seen.disagreement and not seen.unseen:
            from pytest_adalloc import hooks

            raise hooks.HooksDead(f"two ways of counting contradict each other: {seen.disagreement}")
        if max(seen.allocs_per_call, default=0) > options.max_allocs or seen.unseen:
            raise Unmet(
                "allocates", stories.allocates(about, seen, options.max_allocs, trial.report.stored, count.sweep)
            )
        _compare_last(trial, count, calls)


def _watched(trial: _Trial) -> bool:
    """Whether this platform's allocations can be watched; else the proof has to stand alone, and the report says so.

    Raises HooksUnavailable for a gradient that comes without a proof.
    """
    from pytest_adalloc import hooks

    possible, reason = hooks.available()
    if not possible:
        if trial.about.foreign:
            raise hooks.HooksUnavailable(reason)
        trial.learn(witnesses=(f"allocator hooks: unavailable ({reason})",))
    return possible


def _compare_last(trial: _Trial, count: Count, calls: int) -> None:
    """What the last counted call left is what the first one gave."""
    about = trial.about
    if count.result is None:
        trial.note("the gradient of the last counted call was not compared again: it can't be read in place")
        return
    before = trial.gradient if count.expected is None else count.expected
    allowed = 64.0 * _roundoff(about.point) * float(np.max(np.abs(before), initial=0.0))
    wrong = np.flatnonzero(~_same(before, count.result, allowed))
    if len(wrong):
        k = int(wrong[0])
        name = f"d/d {about.point.spelled(k)}" if count.expected is None else "the derivative along (1, 1, ...)"
        story = stories.gradient_drifts(about, name, float(before[k]), float(count.result[k]), calls)
        raise Unmet("gradient wrong", story)


def _hold_to_limits(trial: _Trial, subject: Subject, known: dict[str, Any] | None) -> None:
    options, about = trial.options, trial.about
    if about.foreign and options.max_workspace is not None:
        trial.note("max_workspace is not checked: what a gradient keeps that is computed elsewhere is not known")
    elif not about.foreign:
        _learn_storage(trial, subject.storage)
    report = trial.report
    size = report.workspace_bytes
    limits = [] if options.max_workspace is None else [(options.max_workspace, "max_workspace is")]
    if known is not None:
        allocs = max(report.allocs_per_call, default=0)
        if allocs > known.get("allocs_per_call", allocs) and report.allocations is not None:
            story = stories.allocates(about, report.allocations, known["allocs_per_call"], report.stored)
            raise Unmet("allocates", f"{story}\n  = note: the baseline recorded {known['allocs_per_call']} a call")
        if known.get("workspace_bytes") is not None:
            limits.append((known["workspace_bytes"], "the baseline recorded"))
    for limit, because in limits:
        if size is not None and size > limit:
            story = stories.workspace_too_large(about, size, report.workspace_formula, limit, report.stored, because)
            raise Unmet("workspace too large", story)
    _prove(trial, subject)


def _prove(trial: _Trial, subject: Subject) -> None:
    foreign = trial.about.foreign
    # Whoever allows allocations can't want the proof that there are none.
    prove = trial.options.prove or ("report" if foreign or trial.options.max_allocs else "require")
    if prove == "off":
        return
    trial.learn(certificate=subject.certificate)
    proven = bool(getattr(subject.certificate, "proven", False))
    if not proven and prove == "require":
        raise Unmet("not proven", stories.not_proven(trial.about, subject.certificate))
    if foreign:
        trial.note("certificate: none, the gradient is computed elsewhere")


def _name(f: Callable[..., Any]) -> str:
    return getattr(f, "__name__", None) or type(f).__name__


def _place(f: Callable[..., Any]) -> tuple[str, int]:
    import inspect

    target = inspect.unwrap(getattr(f, "py_func", f))
    code = getattr(getattr(target, "__func__", target), "__code__", None)
    if code is None:
        return "", 0
    return _first_line(code.co_filename, code.co_firstlineno)


def _first_line(file: str, line: int) -> tuple[str, int]:
    """The `def` line: a code object starts at its first decorator."""
    import linecache

    for ahead in range(line, line + 50):
        text = linecache.getline(file, ahead).lstrip()
        if text.startswith(("def ", "async def ")) or "lambda" in text:
            return file, ahead
    return file, line
