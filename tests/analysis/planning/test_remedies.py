"""What is suggested is true: following the advice makes the bytes fall, and changes no gradient."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import sin
from typing import Any

import numpy as np
import pytest

import adcore as ad
from tests.analysis.planning.goldens import annotated, load, names


def kept(function: Callable[..., Any], *arguments: Any, **options: Any) -> int | None:
    return ad.compile(function, *annotated(arguments), **options).workspace_bytes


def fixes(function: Callable[..., Any], *arguments: Any) -> list[str]:
    return [record.fix for record in ad.compile(function, *annotated(arguments)).explain().stored]


def gradients(name: str, **options: Any) -> list[np.ndarray]:
    """Derivatives with respect to all arguments of a program, after one call."""
    module = load(name)
    given = annotated(module.ARGS)
    returned = ad.compile(module.program, *given, **options)(*given)
    shadows = [a.shadow for a in given if isinstance(a, ad.Duplicated)]
    return [*shadows, np.asarray(() if returned is None else returned, dtype=float)]


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_a_suggested_limit_is_enough(name: str) -> None:
    """`workspace=N` as printed compiles, keeps no more than that, and gives the same gradient."""
    module = load(name)
    handle = ad.compile(module.program, *annotated(module.ARGS))
    for record in handle.explain().stored:
        for text in re.findall(r"workspace=(\d+)", record.fix):
            limit = int(text)
            given = annotated(load(name).ARGS)
            leaner = ad.compile(module.program, *given, workspace=limit)
            assert leaner.workspace_bytes is not None
            assert leaner.workspace_bytes <= limit < handle.workspace_bytes
            for one, other in zip(gradients(name), gradients(name, workspace=limit), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.slow
def test_some_limits_are_suggested() -> None:
    """The test above checks something."""
    found = [f for n in names() for f in fixes(load(n).program, *load(n).ARGS) if "workspace=" in f]
    assert any("states of the loop" in f for f in found)
    assert any("computed again" in f for f in found)
    assert any("workspace=0 is possible" in f for f in found)


def squared(x):
    for i in range(len(x)):
        x[i] = x[i] ** 2
    return x.sum()


def squared_elsewhere(x, y):
    for i in range(len(x)):
        y[i] = x[i] ** 2
    return y.sum()


def test_writing_to_another_array() -> None:
    x = np.linspace(1.0, 2.0, 9)
    (fix,) = fixes(squared, x)
    assert re.fullmatch(r"on line \d+ write to a copy of `x` instead, and read `x.sum\(\)` \(line \d+\) there", fix)
    assert (kept(squared, x), kept(squared_elsewhere, x, np.zeros(9))) == (72, 0)


def seidel(u, steps):
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            u[i] = 0.5 * u[i] * (u[i - 1] + u[i + 1])
    return u[1]


def jacobi(u, steps):
    for _ in range(steps):
        last = u[0]
        for i in range(1, len(u) - 1):
            here = u[i]
            u[i] = 0.5 * last * here
            last = here
    return u[1]


@pytest.mark.parametrize("program", [seidel, jacobi])
def test_another_array_is_not_suggested_where_it_does_not_help(program: Callable[..., Any]) -> None:
    """The next step would read the other array, and destroy that one."""
    assert not any("write to" in fix for fix in fixes(program, np.linspace(0.5, 1.0, 6), 3))


def ticking(x, dt):
    total, t = 0.0, 0.0
    for i in range(len(x)):
        total += x[i] * t * t
        t += dt
    return total


def ticking_closed(x, dt):
    total = 0.0
    for i in range(len(x)):
        t = dt * i
        total += x[i] * t * t
    return total


def test_a_closed_form() -> None:
    x = np.linspace(1.0, 2.0, 9)
    (fix,) = fixes(ticking, x, 0.1)
    assert fix == "compute `t` from the loop variable (a multiple of `dt`) instead of carrying it"
    assert (kept(ticking, x, 0.1), kept(ticking_closed, x, 0.1)) == (72, 0)


def winding(x):
    total, t = 0.0, 0.0
    for i in range(len(x)):
        total += x[i] * t * t
        t = sin(t) + 1.0
    return total


def test_no_closed_form_is_suggested_where_there_is_none() -> None:
    assert not any("loop variable" in fix for fix in fixes(winding, np.linspace(1.0, 2.0, 9)))


def shifted_product(out, x):
    for i in range(1, len(out)):
        out[i] = x[i] * x[i - 1]


def test_arrays_that_do_not_overlap() -> None:
    x = np.linspace(1.0, 2.0, 5)
    assert set(fixes(shifted_product, x, x)) == {"pass buffers that do not overlap for `x` and `out`"}
    assert kept(shifted_product, np.zeros(5), x) == 0


def overwritten_anyway(out, x):
    for i in range(1, len(out)):
        x[i] = x[i] * x[i] + out[0]


def test_overlap_is_not_blamed_where_it_is_harmless() -> None:
    """Each element is overwritten by its own statement, whatever the arrays are."""
    x = np.linspace(1.0, 2.0, 5)
    assert not any("overlap" in fix for fix in fixes(overwritten_anyway, x, x))
