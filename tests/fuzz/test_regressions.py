"""What fuzzing found, each as the small program that showed it."""

from __future__ import annotations

import copy
import functools
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import adcore as ad
from tests.fuzz.cases import load
from tests.fuzz.storage import Plans, metered


def agrees(function: Any, *args: Any) -> None:
    """The compiled function returns and writes what the Python function does."""
    mine, theirs = copy.deepcopy(args), copy.deepcopy(args)
    expected = function(*theirs)
    got = ad.compile(function, *mine, mode=ad.Primal)(*mine)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def returned_before_it_changes(n, s):
    for _ in range(n):
        t = s
        s = s + 1
        if s > 3:
            return t
    return s


def returned_from_a_while(n, s):
    while s < n:
        t = s
        s = s + 1
        if s > 3:
            return t
    return s


def returned_number_and_constant(n, s):
    for _ in range(n):
        t = s
        s = s + 1
        if s > 3:
            return t, 0.5
    return s, 0.25


@pytest.mark.parametrize("n", [2, 9, 12])
def test_a_name_returned_from_a_loop_that_changes_after_it_was_read(n: int) -> None:
    agrees(returned_before_it_changes, n, 1.0)
    agrees(returned_from_a_while, n, 1.0)
    agrees(returned_number_and_constant, n, 1.0)


def tuple_in_a_loop(x):
    n = 0
    while True:
        if not n < 3:
            break
        n += 1
        pair = (0.5, n)
        m = 0
        while True:
            if not m < 3:
                break
            m += 1
            x[0] += pair[0] * pair[1]
    return x[0]


def test_a_tuple_that_a_loop_with_break_makes() -> None:
    # The loop was dropped: what it carries was thought to change with every attempt.
    agrees(tuple_in_a_loop, np.ones(2))


def distance(a, b):
    return math.hypot(a, b) + math.hypot(a, b, 1.0)


def test_hypot_overflows_to_infinity() -> None:
    agrees(distance, 3.0, 4.0)
    agrees(distance, 1.5e308, 1.5e308)


def written(folder: Path, name: str, text: str) -> Any:
    """The function `f` of a file of its own."""
    file = folder / f"{name}.py"
    file.write_text(f"import math\n\n\n{text}")
    return load(file).f


def test_a_long_chain_of_values_is_differentiated(tmp_path: Path) -> None:
    # The analysis of what the reverse sweep needs called itself once for each.
    lines = "".join(f"    a = math.sin(a + {k}.5) + b\n    b = 0.5 * b + 0.1 * a\n" for k in range(300))
    f = written(tmp_path, "long_chain", f"def f(a, b):\n{lines}    return a * b\n")
    slope = (f(0.5 + 1e-6, 0.3) - f(0.5 - 1e-6, 0.3)) / 2e-6
    assert ad.grad(f)(0.5, 0.3) == pytest.approx(slope, rel=1e-6)


def test_an_expression_too_deep_for_the_compiler_is_refused(tmp_path: Path) -> None:
    f = written(tmp_path, "deep", f"def f(x):\n    return {'-' * 900}(x * x)\n")
    with pytest.raises(ad.CompileError, match="nested too deeply"):
        ad.grad(f)(1.5)


def test_a_long_sum_is_no_deep_expression(tmp_path: Path) -> None:
    f = written(tmp_path, "long_sum", f"def f(x):\n    return {' + '.join(['x * x'] * 1000)}\n")
    assert ad.grad(f)(1.5) == 3000.0


def asserts(x):
    assert x > 2.0, "too small"
    return x


def unbound(x):
    if x > 2.0:
        y = x
    return y


def test_what_assert_and_unbound_names_raise() -> None:
    with pytest.raises(AssertionError, match="too small"):
        ad.grad(asserts)(1.0)
    with pytest.raises(UnboundLocalError):
        ad.grad(unbound)(1.0)


def doubled(f):
    @functools.wraps(f)
    def wrapper(x):
        return 2.0 * f(x)

    return wrapper


@doubled
def decorated(x):
    return x * x


def test_a_wrapper_is_differentiated_and_not_what_it_wraps() -> None:
    assert ad.value_and_grad(decorated)(1.5) == (decorated(1.5), 6.0)


def always_raises(x):
    raise ValueError("not today")


def test_a_function_that_always_raises() -> None:
    with pytest.raises(ValueError, match="not today"):
        ad.grad(always_raises)(1.0)


def scratch(n, x):
    u = np.zeros(n)
    u[0], u[-1] = x, x
    return u[0] * u[-1]


def test_more_memory_than_the_machine_has_is_refused() -> None:
    # 1 TiB of addresses is reserved, but filling them would end the process.
    assert ad.grad(scratch, wrt=1)(4, 1.5) == 3.0
    with pytest.raises(ad.WorkspaceError):
        ad.grad(scratch, wrt=1)(1 << 36, 1.5)


def list_in_a_loop(x, t):
    for i in range(len(x)):
        s = [x[i], 0.5]
        if x[i] > t:
            break
        s[1] += 1.0
    return s[0] * s[1]


