"""Checks of gradients as plain functions: right, then free of allocations, then proved so.

The order is fixed: compile, compare the primal with plain Python, the gradient with finite differences and with forward
mode, count the calls one by one, compare the gradient of the last call, then the workspace and the certificate. The
first step that is not met decides the verdict.
"""

from __future__ import annotations

import inspect
import linecache
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_adalloc.checks import diagnostics
from pytest_adalloc.checks.arguments import Point, names_of
from pytest_adalloc.checks.counting import count_calls, hold_to_limits
from pytest_adalloc.checks.determinism import require_determinism, require_still_the_same
from pytest_adalloc.checks.differences.comparison import Comparison, compare
from pytest_adalloc.checks.differences.directions import DomainBounds
from pytest_adalloc.checks.differences.judging import Tolerance
from pytest_adalloc.checks.evaluation import Evaluator, NotReal, Outcome, Weights, ones_on_written
from pytest_adalloc.checks.foreign import ForeignGradient
from pytest_adalloc.checks.grad_report import GradReport
from pytest_adalloc.checks.other_derivatives import compare_modes, compare_second
from pytest_adalloc.checks.primal import compare_primal
from pytest_adalloc.checks.side_effects import require_no_side_effects
from pytest_adalloc.checks.subject import GradientSubject, Unmet
from pytest_adalloc.checks.trial import Trial
from pytest_adalloc.options import CheckOptions, Progress, silent

SLOW = 0.005  # seconds a plain call may take before differences are taken with the compiled primal


def examined(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    grad: Callable[..., Any] | None,
    options: CheckOptions,
    *,
    counted: bool = True,
    known: dict[str, Any] | None = None,
    progress: Progress = silent,
) -> GradReport:
    """The check itself: a report with the verdict; nothing is raised for a verdict that is not met."""
    __tracebackhide__ = True
    point = Point(names_of(f, len(args)), args, options.wrt)
    file, line = _place(f)
    maker = ("", 0) if grad is None else _place(grad)
    about = diagnostics.About(name_of(f), file, line, point, grad is not None, maker)
    trial = Trial(about, options, GradReport(about.function, file=file, line=line), progress)
    try:
        with np.errstate(all="ignore"):  # what is not finite gets a verdict, not a warning
            subject = _compare_everything(trial, f, grad)
        if counted:
            count_calls(trial, subject)
            hold_to_limits(trial, subject, known)
    except Unmet as unmet:
        return trial.report.learned(verdict=unmet.verdict, message=unmet.diagnostic)
    return trial.report


def _compare_everything(trial: Trial, f: Callable[..., Any], grad: Callable[..., Any] | None) -> GradientSubject:
    __tracebackhide__ = True
    about, options = trial.about, trial.options
    plain = getattr(f, "py_func", f)  # a jitted function stands for the Python function inside
    evaluator = Evaluator(plain, about.point)
    first, took = _first_calls(about, evaluator)
    trial.progress(f"compiling {about.function}", 0, 1)
    subject = _compiled(f, about.point, options) if grad is None else ForeignGradient(grad, about.point)
    outcome = _defined(trial, evaluator, first)
    trial.learn(value=outcome.returned)
    weights = evaluator.weights = _weights(trial, outcome)
    subject.derive(outcome, weights)
    if grad is None:
        trial.learn_storage(subject.storage)
    how = ""
    if subject.primal is not None:
        native = Evaluator(subject.primal, about.point, weights)
        if took > SLOW:
            evaluator, how = native, f"; sampled with the compiled primal: a call of plain Python takes {took:.2g} s"
        compare_primal(trial, outcome, native.outcome(), evaluator)
    trial.gradient = subject.gradient()
    trial.learn(gradients=about.point.split(trial.gradient))
    trial.about = replace(trial.about, coarse=subject.coarse)
    _compare_gradient(trial, evaluator, how)
    if evaluator.calls and evaluator.call is plain:
        require_still_the_same(about, evaluator, outcome)
    if grad is None:
        compare_modes(trial, subject)
    else:
        require_no_side_effects(trial, grad, outcome)
    if options.order == 2:
        compare_second(trial, subject)
    return subject


def _compiled(f: Callable[..., Any], point: Point, options: CheckOptions) -> GradientSubject:
    """The compiler's gradient; the compiler is imported on first use. Raises Unmet if `f` can't be compiled."""
    from pytest_adalloc.checks.compiled import CompiledGradient

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


def _compare_gradient(trial: Trial, evaluator: Evaluator, how: str) -> None:
    options, about = trial.options, trial.about
    found = compare(
        evaluator,
        trial.gradient,
        tolerance=Tolerance(options.rtol, options.atol),
        domain=DomainBounds.of(options.domain, about.point),
        seed=options.seed or 0,
        tick=lambda done, total: trial.progress("finite differences", done, total),
    )
    trial.noise = max(trial.noise, found.noise)
    trial.learn(max_error=found.max_error, worst=found.worst(about.point), differences=_reference(found) + how)
    if found.verdict != "passed":
        raise Unmet(found.verdict, diagnostics.of_comparison(about, found))


def _reference(found: Comparison) -> str:
    return f"{found.how}, rounding noise {found.noise:.1e}"


def name_of(f: Callable[..., Any]) -> str:
    return getattr(f, "__name__", None) or type(f).__name__


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
