"""Checks of gradients as plain functions: right, then free of allocations, then proved so.

The order is fixed: compile, compare the primal with plain Python, the gradient with finite differences and with forward
mode, count the calls one by one, compare the gradient of the last call, then the workspace and the certificate. The
first step that is not met decides the verdict.
"""

from __future__ import annotations

import inspect
import linecache
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_adalloc.checks.counting import count_calls, hold_to_limits
from pytest_adalloc.checks.determinism import require_determinism, require_still_the_same
from pytest_adalloc.checks.differences.comparison import compare
from pytest_adalloc.checks.differences.directions import DomainBounds
from pytest_adalloc.checks.differences.judging import Tolerance
from pytest_adalloc.checks.evidence import gathered
from pytest_adalloc.checks.exact.judging import compare_exactly
from pytest_adalloc.checks.exact.location import about_gradient
from pytest_adalloc.checks.exact.slopes import PointReference, ProgramSlopes
from pytest_adalloc.checks.exact.twins import LargeReference
from pytest_adalloc.checks.inputs.arguments import Point, Vector
from pytest_adalloc.checks.inputs.flat import FlatFunction
from pytest_adalloc.checks.other_derivatives import compare_modes, compare_second
from pytest_adalloc.checks.primal import POINTS, allowed_difference, compare_primal, reads_otherwise
from pytest_adalloc.checks.side_effects import require_no_side_effects
from pytest_adalloc.checks.subjects.evaluation import Evaluator, NotReal, Outcome, Weights, ones_on_written
from pytest_adalloc.checks.subjects.foreign import ForeignGradient
from pytest_adalloc.checks.subjects.subject import GradientSubject, Unmet
from pytest_adalloc.checks.subjects.tracing import first_not_finite
from pytest_adalloc.checks.task import CheckTask
from pytest_adalloc.checks.trial import Trial
from pytest_adalloc.checks.verdict import diagnostics
from pytest_adalloc.checks.verdict.comparison import EDGE, UNDEFINED, Comparison
from pytest_adalloc.checks.verdict.grad_report import GradReport
from pytest_adalloc.checks.verdict.later import Later
from pytest_adalloc.checks.workspace_limit import WorkspaceLimit
from pytest_adalloc.options import CheckOptions

SLOW = 0.005  # seconds a plain call may take before differences are taken with the compiled primal


def examined(task: CheckTask) -> GradReport:
    """The check itself: a report with the verdict; nothing is raised for a verdict that is not met.

    One at a time in a process: hooks, random generators and NumPy's settings are the process's own."""
    __tracebackhide__ = True
    with _examining:
        return _examined(task)


_examining = threading.RLock()
os.register_at_fork(after_in_child=_examining._at_fork_reinit)  # type: ignore[attr-defined]


def _examined(task: CheckTask) -> GradReport:
    __tracebackhide__ = True
    f, args, grad, options = task.function, task.args, task.grad, task.options
    point = Point(f.names, args, options.wrt)
    file, line = _place(f.function)
    maker = ("", 0) if grad is None else _place(grad)
    limit = WorkspaceLimit.of(options.max_workspace, dict(zip(f.names, args, strict=True)), point.paths)
    options = replace(options, max_workspace=None if limit is None else limit.bytes)
    about = diagnostics.About(f.name, file, line, point, grad is not None, maker, fault=task.fault)
    trial = Trial(about, options, GradReport(about.function, file=file, line=line), task.progress, limit)
    try:
        with np.errstate(all="ignore"):  # what is not finite gets a verdict, not a warning
            subject = _compare_everything(trial, f, grad)
        if task.counted:
            count_calls(trial, subject)
            hold_to_limits(trial, subject, task.known)
    except Unmet as unmet:
        return trial.report.learned(verdict=unmet.verdict, message=unmet.diagnostic)
    return trial.report


