"""Count the native allocations of calls, one by one, in a window that proves on both ends that the counters live.

    report = measure_native(address, frame, calls=100)      # int32 kernel(void *frame), driven by native code alone
    report = measure(function, argument, calls=100)          # any callable

A window is: patch what was loaded since, warm up, arm, canary, calls, canary, disarm, read every slot back. A dead
canary or a lost slot is ``HooksDead``. When libraries came or went meanwhile, the window is void and measured again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_adalloc.hooks.attribute.lines import Gains, python_lines
from pytest_adalloc.hooks.attribute.sites import CodeRange
from pytest_adalloc.hooks.count.compiled_calls import compiled_call
from pytest_adalloc.hooks.count.cross_checks import cross_check
from pytest_adalloc.hooks.count.drivers import Driver, python_driver
from pytest_adalloc.hooks.count.python_domains import DomainColumns, counted_domains
from pytest_adalloc.hooks.count.system_calls import asked, observe_system_calls, observing
from pytest_adalloc.hooks.count.window import blind_spots, vouched_window
from pytest_adalloc.hooks.install.hooks import Hooks
from pytest_adalloc.hooks.install.plan import Restore, WindowPlan
from pytest_adalloc.hooks.install.process import installed
from pytest_adalloc.hooks.reports import AllocationReport, DomainCount, Scope, ShapeCount, Witness


def measure_native(
    address: int,
    frame: int,
    *,
    calls: int,
    warmup: int = 1,
    restore: Sequence[Restore] = (),
    scope: Scope = "thread",
    address_table: Sequence[CodeRange] | None = None,
    witness: bool = True,
) -> AllocationReport:
    """Count the allocations of native code ``int32 kernel(void *frame)``, call by call.

    Before each call every block of ``restore`` (destination, source, bytes) is copied back, outside the count. A call
    that returns something other than zero ends the loop: it is the last one counted, and its value is the report's
    ``status``. Raises ``HooksDead`` when the count cannot be vouched for, ``ValueError`` for a negative number of
    calls.
    """
    driver = Driver(address, frame, tuple(restore))
    return observe(driver, calls=calls, warmup=warmup, scope=scope, address_table=address_table, witness=witness)


def measure(
    call: Callable[..., object],
    *args: object,
    calls: int = 100,
    warmup: int = 1,
    scope: Scope = "thread",
    witness: bool = True,
    others: Sequence[Sequence[object]] = (),
    realtime: bool = False,
    setup: Callable[[], Any] | None = None,
    only: Callable[..., Any] | None = None,
    **kwargs: object,
) -> AllocationReport:
    """Count the native allocations of ``call(*args, **kwargs)``, call by call.

    Compiled gradients, as handles and as bound calls, and function pointers (of ctypes or cffi, Numba's ``cfunc`` and
    ``njit``, SciPy's ``LowLevelCallable``) are called by native code alone; what their wrappers for Python ask for is
    seen when they are called in a lambda. Anything else is called from Python; then the interpreter's own allocations
    are told apart by caller and reported under ``interpreter``.

    With ``realtime`` the system calls and page faults of as many further calls are counted as well.

    ``setup`` is called before each call, outside the count, and makes its arguments: it returns them as a tuple, as a
    pair of a tuple and a dict, or None where those given stay. ``only`` names a function that the call calls: what
    happens inside of it is counted, and nothing else. Raises RuntimeError if it is never called.

    ``others`` are further lists of arguments, of other shapes, for a few calls each: ``by_shape`` has what a call takes
    with each, and where that differs the pattern is "shape-dependent".
    """
    return measured(
        call,
        args,
        kwargs,
        calls=calls,
        warmup=warmup,
        scope=scope,
        witness=witness,
        others=others,
        realtime=realtime,
        setup=setup,
        only=only,
    )


def measured(
    call: Callable[..., object],
    args: tuple[object, ...],
    kwargs: dict[str, object],
    *,
    calls: int,
    scope: Scope,
    warmup: int = 1,
    witness: bool = True,
    others: Sequence[Sequence[object]] = (),
    realtime: bool = False,
    setup: Callable[[], Any] | None = None,
    only: Callable[..., Any] | None = None,
) -> AllocationReport:
    """The same, with the call's arguments apart from what is asked."""
    if setup is not None or only is not None:
        if others or (setup is not None and only is not None):
            raise TypeError("`setup`, `only` and `others` exclude each other: measure one after the other")
        call, args, kwargs = _in_part(call, args, kwargs, setup, only), (), {}
    driver = _driver(call, args, kwargs)
    with observing(realtime):
        report = observe(driver, calls=calls, warmup=warmup, scope=scope, witness=witness)
    if report.status and driver.raise_fault is not None:
        driver.raise_fault(report.status)
    if not others:
        return report
    counts = [_shape_count(args, report)]
    for more in others:
        few = observe(_driver(call, tuple(more), kwargs), calls=FEW, warmup=max(warmup, 1), scope=scope, witness=False)
        counts.append(_shape_count(more, few))
    return replace(report, by_shape=tuple(counts))


FEW = 5  # calls with arguments of another shape; the largest is taken, so that one hit of a cache is no answer


def _shape_count(args: Sequence[object], report: AllocationReport) -> ShapeCount:
    # The first call may set something up, which is no matter of shapes.
    steady = slice(1, None) if report.calls > 1 else slice(None)
    largest = max(report.allocs_per_call[steady]), max(report.bytes_per_call[steady])
    return ShapeCount(", ".join(map(_shape, args)), *largest)


def _shape(argument: object) -> str:
    shape = getattr(argument, "shape", None)
    if isinstance(shape, tuple):
        return str(shape)
    if isinstance(argument, (list, tuple, bytes, str)):
        return f"{type(argument).__name__} of {len(argument)}"
    return repr(argument) if isinstance(argument, (bool, int, float)) else type(argument).__name__


def _in_part(
    call: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object], setup: Any, only: Any
) -> Callable[[], object]:
    from pytest_adalloc.hooks.count.parts import Anew, PartlyCounted

    return (
        Anew(installed(), call, setup, (args, kwargs))
        if setup
        else PartlyCounted(installed(), call, only, (args, kwargs))
    )


