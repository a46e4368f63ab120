"""Time loops under every limit in bytes: the gradient of the unlimited plan, no allocation, nothing above the limit."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import adcore as ad
from pytest_adalloc.checks.subjects.compiled import counted
from tests.samples import sample


def newton(x):
    """One root, by as many steps as it takes."""
    y = x[0]
    k = 0
    while abs(y * y * y + y - x[1]) > 1e-12 and k < 60:
        y = y - 0.5 * (y * y * y + y - x[1]) / (3.0 * y * y + 1.0)
        k += 1
    return y * y


def relaxed(u, tolerance):
    """A `for` that a `break` ends."""
    change = 0.0
    for _ in range(1000):
        change = 0.0
        for i in range(1, len(u) - 1):
            old = u[i]
            u[i] = u[i] + 0.3 * math.sin(u[i + 1] + u[i - 1] - 2.0 * u[i])
            change += (u[i] - old) ** 2
        if change < tolerance:
            break
    return u[1] * u[2] + change


def pendulum(y, tolerance):
    """An embedded pair of integrators: steps are accepted or rejected, and their size changes."""
    t = 0.0
    h = 0.1
    angle = y[0]
    speed = y[1]
    while t < 2.0:
        h = min(h, 2.0 - t)
        middle = speed - h * math.sin(angle)
        after = -math.sin(angle + h * speed)
        error = 0.5 * h * abs(middle - speed) + 0.5 * h * abs(after + math.sin(angle))
        if error <= tolerance:
            t = t + h
            angle, speed = angle + 0.5 * h * (speed + middle), speed + 0.5 * h * (after - math.sin(angle))
            h = h * 1.4
        else:
            h = h * 0.5
    return angle * angle + speed


def implicit(u, steps):
    """Newton's method in every time step: how often is known only after it ran."""
    y = u[0]
    for _ in range(steps):
        z = y
        k = 0
        while abs(z - y - 0.1 * math.sin(z) * u[1]) > 1e-13 and k < 30:
            z = z - (z - y - 0.1 * math.sin(z) * u[1]) / (1.0 - 0.1 * math.cos(z) * u[1])
            k += 1
        y = z
    return y * y


def bisected(u, steps):
    """Bisection, then one step of Newton's method, in every time step."""
    y = u[0]
    for _ in range(steps):
        low = y - 1.0
        high = y + 1.0
        while high - low > 1e-3:
            middle = 0.5 * (low + high)
            if middle + 0.2 * math.sin(middle) > y:
                high = middle
            else:
                low = middle
        z = 0.5 * (low + high)
        y = z - (z + 0.2 * math.sin(z) - y) / (1.0 + 0.2 * math.cos(z)) + 0.1 * u[1] * z * z
    return y * y


def rounds(u, outer, inner):
    """A recurrence within a recurrence."""
    total = 0.0
    for i in range(outer):
        v = u[i % len(u)]
        for _ in range(inner):
            v = math.sin(v * v + 0.5) + 0.3 * v
        total = total + v * v * (1.0 + total)
    return total


def growing(u, steps):
    """Every step is longer than the one before."""
    v = u[0]
    for t in range(steps):
        for j in range(t):
            v = math.sin(v * v + u[j % len(u)])
    return v


def longest_in_the_middle(u, steps):
    v = u[0]
    for t in range(steps):
        for j in range(min(t, steps - t)):
            v = math.sin(v * v + u[j % len(u)])
    return v


def one_after_the_other(u, steps):
    a = u[0]
    for _ in range(steps):
        a = math.sin(a * a + u[1])
    b = a
    for _ in range(steps):
        b = math.cos(b * a + u[2])
    return a * b


def cleared_afterwards(u, w, steps):
    """What the loop reads is gone when its reverse begins."""
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            u[i] = u[i] + 0.1 * w[i] * math.sin(u[i + 1] - u[i - 1])
    total = 0.0
    for i in range(len(u)):
        total += u[i] * u[i]
        w[i] = 0.0
        u[i] = total
    return total


def backwards_in_threes(u, steps):
    """A loop variable that counts down, and what a step computes depends on it."""
    v = u[0]
    for t in range(3 * steps, 0, -3):
        v = math.sin(v * v + 0.01 * t * u[1])
    return v


def after_early_returns(u, steps):
    """The loop stands in a branch of a branch, with what it takes from there."""
    if steps < 1:
        return 0.0
    scale = u[0] * u[1]
    if scale > 10.0:
        return scale
    offset = math.sin(scale)
    last = len(u) - 1
    total = 0.0
    for t in range(1, steps):
        for i in range(1, last):
            u[i] = u[i] + 0.1 * scale * math.sin(u[i + 1] - u[i - 1] + offset)
        total = math.sin(total * total + u[2] + 0.01 * t)
    u[0] = 0.0
    return total * scale


def in_either_branch(u, steps):
    if u[0] > 0.0:
        v = u[1]
        k = 0
        while k < 2 * steps and abs(v) < 50.0:
            v = math.sin(v * v + u[0])
            k += 1
    else:
        v = u[2]
        for _ in range(steps):
            v = math.cos(v * u[1])
    return v