def _compare_everything(trial: Trial, f: FlatFunction, grad: Callable[..., Any] | None) -> GradientSubject:
    __tracebackhide__ = True
    about, options = trial.about, trial.options
    plain = f.plain
    evaluator = Evaluator(plain, about.point)
    first, took = _first_calls(about, evaluator)
    trial.progress(f"compiling {about.function}", 0, 1)
    foreign = None if grad is None else ForeignGradient(grad, about.point, f)
    subject = foreign or _compiled(f, about.point, options)
    outcome = _defined(trial, evaluator, first)
    trial.learn(value=outcome.returned)
    weights = evaluator.weights = _weights(trial, outcome)
    subject.derive(outcome, weights)
    if grad is None:
        trial.learn_storage(subject.storage)
    domain = DomainBounds.of(options.domain, about.point)
    reference = PointReference.of(f, about.point, weights)
    exact = _exact(trial, reference, evaluator, domain, outcome, took)
    large = _large(trial, reference, outcome) if exact is None else None
    how = ""
    if subject.primal is not None:
        native = Evaluator(subject.primal, about.point, weights)
        if took > SLOW and exact is None and large is None:
            evaluator, how = native, f"; sampled with the compiled primal: a call of plain Python takes {took:.2g} s"
        allowed, trial.noise = _allowed(exact, large, evaluator, domain)
        if exact is not None:
            trial.rounding = exact[1].rounding
        compare_primal(trial, outcome, native.outcome(), allowed, reference)
    trial.gradient = subject.gradient()
    trial.learn(gradients=about.point.split(trial.gradient))
    trial.about = replace(trial.about, coarse=subject.coarse)
    found = _compare_gradient(trial, evaluator, domain, exact, large, how)
    if evaluator.calls and evaluator.call is plain:
        require_still_the_same(about, evaluator, outcome)
    if found.verdict != "passed":
        about = about_gradient(trial.about, reference, trial.gradient, found)
        if found.kind == UNDEFINED and not about.located:  # it can only be called
            place = first_not_finite(plain, about.point.fresh())
            about = replace(about, located=(place,) if place else ())
        raise Unmet(found.verdict, diagnostics.of_comparison(about, found))
    if foreign is None:
        compare_modes(trial, subject, reference, exact[1].slopes if exact is not None else None)
    else:
        require_no_side_effects(trial, foreign, outcome)
    if options.order == 2:
        compare_second(trial, subject)
    return subject


def _compiled(f: FlatFunction, point: Point, options: CheckOptions) -> GradientSubject:
    """The compiler's gradient; the compiler is imported on first use. Raises Unmet if `f` can't be compiled."""
    from pytest_adalloc.checks.subjects.compiled import CompiledGradient

    return CompiledGradient(f, point, options)


def _first_calls(about: diagnostics.About, evaluator: Evaluator) -> tuple[Outcome | Exception, float]:
    """What the function gives at the point, always the same, or what it raises there; and how long a call takes.

    Nothing is compiled yet: what draws random numbers gets its own verdict, not that it can't be compiled.
    """
    __tracebackhide__ = True
    started = time.perf_counter()
    try:
        outcome = evaluator.outcome()
    except Exception as problem:
        return problem, 0.0
    took = time.perf_counter() - started
    require_determinism(about, evaluator, outcome, took)
    return outcome, took


def _defined(trial: Trial, evaluator: Evaluator, first: Outcome | Exception) -> Outcome:
    """The outcome at the point. Raises Unmet where the function has no value there, what it raises otherwise."""
    __tracebackhide__ = True
    if isinstance(first, Outcome):
        return first
    if isinstance(first, (ArithmeticError, ValueError, NotReal)):
        evaluator.trouble = f"{type(first).__name__}: {first}"
        found = compare(evaluator, np.full(trial.about.point.size, np.nan))
        if found.kind == "undefined":
            raise Unmet("edge of the domain", diagnostics.edge(trial.about, found)) from first
    raise first


def _weights(trial: Trial, outcome: Outcome) -> Weights:
    if outcome.value is not None:
        return {}
    weights = ones_on_written(trial.about.point, outcome)
    if not weights:
        nothing = "returns nothing and writes no floating-point array: there is nothing to differentiate"
        raise TypeError(f"{trial.about.function} {nothing}")
    names = ", ".join(trial.about.point.leaves[k].path for k in weights)
    trial.note(f"nothing is returned: differentiated is the sum of what is written into {names}")
    return weights


Exact = tuple[PointReference, ProgramSlopes]


def _exact(
    trial: Trial,
    reference: PointReference | None,
    evaluator: Evaluator,
    domain: DomainBounds,
    outcome: Outcome,
    took: float,
) -> Exact | None:
    """The exact slopes of the function, where the compiler can read it, and its reading is the function.

    Raises Unmet where a gradient of the compiler's own is checked, and it reads something else than Python does.
    """
    about, seed = trial.about, trial.options.seed or 0
    slopes = reference.slopes(seed) if reference is not None else None
    if reference is None or slopes is None or not math.isfinite(slopes.value):
        return None
    value = evaluator.at(about.point.vector) if outcome.value is None else outcome.value
    points = POINTS if took < SLOW else 1
    other = reads_otherwise(evaluator, reference, slopes, value, domain, seed, points)
    if other is None:
        return reference, slopes
    if about.foreign:
        return None
    vector, python, read = other
    where = "" if np.array_equal(vector, about.point.vector) else f" at ({_some(vector)})"
    about = replace(about, contradicts=False)  # what differs is the IR, as Python runs it
    text = diagnostics.primal_differs(about, f"the value{where}", f"{python:.17g}", f"{read:.17g}")
    raise Unmet("primal differs from Python", text)