def _driver(call: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]) -> Driver:
    from pytest_adalloc.hooks.count.pointers import as_kernel

    hooks = installed()
    if type(call).__module__.partition(".")[0] == "adcore":
        with hooks.paused():
            compiled = compiled_call(call, args, kwargs)
        if compiled is not None:
            return compiled
    with hooks.paused():  # the compiler works for us
        kernel = as_kernel(call, args) if not kwargs else None  # native code knows no names
    if kernel is not None:
        return Driver(kernel.address, 0, locked=kernel.needs_interpreter, kept=kernel)
    return python_driver(hooks, call, args, kwargs)


def observe(
    driver: Driver,
    *,
    calls: int,
    warmup: int,
    scope: Scope,
    address_table: Sequence[CodeRange] | None = None,
    witness: bool = True,
) -> AllocationReport:
    """One vouched window over ``calls`` calls, and the second witness over a few more."""
    if calls < 1 or warmup < 0:
        raise ValueError(f"calls must be at least 1 and warmup at least 0, not {calls} and {warmup}")
    hooks = installed()
    with hooks.opened(scope), counted_domains(hooks) as domains:
        hooks.refresh()
        driver.warm_up(hooks, warmup)
        plan, window, repeats = vouched_window(hooks, driver, calls, scope=scope)
        fields = replace(window, table=address_table).fields(scope, _lines(hooks, driver, plan))
        done = plan["done"]
        counts, sizes = tuple(plan.counts[:done]), tuple(plan.sizes[:done])
        spots = blind_spots(hooks, window.after)
        witnesses = cross_check(hooks, driver, window, plan, calls if witness else 0)
        if asked() and not plan.status:
            system = observe_system_calls(hooks, driver, calls)
            witnesses = (*witnesses, system.witness)
            fields |= {"system_calls": system.by_name, "page_faults": system.page_faults}
        fields |= setting(plan, driver.name, domains, witnesses, spots)
        return AllocationReport(counts, sizes, **fields, status=plan.status, repeats=repeats)


def setting(
    plan: WindowPlan, driven: str, domains: DomainColumns, witnesses: tuple[Witness, ...], spots: tuple[str, ...]
) -> dict[str, Any]:
    """The fields of a report that do not come from its sites."""
    python: Mapping[str, DomainCount] = domains.counts(plan)
    return {
        "scope": plan.scope,
        "driven": driven,
        "python": python,
        "witnesses": witnesses,
        "blind_spots": (*spots, *domains.blind_spots),
    }


def _lines(hooks: Hooks, driver: Driver, plan: WindowPlan) -> dict[int, Gains]:
    if driver.name != "python" or not any(plan.counts):
        return {}

    def once() -> None:
        with hooks.paused():
            driver.drive(hooks, driver.plan(hooks, 1))

    return python_lines(hooks.words, once)