def list_in_a_tuple_in_a_loop(x, t):
    for i in range(len(x)):
        s = [x[i], 0.5]
        u = (s, t)
        if x[i] > t:
            break
        s[1] += 1.0
    return u[0][1] + s[0]


def function_in_a_loop(x, t):
    for i in range(len(x)):
        s = [x[i], 0.5]

        def h(z):
            return s[0] * z  # noqa: B023

        if x[i] > t:
            break
    return h(2.0)


class Pair(NamedTuple):
    a: float
    b: float


def record_in_a_loop(x, t):
    for i in range(len(x)):
        p = Pair(x[i], 0.5)
        if x[i] > t:
            break
    return p.a * p.b


@pytest.mark.parametrize(
    "f", [list_in_a_loop, list_in_a_tuple_in_a_loop, function_in_a_loop, record_in_a_loop], ids=lambda f: f.__name__
)
def test_what_a_loop_makes_and_others_read_after_a_break(f: Any) -> None:
    # The loop was dropped, with everything in it.
    agrees(f, np.arange(10.0), 4.5)
    agrees(f, np.arange(10.0), 40.0)


def unused_array(n, x):
    u = np.zeros(n)
    return x * len(u)


def test_an_array_that_nothing_reads_may_still_have_a_negative_size() -> None:
    # The array was dead code, and its ValueError with it.
    agrees(unused_array, 3, 1.5)
    with pytest.raises(ValueError, match="negative dimensions"):
        ad.grad(unused_array, wrt=1)(-1, 1.5)


def cube(a):
    a[()] = a[()] * a[()] * a[()]
    return a[()]


def test_second_derivatives_by_an_array_without_axes() -> None:
    # The direction of one was made a number, and filling it failed.
    a = np.array(0.5)
    assert ad.hvp(cube)(a, vector=np.array(2.0)) == pytest.approx(6.0)
    assert ad.hessian(cube)(a) == pytest.approx(3.0)
    assert a == 0.5


def squares_over_rounds(x):
    total = 1.0
    for v in x:
        total = math.sin(total * v)
    return total


def test_a_checkpointed_loop_keeps_what_is_said() -> None:
    # The memory at the end of the loop took 8 bytes for an iteration number that nobody read.
    x, dx = np.arange(1.0, 13.0), np.zeros(12)
    annotated = [ad.Duplicated(x, dx)]
    handle = ad.compile(squares_over_rounds, *annotated, mode=ad.Reverse, workspace=16)
    assert handle.workspace_bytes == 16
    assert metered(handle, annotated).most_kept == 16
    np.testing.assert_allclose(dx, ad.grad(squares_over_rounds)(x), rtol=1e-13)


def sum_into(x):
    x[2] = 0.1 * np.dot(x, x)
    return x[2]


def test_what_is_logged_outside_of_loops_takes_no_bytes() -> None:
    # workspace=0 was refused, although nothing in memory is kept.
    x, dx = np.arange(1.0, 6.0), np.zeros(5)
    handle = ad.compile(sum_into, ad.Duplicated(x, dx), mode=ad.Reverse, workspace=0)
    handle(x, dx)
    np.testing.assert_allclose(dx, 0.2 * np.arange(1.0, 6.0), rtol=1e-14)
    assert x[2] == pytest.approx(5.5)


def one_item_from_another(xs, y):
    for v in xs[1]:
        xs[0][1] -= v
    xs[0][0] += y[0]


def test_items_of_a_list_that_overlap_each_other_and_an_argument() -> None:
    # A loop of the reverse sweep was turned round, as if the items could not overlap.
    def arguments(a: Any, b: Any) -> Any:
        return [a, a[1:-1], b], b[::2]

    start, end = np.linspace(0.5, 2.0, 10), np.linspace(-1.0, 1.5, 12)
    weights, ends = np.cos(start), np.sin(end)
    shadow, other = weights.copy(), ends.copy()
    one, two = zip(arguments(start.copy(), end.copy()), arguments(shadow, other), strict=True)
    ad.autodiff(ad.Reverse, one_item_from_another, ad.Duplicated(*one), ad.Duplicated(*two))
    for k in range(10):  # the function is linear
        moved = np.eye(10)[k], np.zeros(12)
        one_item_from_another(*arguments(*moved))
        assert shadow[k] == pytest.approx(weights @ moved[0], abs=1e-13)


def products_in_rounds(a):
    for i in range(a.shape[2]):
        n = 0
        while n < 1:
            n += 1
            for j in range(1, 2):
                a[j, n, i] = np.prod(a)
    a[1, 1, 0] -= 0.5


def test_what_is_written_after_a_loop_that_runs_again_stays_written() -> None:
    # The steps of the loop were done again last.
    a = np.linspace(0.5, 1.5, 24).reshape(2, 3, 4)
    expected, da = a.copy(), np.ones((2, 3, 4))
    products_in_rounds(expected)
    ad.autodiff(ad.Reverse, products_in_rounds, ad.Duplicated(a, da))
    np.testing.assert_allclose(a, expected, rtol=1e-14)


def growing_steps(x, n):
    for i in range(n):
        for j in range(i + 1):
            x[j] = math.sin(x[j] * x[i])
    return x[0]


