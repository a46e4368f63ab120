"""What is kept takes the bytes that are reported, to the last one: below them is an error, at them is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adcore as ad


def product(x):
    p = 1.0
    for i in range(len(x)):
        p = p * x[i] + 1.0
    return p


def decisions(x):
    s = 0.0
    for i in range(len(x)):
        if np.sin(x[i]) * x[i] > 0.5:
            s += x[i]
        else:
            s += 2.0 * x[i]
        x[i] = 0.0
    return s


def singles(x):
    p = x[0]
    for i in range(len(x)):
        if p * x[i] > x[0]:
            p = p * x[i]
        else:
            p = p + x[i] * x[i]
        x[i] = p
    return p


def table(x):
    s = 0.0
    for i in range(len(x)):
        p = x[i]
        for j in range(len(x)):
            if p * x[j] > 0.2:
                p = p * x[j]
        s += p
    return s


def triangle(x):
    s = 0.0
    for i in range(len(x)):
        p = x[i]
        for j in range(i + 1):
            if np.cos(p) * x[j] > 0.2:
                p = p * np.sin(x[j])
        s += p
    return s


def copies(x):
    for _ in range(len(x) // 7):
        flux = np.empty(len(x))
        for i in range(len(x)):
            flux[i] = 0.5 * x[i] + 0.1
        for i in range(1, len(x) - 1):
            x[i] = flux[i] * flux[i + 1] - flux[i - 1]
    return x[0] + x[-1]


def until(x):
    y, k = x[0], 0
    while y < 100.0:
        if y * x[0] > 3.0:
            y = y * x[0]
        else:
            y = y * y + 0.1
        k += 1
    return y


def never(x):
    y = x[0]
    while y < 0.0:
        y = y * y + 0.1
    return y


def shapes(dtype: type) -> list[Any]:
    return [np.linspace(0.9, 1.1, n, dtype=dtype) for n in (1, 7, 8, 9, 64, 65, 100)]


KNOWN: list[tuple[Callable[..., Any], type, str]] = [
    (product, np.float64, "8*len(x)"),
    (decisions, np.float64, "ceil(len(x)/8)"),
    (singles, np.float32, ""),
    (table, np.float64, ""),
    (triangle, np.float64, ""),
    (copies, np.float64, ""),
]


def compiled(f: Callable[..., Any], x: Any, workspace: Any = "auto") -> tuple[Any, Any]:
    shadow = np.zeros_like(x)
    return ad.compile(f, ad.Duplicated(x.copy(), shadow), workspace=workspace), shadow


def gradient(f: Callable[..., Any], x: Any, workspace: Any = "auto") -> tuple[Any, Any]:
    """The handle after one call, and the gradient."""
    handle, shadow = compiled(f, x, workspace)
    handle(x.copy(), shadow)
    return handle, shadow


@pytest.mark.parametrize(("f", "dtype", "formula"), KNOWN, ids=lambda v: getattr(v, "__name__", ""))
def test_what_a_call_keeps_is_what_was_said(f: Callable[..., Any], dtype: type, formula: str) -> None:
    for x in shapes(dtype):
        handle, _ = gradient(f, x)
        assert handle.workspace_bytes is not None
        # Among records the last 64 bits are in a register.
        spared = range(17) if f is triangle else (0,)
        assert handle.workspace_bytes - handle.high_water in spared
        assert formula in ("", handle.workspace_formula)


@pytest.mark.parametrize(("f", "dtype", "formula"), KNOWN, ids=lambda v: getattr(v, "__name__", ""))
def test_a_limit_holds_to_the_byte(f: Callable[..., Any], dtype: type, formula: str) -> None:
    x = shapes(dtype)[-1]
    free, expected = gradient(f, x)
    needed = free.workspace_bytes
    exact, same = gradient(f, x, needed)
    assert exact.workspace_bytes == needed
    np.testing.assert_array_equal(same, expected)
    try:
        leaner, less = gradient(f, x, needed - 1)
    except ad.WorkspaceError:
        return
    assert leaner.high_water <= leaner.workspace_bytes < needed
    np.testing.assert_allclose(less, expected, rtol=1e-5 if dtype is np.float32 else 1e-12)


def test_one_byte_too_few_is_an_error_where_nothing_is_leaner() -> None:
    x = np.linspace(0.9, 1.1, 100)
    assert gradient(decisions, x, 13)[0].high_water == 13
    with pytest.raises(ad.WorkspaceError, match="at least 13 bytes"):
        compiled(decisions, x, 12)


@pytest.mark.parametrize(("f", "dtype", "formula"), KNOWN[:4], ids=lambda v: getattr(v, "__name__", ""))
def test_a_smaller_arena_is_used_to_its_last_byte(f: Callable[..., Any], dtype: type, formula: str) -> None:
    x = shapes(dtype)[-1]
    handle, shadow = compiled(f, x)
    bound = handle.bind(ad.Duplicated(x.copy(), shadow))
    frame, needed = bound._run.frame, handle.workspace_bytes
    frame.take_workspace()
    base = frame.workspace.base
    frame.grant(base, base + needed)
    bound._run.specialisation.kernel.run(frame)
    frame.grant(base, base + needed - 1)
    with pytest.raises(ad.WorkspaceError, match=f"at least {needed} bytes and has {needed - 1}"):
        bound._run.specialisation.kernel.run(frame)


def test_what_only_a_run_can_tell_is_told_after_it() -> None:
    x = np.array([1.2])
    handle, shadow = compiled(until, x)
    assert handle.workspace_bytes is None
    handle(x.copy(), shadow)
    assert handle.workspace_bytes == handle.high_water > 0
    outcomes = set()
    for limit in (1, 40, 80, 120, handle.high_water):
        try:
            limited, same = gradient(until, x, limit)
        except ad.WorkspaceError:
            outcomes.add("too small")
            continue
        outcomes.add("enough")
        assert limited.high_water <= limit
        np.testing.assert_allclose(same, shadow, rtol=1e-12)
    assert outcomes == {"too small", "enough"}


def test_a_loop_that_never_ran_used_nothing() -> None:
    x = np.array([1.2])
    handle, shadow = compiled(never, x)
    assert handle.workspace_bytes is None
    handle(x.copy(), shadow)
    assert handle.workspace_bytes == 0
    assert handle.high_water == 0
