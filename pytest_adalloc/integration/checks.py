"""The checks, made once: the fixture has them as methods, the package as functions of the test that runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

from pytest_adalloc import session
from pytest_adalloc.session import Recorder

if TYPE_CHECKING:
    from typing import ParamSpec

    from typing_extensions import Unpack

    from pytest_adalloc.checks.subjects.products import ScalarProblem
    from pytest_adalloc.checks.verdict.grad_report import GradReport
    from pytest_adalloc.options import GivenOptions

    P = ParamSpec("P")


class Checks:
    """Checks of gradients. `recorder` takes what they find; without one, that of the test that runs."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        self._own = recorder

    @overload
    def check(
        self, f: Callable[..., Any], /, *args: Any, grad: Callable[..., Any] | None = None,
        **options: Unpack[GivenOptions],
    ) -> GradReport: ...  # fmt: skip
    @overload
    def check(self, f: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> GradReport: ...
    def check(self, f: Callable[..., Any], /, *args: Any, **given: Any) -> GradReport:
        """Check that the gradient of `f` at `args` is right and that computing it allocates nothing.

        `grad` is a gradient that someone else computes (a callable that takes the same arguments and returns it);
        without it the compiler makes one. Options: see `pytest_adalloc.options.GivenOptions`. Any other keyword is an
        argument of `f`.

        `sizes=(7, 128)` checks at arguments of these lengths too, made from those given: the first axis of the first
        array that is differentiated, and every axis as long as it. `sizes={"n": (7, 128)}` names the argument: a whole
        number, or an array (`"a[1]"`: its second axis). `points=3` draws so many inputs at each size, within `domain`;
        a list of argument tuples is taken as it is; a callable `points(random)`, with sizes `points(n, random)`, makes
        them. An input that fails is made smaller while it fails, and the smallest is reported.

        Raises CheckFailed (an AssertionError) with the whole text when a step is not met, HooksDead when the allocation
        counters can't vouch for what they say, TypeError and ValueError for arguments that make no sense.
        """
        __tracebackhide__ = True
        return self._checked(f, args, given, counted=True)

    @overload
    def check_gradient(
        self, f: Callable[..., Any], /, *args: Any, grad: Callable[..., Any] | None = None,
        **options: Unpack[GivenOptions],
    ) -> GradReport: ...  # fmt: skip
    @overload
    def check_gradient(self, f: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> GradReport: ...
    def check_gradient(self, f: Callable[..., Any], /, *args: Any, **given: Any) -> GradReport:
        """Check that the gradient is right; nothing is counted and nothing has to be proved. Otherwise like `check`."""
        __tracebackhide__ = True
        return self._checked(f, args, given, counted=False)

    @overload
    def check_jvp(
        self, f: Callable[..., Any], /, *args: Any, jvp: Callable[..., Any] | None = None,
        **options: Unpack[GivenOptions],
    ) -> GradReport: ...  # fmt: skip
    @overload
    def check_jvp(self, f: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> GradReport: ...
    def check_jvp(self, f: Callable[..., Any], /, *args: Any, **given: Any) -> GradReport:
        """Check a product of the Jacobian with tangents: `jvp(primals, tangents) -> (outputs, output tangents)`.

        Without `jvp` it is the compiler's (`ad.jvp`). `primals` are the arguments that were given, in the order of the
        parameters. `f` may return numbers, arrays, and tuples, lists and dicts of them. Otherwise like
        `check_gradient`, of which it takes wrt, rtol, atol and seed.
        """
        __tracebackhide__ = True
        from pytest_adalloc.checks.subjects.products import along_tangents

        return self._product(along_tangents, f, args, given, "jvp")

    @overload
    def check_vjp(
        self, f: Callable[..., Any], /, *args: Any, vjp: Callable[..., Any] | None = None,
        **options: Unpack[GivenOptions],
    ) -> GradReport: ...  # fmt: skip
    @overload
    def check_vjp(self, f: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> GradReport: ...
    def check_vjp(self, f: Callable[..., Any], /, *args: Any, **given: Any) -> GradReport:
        """Check a product of a cotangent with the Jacobian: `vjp(primals, cotangent) -> cotangents of the arguments`.

        Without `vjp` it is the compiler's (`ad.vjp`). `cotangent` has the structure of what `f` returns. Otherwise like
        `check_gradient`, of which it takes wrt, rtol, atol, domain and seed.
        """
        __tracebackhide__ = True
        from pytest_adalloc.checks.subjects.products import of_cotangent

        return self._product(of_cotangent, f, args, given, "vjp")

    def check_many(self, f: Callable[..., Any], strategy: Any, /, *, examples: int = 50, **given: Any) -> GradReport:
        """Check the gradient of `f` at many inputs, which a strategy of hypothesis draws: tuples of arguments, or
        single ones. `pytest_adalloc.strategies.arguments(f, ...)` makes one.

        Other keywords are those of `check`: `grad`, options, arguments of `f` by name. The calls of the first input are
        counted. Returns the report of the worst input. Raises CheckFailed for the simplest input that hypothesis finds
        where a step is not met, ImportError without hypothesis, and what `check` raises.
        """
        __tracebackhide__ = True
        from pytest_adalloc.integration.many import settled_at_many

        options = session.with_defaults(given, self._recorder)
        return settled_at_many(f, strategy, options, examples, self._recorder)

    def check_rule(self, rule: Callable[..., Any], /, *args: Any, **given: Any) -> GradReport:
        """Check a rule of `ad.rule` at `args`: its tangent, its adjoint, one against the other, and both against the
        function in plain Python, for every single argument and for all of them together.

        Takes rtol, atol, domain and seed, as `check_gradient`. Raises CheckFailed for the first that is not met.
        """
        __tracebackhide__ = True
        from pytest_adalloc.checks.rules import rule_tasks
        from pytest_adalloc.integration.settle import settled

        for task in rule_tasks(rule, args, session.with_defaults(given, self._recorder, ("rtol", "atol"))):
            report = settled(task, self._recorder)
        return report

    @property
    def _recorder(self) -> Recorder | None:
        return self._own or session.current()

    def _checked(self, f: Callable[..., Any], args: Any, given: dict[str, Any], *, counted: bool) -> GradReport:
        __tracebackhide__ = True
        from pytest_adalloc.checks.task import task_of
        from pytest_adalloc.integration.settle import settled

        grad = given.pop("grad", None)
        options = session.with_defaults(given, self._recorder)
        return settled(task_of(f, args, options, grad=grad, counted=counted), self._recorder)

    def _product(
        self, made: Callable[..., ScalarProblem], f: Callable[..., Any], args: Any, given: dict[str, Any], name: str
    ) -> GradReport:
        """A jvp or a vjp, judged as the gradient of a scalar function."""
        __tracebackhide__ = True
        import numpy as np

        from pytest_adalloc.checks.task import task_of
        from pytest_adalloc.integration.settle import settled

        product = given.pop(name, None)
        own = session.with_defaults(given, self._recorder, ("rtol", "atol"))
        task = task_of(f, args, own, counted=False, unbind=False)
        options = task.options
        with np.errstate(all="ignore"):
            problem = made(task.function, task.args, product, options.wrt, options.seed or 0)
        kept = options if name == "vjp" else replace(options, wrt=None, domain=None)  # tangents are chosen already
        judged = replace(task, function=problem.function, args=problem.args, grad=problem.gradient, options=kept)
        return settled(judged, self._recorder)


_checks = Checks()
check, check_gradient = _checks.check, _checks.check_gradient
check_jvp, check_vjp, check_rule = _checks.check_jvp, _checks.check_vjp, _checks.check_rule
check_many = _checks.check_many

__all__ = ["Checks", "check", "check_gradient", "check_jvp", "check_many", "check_rule", "check_vjp"]
