"""Checks under the policy of the run: what is found is recorded, then raised, warned of, or returned."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_adalloc import session
from pytest_adalloc.checks.checking import examined, name_of
from pytest_adalloc.checks.inputs.arguments import names_of
from pytest_adalloc.checks.inputs.instances import unbound
from pytest_adalloc.checks.inputs.several import examined_at_several
from pytest_adalloc.checks.subjects.products import ScalarProblem, along_tangents, of_cotangent
from pytest_adalloc.checks.verdict.diagnostics import AS_READ, COMPILER, NOT_SETTLED
from pytest_adalloc.checks.verdict.grad_report import AdallocWarning, CheckFailed, GradReport
from pytest_adalloc.options import CheckOptions, silent
from pytest_adalloc.report.findings import recorded
from pytest_adalloc.session import Recorder, Settings

RULE = "the rule's tangent or adjoint is not the derivative of the function that it stands for"


def check(f: Callable[..., Any], /, *args: Any, grad: Callable[..., Any] | None = None, **options: Any) -> GradReport:
    """Check that the gradient of `f` at `args` is right and that computing it allocates nothing.

    `grad` is a gradient that someone else computes (a callable that takes the same arguments and returns it); without
    it the compiler makes one. CheckOptions: wrt, mode, max_allocs, max_numpy, max_python, max_workspace, workspace,
    calls, rtol, atol, domain, order, prove, seed, fastmath, scope, sizes, points, realtime.

    `sizes=(7, 128)` checks at arguments of these lengths too, made from those given: the first axis of the first array
    that is differentiated, and every axis as long as it. `sizes={"n": (7, 128)}` names the argument: a whole number, or
    an array (`"a[1]"`: its second axis). `points=3` draws so many inputs at each size, within `domain`; a list of
    argument tuples is taken as it is; a callable `points(random)`, with sizes `points(n, random)`, makes them. An input
    that fails is made smaller while it fails, and the smallest is reported.

    Raises CheckFailed (an AssertionError) with the whole text when a step is not met, HooksDead when the allocation
    counters can't vouch for what they say, TypeError and ValueError for arguments that make no sense.
    """
    __tracebackhide__ = True
    return settled(f, args, grad, CheckOptions.of(options), session.current(), counted=True)


def check_gradient(
    f: Callable[..., Any], /, *args: Any, grad: Callable[..., Any] | None = None, **options: Any
) -> GradReport:
    """Check that the gradient is right; nothing is counted and nothing has to be proved. Otherwise like `check`."""
    __tracebackhide__ = True
    return settled(f, args, grad, CheckOptions.of(options), session.current(), counted=False)


def check_jvp(
    f: Callable[..., Any], /, *args: Any, jvp: Callable[..., Any] | None = None, **options: Any
) -> GradReport:
    """Check a product of the Jacobian with tangents: `jvp(primals, tangents) -> (outputs, output tangents)`.

    Without `jvp` it is the compiler's (`ad.jvp`). `f` may return numbers, arrays, and tuples, lists and dicts of them.
    Otherwise like `check_gradient`, of which it takes wrt, rtol, atol and seed.
    """
    __tracebackhide__ = True
    return judged_product(along_tangents, f, args, jvp, options, session.current())


def check_vjp(
    f: Callable[..., Any], /, *args: Any, vjp: Callable[..., Any] | None = None, **options: Any
) -> GradReport:
    """Check a product of a cotangent with the Jacobian: `vjp(primals, cotangent) -> cotangents of the arguments`.

    Without `vjp` it is the compiler's (`ad.vjp`). `cotangent` has the structure of what `f` returns. Otherwise like
    `check_gradient`, of which it takes wrt, rtol, atol, domain and seed.
    """
    __tracebackhide__ = True
    return judged_product(of_cotangent, f, args, vjp, options, session.current())


def check_rule(rule: Callable[..., Any], /, *args: Any, **options: Any) -> GradReport:
    """Check a rule of `ad.rule` at `args`: its tangent, its adjoint, one against the other, and both against the
    function in plain Python, for every single argument and for all of them together.

    Takes rtol, atol, domain and seed, as `check_gradient`. Raises CheckFailed for the first that is not met.
    """
    __tracebackhide__ = True
    return judged_rule(rule, args, options, session.current())


def judged_product(
    made: Callable[..., ScalarProblem],
    f: Callable[..., Any],
    args: tuple[Any, ...],
    product: Callable[..., Any] | None,
    options: dict[str, Any],
    recorder: Recorder | None,
) -> GradReport:
    """A jvp or a vjp, judged as the gradient of a scalar function."""
    __tracebackhide__ = True
    chosen = CheckOptions.of(options)
    with np.errstate(all="ignore"):
        problem = made(f, args, product, chosen.wrt, chosen.seed or 0)
    tangents = made is along_tangents
    kept = replace(chosen, wrt=None if tangents else chosen.wrt, domain=None if tangents else chosen.domain)
    return settled(problem.function, problem.args, problem.gradient, kept, recorder, counted=False)


def judged_rule(
    rule: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any], recorder: Recorder | None
) -> GradReport:
    """A rule in both modes, for each activity of its arguments."""
    __tracebackhide__ = True
    floats = [k for k, value in enumerate(args) if isinstance(value, (float, np.floating))]
    if not floats:
        raise TypeError("check_rule: no argument is a float: there is nothing to differentiate")

    def called(*given: Any) -> Any:
        return rule(*given)

    named = getattr(rule, "function", rule)
    called.__name__ = getattr(named, "__name__", "rule")
    reworded = {f"given[{k}]": name for k, name in enumerate(names_of(named, len(args)))}
    for active in [(k,) for k in floats] + [tuple(floats)]:
        kept = CheckOptions.of({**options, "wrt": active, "mode": "both"})
        report = settled(
            called,
            args,
            None,
            kept,
            recorder,
            counted=False,
            reworded={COMPILER: RULE, AS_READ: RULE, NOT_SETTLED: RULE, **reworded},
        )
    return report


def settled(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    grad: Callable[..., Any] | None,
    options: CheckOptions,
    recorder: Recorder | None,
    *,
    counted: bool,
    reworded: Mapping[str, str] | None = None,
) -> GradReport:
    """A check under the policy of the run: what is found is recorded, then raised, warned of, or returned.

    `reworded`: what a diagnostic says otherwise here, and how.
    """
    __tracebackhide__ = True
    f, args, wrt = unbound(f, args, options.wrt)
    options = replace(options, wrt=wrt)
    settings = recorder.settings if recorder is not None else Settings()
    if settings.policy == "off":
        report = GradReport(name_of(f), "not checked", notes=("checks are off: --adalloc=off",))
    else:
        options = options.completed(
            calls=settings.calls, seed=settings.seed, scope=settings.scope, syscalls=settings.syscalls
        )
        progress = recorder.progress if recorder is not None and recorder.progress else silent
        known = recorder.known.get(recorder.key) if recorder is not None and recorder.known is not None else None
        try:
            examine = examined if options.sizes is None and options.points is None else examined_at_several
            report = examine(f, args, grad, options, counted=counted, known=known, progress=progress)
        finally:
            progress("", 0, 0)
        for usual, here in (reworded or {}).items():
            report = report.learned(message=report.message.replace(usual, here))
    if recorder is not None:
        recorded(recorder, report)
    if not report.passed and settings.policy == "strict":
        raise CheckFailed(report)
    if not report.passed and settings.policy == "warn":
        warnings.warn(AdallocWarning(report.message), stacklevel=3)
    return report