def test_a_limit_holds_for_the_dearest_step() -> None:
    # The steps of a checkpointed loop were taken to need what the first one needs.
    x, dx = np.linspace(0.5, 1.5, 9), np.zeros(9)
    expected = ad.grad(growing_steps)(x, 9)
    auto = ad.compile(growing_steps, ad.Duplicated(x, dx), 9, mode=ad.Reverse)
    limit = smallest_limit(auto)
    handle = ad.compile(growing_steps, ad.Duplicated(x, dx), 9, mode=ad.Reverse, workspace=limit)
    handle(x, dx, 9)
    assert handle.high_water <= limit < auto.workspace_bytes
    np.testing.assert_allclose(dx, expected, rtol=1e-12)


def smallest_limit(handle: Any) -> int:
    return Plans(handle).smallest_limit(handle.workspace_bytes)


def chosen_constants(x):
    return 0.1 * np.where(0.2 < 0.5, 0.35, 2.0) * x + np.clip(2.0, 0.0, 1.0)


def test_where_of_constants_is_a_number() -> None:
    # "`*` does not take float 0.1 and ndarray array(0.35)"
    agrees(chosen_constants, 1.5)


def swapped_items(xs, y):
    n = 0
    while n < 2:
        n += 1
        xs[0][n], xs[0][0] = xs[0][0], xs[0][n]
        xs[1][n] = math.tanh(xs[1][n] * xs[0][n] * y[n])


def test_stores_to_a_list_that_shares_memory() -> None:
    # The copy of a whole list was asked for, which has no one size.
    a, b, da, db = (np.linspace(x, x + 1.0, 5) for x in (0.5, -1.0, 0.2, 1.0))
    expected, tangents = [a.copy(), b.copy()], [np.cos(a), np.sin(b)]
    weights = [da.copy(), db.copy()]
    moved = [t.copy() for t in tangents]
    primal = [a.copy(), b.copy()]
    ad.autodiff(ad.Forward, swapped_items, ad.Duplicated(primal, moved), ad.Duplicated(primal[0][::-1], moved[0][::-1]))
    swapped_items(expected, expected[0][::-1])
    ad.autodiff(ad.Reverse, swapped_items, ad.Duplicated([a, b], [da, db]), ad.Duplicated(a[::-1], da[::-1]))
    np.testing.assert_allclose([a, b], expected, rtol=1e-14)
    left = sum(float(w @ t) for w, t in zip(weights, moved, strict=True))
    assert left == pytest.approx(float(da @ tangents[0] + db @ tangents[1]), rel=1e-13)


def undone_without_axes(state: Any, x: Any, turns: Any) -> None:
    for _ in range(turns):
        if state[()] < 2.0:
            state[()] = state[()] * x[()]
        x[()] = math.sin(state[()])


def test_arrays_without_axes_are_brought_back() -> None:
    state, x, d_state, d_x = (np.array(v) for v in (0.9, 1.3, 0.7, -0.4))
    expected, tangents = [state.copy(), x.copy()], [np.array(0.3), np.array(0.8)]
    weights = float(d_state), float(d_x)
    ad.autodiff(ad.Forward, undone_without_axes, *map(ad.Duplicated, expected, tangents), 5)
    handle = ad.compile(undone_without_axes, ad.Duplicated(state, d_state), ad.Duplicated(x, d_x), 5)
    handle(state, d_state, x, d_x, 5)
    assert [state, x] == expected
    left = weights[0] * tangents[0] + weights[1] * tangents[1]
    assert left == pytest.approx(float(d_state * 0.3 + d_x * 0.8), rel=1e-13)
    assert handle.high_water <= (handle.workspace_bytes or 0)


def divided_by_nothing(x: Any, n: int) -> Any:
    return min(x[0], -0.57) / n


def test_what_min_of_a_numpy_and_a_python_float_divides_like() -> None:
    with pytest.raises(ZeroDivisionError):
        divided_by_nothing(np.array([1.0]), 0)  # Python's own number is the smaller one
    with pytest.raises(ZeroDivisionError):
        ad.value_and_grad(divided_by_nothing)(np.array([1.0]), 0)
    with np.errstate(all="ignore"):
        assert divided_by_nothing(np.array([-1.0]), 0) == -math.inf
    assert ad.value_and_grad(divided_by_nothing)(np.array([-1.0]), 0)[0] == -math.inf


def multiplied_along(x: Any, y: Any) -> Any:
    for i in range(len(x) - 1):
        x[i] = x[i] * x[i + 1]
    return x[0] + y[1]


def test_an_array_that_overlaps_itself_and_another_argument() -> None:
    def at(memory: Any) -> Any:
        return np.lib.stride_tricks.as_strided(memory, (4,), (0,)), memory[:3]

    memory = np.array([1.1, 0.7, 0.4])
    _, gradient = ad.grad(multiplied_along, (0, 1))(*at(memory))
    # Each of three steps squares the one element that x has: x[0] ** 8 + y[1].
    np.testing.assert_allclose(gradient, [8 * memory[0] ** 7, 1.0, 0.0], rtol=1e-13)