def _large(trial: Trial, reference: PointReference | None, outcome: Outcome) -> LargeReference | None:
    """The 80-bit twin of a function, if it is the function: its value is Python's, as far as rounding lets see.

    Raises Unmet where a gradient of the compiler's own is checked, and it reads something else than Python does."""
    large = LargeReference.of(reference, trial.about.point, trial.options.seed or 0)
    if large is None or outcome.value is None:
        return None
    value = large.value
    if abs(outcome.value - value) <= large.allowance:
        return large
    if trial.about.foreign or not math.isfinite(outcome.value):
        return None
    text = diagnostics.primal_differs(trial.about, "the value", f"{outcome.value:.17g}", f"{value:.17g}")
    raise Unmet("primal differs from Python", text)


def _some(vector: Vector) -> str:
    shown = ", ".join(f"{x:.17g}" for x in vector[:4])
    return shown + (", ..." if len(vector) > 4 else "")


def _allowed(
    exact: Exact | None, large: LargeReference | None, evaluator: Evaluator, domain: DomainBounds
) -> tuple[float, float]:
    """How far the values of Python and of compiled code may be apart at the point, and the noise in them."""
    if exact is not None:
        reference, slopes = exact
        return 16.0 * slopes.noise + 1e3 * reference.roundoff * abs(slopes.value), slopes.noise
    if large is not None:
        return large.allowance, large.allowance / 16.0
    return allowed_difference(evaluator, domain)


def _compare_gradient(
    trial: Trial,
    evaluator: Evaluator,
    domain: DomainBounds,
    exact: Exact | None,
    large: LargeReference | None,
    how: str,
) -> Comparison:
    options, about = trial.options, trial.about
    tolerance = Tolerance(options.rtol, options.atol)
    found = None
    if exact is not None:
        found = compare_exactly(*exact, about.point, trial.gradient, tolerance, domain)
    elif large is not None:
        found = large.compare(trial.gradient, tolerance, domain, options.seed or 0)
    if found is None:
        found = compare(
            evaluator,
            trial.gradient,
            tolerance=tolerance,
            domain=domain,
            seed=options.seed or 0,
            tick=lambda done, total: trial.progress("finite differences", done, total),
        )
    if found.kind == EDGE and found.exact:
        found = replace(found, trouble=_trouble(evaluator, found) or found.trouble)
    trial.noise = max(trial.noise, found.noise)
    drowned = tuple(about.point.spelled(k) for k in found.drowned)
    trial.learn(max_error=found.max_error, worst=found.worst(about.point), differences=_reference(found) + how)
    gradient, slopes = trial.gradient.copy(), exact[1].slopes if exact is not None else None
    evidence = Later(lambda: gathered(evaluator, domain, found, gradient, slopes))
    trial.learn(digits=found.digits, drowned=drowned, evidence=evidence)
    return found


def _trouble(evaluator: Evaluator, found: Comparison) -> str:
    """What Python says beside an edge, on the side without a value."""
    size = max(abs(float(evaluator.point.vector[found.component])), 2.0**-10)
    step = math.copysign(2.0**-20 * size, -1.0 if math.isnan(found.left) else 1.0)
    evaluator.trouble = ""
    evaluator.along(found.component, step)
    return evaluator.trouble


def _reference(found: Comparison) -> str:
    if not found.exact:
        return f"finite differences of {found.how}, rounding noise {found.noise:.1e}"
    if found.digits is None:
        return found.how
    left = f"; rounding of the program leaves {found.leaves}" if found.leaves is not None else ""
    return f"{found.how}; agrees to {found.digits} digits{left}"


def _place(f: Callable[..., Any]) -> tuple[str, int]:
    target = inspect.unwrap(getattr(f, "py_func", f))
    code = getattr(getattr(target, "__func__", target), "__code__", None)
    if code is None:
        return "", 0
    return _first_line(code.co_filename, code.co_firstlineno)


def _first_line(file: str, line: int) -> tuple[str, int]:
    """The `def` line: a code object starts at its first decorator."""
    for ahead in range(line, line + 50):
        text = linecache.getline(file, ahead).lstrip()
        if text.startswith(("def ", "async def ")) or "lambda" in text:
            return file, ahead
    return file, line
