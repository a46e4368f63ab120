"""The `adalloc` fixture: the plain functions as methods, under the settings of the run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_adalloc.integration.checks import Checks
from pytest_adalloc.session import Recorder

if TYPE_CHECKING:
    from pytest_adalloc.checks.verdict.grad_report import GradReport
    from pytest_adalloc.hooks import AllocationReport, GrowthReport, Recording
    from pytest_adalloc.hooks.reports import Scope


class Adalloc(Checks):
    """Checks of gradients and counts of allocations; what they find ends up in the reports of the run."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self._mine = recorder

    @property
    def reports(self) -> tuple[GradReport, ...]:
        """The reports of this test so far."""
        return tuple(self._mine.reports)

    def measure(
        self,
        call: Callable[..., object],
        *args: object,
        calls: int | None = None,
        warmup: int = 1,
        scope: Scope | None = None,
        others: Sequence[Sequence[object]] = (),
        realtime: bool = False,
        setup: Callable[[], Any] | None = None,
        only: Callable[..., Any] | None = None,
        **kwargs: object,
    ) -> AllocationReport:
        """Count the native allocations of any callable, call by call; with `others`, also by the arguments' shapes.

        Other keywords are arguments of the call. `realtime` counts system calls and page faults too. `setup` makes the
        arguments anew before each call, outside the count; `only` counts what happens inside one function that the
        call calls. See `pytest_adalloc.measure`. Raises HooksDead when the counters can't vouch for what they say.
        """
        from pytest_adalloc import hooks
        from pytest_adalloc.report.profiles import profiled

        settings = self._mine.settings
        counted = calls or settings.calls
        scope = scope or settings.scope
        report = hooks.measured(
            call,
            args,
            kwargs,
            calls=counted,
            warmup=warmup,
            scope=scope,
            others=others,
            realtime=realtime or settings.syscalls,
            setup=setup,
            only=only,
        )
        profiled(self._mine, report)
        return report

    def assert_no_alloc(
        self,
        call: Callable[..., object],
        *args: object,
        calls: int | None = None,
        warmup: int = 1,
        scope: Scope | None = None,
        setup: Callable[[], Any] | None = None,
        only: Callable[..., Any] | None = None,
        max_allocs: int = 0,
        max_numpy: int | None = None,
        max_python: int | None = None,
        **kwargs: object,
    ) -> AllocationReport:
        """Assert that a call allocates nothing, in none of `calls` calls. See `pytest_adalloc.assert_no_alloc`.

        Under `--adalloc=warn` it warns instead of raising AllocationForbidden, under `--adalloc=off` it only counts.
        """
        __tracebackhide__ = True
        from pytest_adalloc import hooks
        from pytest_adalloc.hooks.count.asserting import hold

        report = self.measure(
            call, *args, calls=calls, warmup=warmup, scope=scope, setup=setup, only=only, **kwargs  # type: ignore[arg-type]
        )  # fmt: skip
        policy = self._mine.settings.policy
        try:
            if policy != "off":
                hold(call, report, max_allocs=max_allocs, max_numpy=max_numpy, max_python=max_python)
        except hooks.AllocationForbidden as problem:
            if policy == "strict":
                raise
            _warned(problem, 1)
        return report

    def measure_growth(
        self, call: Callable[..., object], *args: object, calls: int = 4000, batches: int = 16
    ) -> GrowthReport:
        """Whether the process's memory grows with every call. See `pytest_adalloc.measure_growth`."""
        from pytest_adalloc import hooks

        return hooks.measure_growth(call, *args, calls=calls, batches=batches)

    @contextmanager
    def forbid(
        self, *, scope: Scope | None = None, at_once: bool = True, max_numpy: int | None = None
    ) -> Iterator[None]:
        """A block that is stopped at its first native allocation, by AllocationForbidden with the backtrace.

        Under `--adalloc=warn` it runs to its end and warns, under `--adalloc=off` it is not watched. `at_once=False`
        lets it run at full speed and raises at its end. See `pytest_adalloc.forbid`.
        """
        __tracebackhide__ = True
        policy = self._mine.settings.policy
        if policy == "off":
            yield
            return
        from pytest_adalloc import hooks

        try:
            at_once = at_once and policy == "strict"
            with hooks.forbid(scope=scope or self._mine.settings.scope, at_once=at_once, max_numpy=max_numpy):
                yield
        except hooks.AllocationForbidden as problem:
            if policy == "strict":
                raise
            _warned(problem, 2)  # contextlib's own is between

    @contextmanager
    def record(self, *, scope: Scope | None = None) -> Iterator[Recording]:
        """A block whose native allocations are recorded, as one call."""
        from pytest_adalloc import hooks
        from pytest_adalloc.report.profiles import profiled

        with hooks.record(scope=scope or self._mine.settings.scope) as recording:
            yield recording
        if recording.report is not None:
            profiled(self._mine, recording.report)


def _warned(problem: Exception, frames: int) -> None:
    """Warn at the line of the test, so many calls above."""
    from pytest_adalloc.checks.verdict.grad_report import AdallocWarning

    warnings.warn(AdallocWarning(str(problem)), stacklevel=frames + 2)


# Tracebacks print the fixture by its qualified name: where users import its class from.
Adalloc.__module__ = "pytest_adalloc"