U = np.array([0.4, 0.9, -0.3, 0.7, 0.2, 1.1])
PROGRAMS: list[tuple[Any, tuple[Any, ...]]] = [
    (newton, (np.array([0.3, 2.0]),)), (relaxed, (U, 1e-4)), (pendulum, (np.array([1.0, 0.2]), 1e-3)),
    (implicit, (np.array([0.5, 0.8]), 20)), (bisected, (np.array([0.5, 0.1]), 12)), (rounds, (U, 9, 15)),
    (growing, (U, 12)), (longest_in_the_middle, (U, 14)), (one_after_the_other, (U, 25)),
    (cleared_afterwards, (U, U[::-1].copy(), 14)),
    (backwards_in_threes, (U, 20)), (after_early_returns, (U, 15)), (in_either_branch, (U, 15)),
    (in_either_branch, (-U, 30)),
]  # fmt: skip
WHILES = [case for case in PROGRAMS if case[0] in (newton, relaxed, pendulum, implicit, bisected)]


def named(case: Any) -> str:
    return getattr(case, "__name__", "")


def given(arguments: tuple[Any, ...]) -> list[Any]:
    return [ad.Duplicated(a.copy(), np.zeros_like(a)) if isinstance(a, np.ndarray) else ad.Const(a) for a in arguments]


def gradient(program: Any, arguments: tuple[Any, ...], workspace: Any) -> tuple[list[np.ndarray], Any]:
    """All shadows and written arrays after one call, and the handle."""
    annotated = given(arguments)
    handle = ad.compile(program, *annotated, workspace=workspace)
    handle(*annotated)
    return [a for d in annotated if isinstance(d, ad.Duplicated) for a in (d.value, d.shadow)], handle


def refusal(program: Any, arguments: tuple[Any, ...], workspace: int) -> str:
    with pytest.raises(ad.WorkspaceError) as error:
        ad.compile(program, *given(arguments), workspace=workspace)
    return str(error.value)


def least(program: Any, arguments: tuple[Any, ...]) -> int:
    """The smallest workspace, which the refusal of a smaller one names."""
    (size,) = set(re.findall(r"workspace=(\d+) will do", refusal(program, arguments, 1)))
    return int(size)


def between(low: int, high: int) -> Iterator[int]:
    """Some sizes, both ends among them."""
    yield from sorted({low, low + 1, low + 9, (3 * low + high) // 4, (low + high) // 2, high})


@pytest.mark.parametrize(("program", "arguments"), sample(PROGRAMS, quick=4), ids=named)
def test_every_size_gives_the_same_gradient(program: Any, arguments: tuple[Any, ...]) -> None:
    expected, unlimited = gradient(program, arguments, "auto")
    smallest, needed = least(program, arguments), unlimited.high_water
    assert smallest < needed / 2
    for size in between(smallest, needed):
        found, handle = gradient(program, arguments, size)
        for got, want in zip(found, expected, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)
        assert handle.high_water <= size
        explained = handle.explain()
        assert explained.bytes is None or explained.bytes <= size


@pytest.mark.parametrize(("program", "arguments"), PROGRAMS, ids=named)
def test_one_byte_less_than_the_least_is_refused(program: Any, arguments: tuple[Any, ...]) -> None:
    smallest = least(program, arguments)
    text = refusal(program, arguments, smallest - 1)
    assert f"needs at least {smallest} bytes, and workspace={smallest - 1} allows" in text
    assert "its iterations run again from there" in text
    loop = re.search(r"^ *\d+ \| +(for|while) ", text, re.MULTILINE)
    assert loop, text


@pytest.mark.parametrize(("program", "arguments"), PROGRAMS, ids=named)
def test_nothing_is_allocated(program: Any, arguments: tuple[Any, ...]) -> None:
    annotated = given(arguments)
    handle = ad.compile(program, *annotated, workspace=least(program, arguments) + 60)
    seen, _ = counted(handle, annotated, 3, "thread")
    assert tuple(seen.allocs_per_call) == (0, 0, 0)


@pytest.mark.parametrize(("program", "arguments"), WHILES, ids=named)
def test_a_while_is_named_where_nothing_may_be_kept(program: Any, arguments: tuple[Any, ...]) -> None:
    lines, first = inspect.getsourcelines(program)
    loop = first + next(k for k, line in enumerate(lines) if "while " in line or "range(1000)" in line)
    text = refusal(program, arguments, 0)
    assert f".py:{loop}:" in text or f"(line {loop})" in text, text


def test_the_report_says_what_runs_again() -> None:
    _, handle = gradient(rounds, (U, 9, 15), 96)
    text = str(handle.explain())
    assert re.search(r"Of the checkpointed loop \(line \d+\) \d+ steps run again \(it has 9\)", text)
    assert re.search(r"In each of its steps, of the checkpointed loop \(line \d+\) \d+ steps run again", text)
    _, handle = gradient(newton, (np.array([0.3, 2.0]),), 64)
    assert "r*n - C(4 + r, 5) steps run again, if it has n" in str(handle.explain())
    assert handle.explain().bytes is None


def test_a_while_takes_no_more_states_than_it_can_use() -> None:
    """Its limit is generous, its iterations are few."""
    _, handle = gradient(newton, (np.array([0.3, 2.0]),), 10**6)
    _, unlimited = gradient(newton, (np.array([0.3, 2.0]),), "auto")
    iterations = unlimited.high_water // 8
    assert handle.high_water <= 16 * iterations
