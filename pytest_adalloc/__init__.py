"""Gradients that are right and never allocate, as tests: `check`, `check_gradient`, `assert_no_alloc`, `measure`,
`measure_growth`, `forbid`, `record`.

The same as methods of the fixture `adalloc`. Everything is imported on first use: pytest loads this package in every
run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_adalloc.checks.verdict.grad_report import AdallocWarning, CheckFailed, GradReport, Worst
    from pytest_adalloc.hooks import (
        AllocationForbidden,
        AllocationReport,
        GrowthReport,
        HooksBusy,
        HooksDead,
        HooksUnavailable,
        assert_no_alloc,
        forbid,
        measure,
        measure_growth,
        record,
    )
    from pytest_adalloc.hooks.attribute.pprof import write_profile
    from pytest_adalloc.integration.checks import (
        check,
        check_gradient,
        check_jvp,
        check_many,
        check_rule,
        check_vjp,
    )
    from pytest_adalloc.integration.fixture import Adalloc

__all__ = [
    "Adalloc",
    "AdallocWarning",
    "AllocationForbidden",
    "AllocationReport",
    "CheckFailed",
    "GradReport",
    "GrowthReport",
    "HooksBusy",
    "HooksDead",
    "HooksUnavailable",
    "Worst",
    "assert_no_alloc",
    "check",
    "check_gradient",
    "check_jvp",
    "check_many",
    "check_rule",
    "check_vjp",
    "forbid",
    "measure",
    "measure_growth",
    "record",
    "write_profile",
]

_HOME = {
    "Adalloc": "integration.fixture",
    "AdallocWarning": "checks.verdict.grad_report",
    "CheckFailed": "checks.verdict.grad_report",
    "GradReport": "checks.verdict.grad_report",
    "Worst": "checks.verdict.grad_report",
    "check": "integration.checks",
    "check_gradient": "integration.checks",
    "check_jvp": "integration.checks",
    "check_many": "integration.checks",
    "check_rule": "integration.checks",
    "check_vjp": "integration.checks",
    "write_profile": "hooks.attribute.pprof",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "strategies":  # not in `__all__`: it needs hypothesis, which is optional
        return import_module(f"{__name__}.strategies")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME.get(name, 'hooks')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
