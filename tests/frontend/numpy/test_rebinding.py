"""Names that get another array in a loop or in a branch: what Python means, or a refusal."""

from __future__ import annotations

import numpy as np
import pytest

from adcore.errors import CompileError
from tests.frontend.numpy.support import agrees, check_gradient, check_native
from tests.frontend.support import compiled


def stepping(u, n):
    for _ in range(n):
        u = u + 0.1 * np.sin(u)
    return u


def history(u, n):
    old = u * 0
    for _ in range(n):
        new = 2 * u - old + 0.1
        old = u
        u = new
    return u, old


def rotated(a, b, c, n):
    for _ in range(n):
        a, b, c = b, c, a + b
    return a, b, c


def pair(state, n):
    x, v = state
    for _ in range(n):
        x, v = x + 0.1 * v, v - 0.1 * x
    return x, v


def tuple_of_arrays(x, n):
    state = (x, x * 2)
    for _ in range(n):
        state = (state[1], state[0] - state[1])
    return state


def written_while_new(u, n):
    for k in range(n):
        u = u * 2
        u[0] = k
        u[1:] -= 1
    return u


def written_while_old(u, n):
    v = u.copy()
    for k in range(n):
        v[0] = k
        v = v + 1
    v[1] = 7.0
    return v


def until_small(x):
    while np.max(np.abs(x)) > 1.0:
        x = x / 2
        if x[0] > 100:
            break
    return x


def one_branch(x, c):
    y = x * 2
    if c > 0:
        y = y + 1
    return y + x


def both_branches(x, c):
    if c > 0:
        y = x * 2
        z = y[0]
    else:
        y = x[::-1] - 1
        z = 0.0
    return y * z


def conditional(x, c):
    return (x * 2 if c > 0 else -x) + 1


def early(x, c):
    if c > 0:
        return x * 2
    for k in range(3):
        x = x + k
        if x[0] > 2.5:
            return x * x
    return -x


def called(x, c):
    y = early(x, c)
    y[0] = 5.0
    return y + early(y, -c)


def nested(x, n):
    for _ in range(n):
        y = x
        for k in range(3):
            y = y * 0.5 + k
        x = x + y
    return x


def helper(u):
    for _ in range(3):
        u = u * 1.5
        if u[0] > 4:
            u = u - 1
    return u


def through_calls(x, n):
    for _ in range(n):
        x = helper(x) - helper(x * 0.5)
    return x


def first_in_loop(x, n):
    for k in range(n):
        y = x * k
        z = y + 1
        z[0] = k
    return y, z.sum()


def first_in_nested_loop(x, n):
    s = 0.0
    for k in range(n):
        for j in range(9):
            r = x * j - k
            if j > 3:
                s += r[1]
        s += r[0]
    return r - s


VECTOR = np.array([1.0, -2.0, 3.0])
AGREE = [
    *((f, (VECTOR, n)) for f in (stepping, history, tuple_of_arrays, written_while_new, written_while_old, nested,
                                 through_calls) for n in (0, 1, 9)),
    *((f, (VECTOR, n)) for f in (first_in_loop, first_in_nested_loop) for n in (0, 9)),
    *((f, (VECTOR, c)) for f in (one_branch, both_branches, conditional, early, called) for c in (1.0, -1.0)),
    *((rotated, (VECTOR, VECTOR * 2, VECTOR - 1, n)) for n in (0, 1, 9)), (pair, ((VECTOR, VECTOR * 2), 9)),
    (until_small, (VECTOR * 10,)), (until_small, (VECTOR * 0,)), (until_small, (VECTOR * 300,)),
]  # fmt: skip


@pytest.mark.parametrize(("f", "args"), AGREE)
def test_agrees(f, args):
    agrees(f, *args)


@pytest.mark.parametrize(("f", "args"), [(f, a) for f, a in AGREE if np.ndim(a[-1]) == 0 and a[-1] in (9, 1.0)][::2])
def test_native(f, args):
    check_native(f, *args)


@pytest.mark.slow
def test_gradients():
    def energy(u, n):
        return np.sum(stepping(u, n) ** 2)

    def waves(u, n):
        a, b = history(u, n)
        return np.sum(a * b)

    def branched(u, n):
        return np.sum(early(u, -1.0) * nested(u, n))

    for f in (energy, waves, branched):
        check_gradient(f, VECTOR, 9)


def alias_is_written(x, n):
    for _ in range(n):
        x[0] = 5.0
        x = x + 1
    return x


def two_names(x, n):
    a = x * 1
    b = a
    for _ in range(n):
        a[0] += 1.0
        a = a * 2
    return a, b


def argument_on_one_path(x, n):
    for _ in range(n):
        if x[0] > 2:
            x = x * 0.5
        x[0] += 1.0
    return x


def shape_changes(x, n):
    for _ in range(n):
        x = x[1:] + 1
    return x


def view_of_a_turn(A, n):
    for k in range(n):
        c = A[k][:, None]
    return c.sum()


def new_shape_of_a_turn(A, n):
    for k in range(n):
        c = A[k : k + 2, 0].reshape(2, 1)
    return c.sum()


@pytest.mark.parametrize("f", [view_of_a_turn, new_shape_of_a_turn])
def test_views_of_an_iteration_end_with_it(f):
    with pytest.raises(CompileError, match="`c` is an array of rank 2 that exists on one path only"):
        compiled(f, np.ones((4, 3)), 3)


@pytest.mark.parametrize("f", [alias_is_written, two_names, argument_on_one_path])
def test_a_copy_that_could_be_told_from_the_original_is_refused(f):
    with pytest.raises(CompileError, match="changed in place that is another one on another path"):
        compiled(f, VECTOR, 12)


def test_a_buffer_has_one_shape():
    from tests.frontend.support import run

    with pytest.raises(NotImplementedError, match="`x` gets another shape on another path"):
        run(compiled(shape_changes, VECTOR, 12), VECTOR, 2)


def shape_of_its_own(x, n):
    for k in range(n):
        r = np.zeros(k + 1)
        r[:] = x[0]
    return r.sum()


def test_a_shape_that_an_iteration_makes_is_refused_after_the_loop():
    with pytest.raises(CompileError, match="`r` is an array of rank 1 that exists on one path only"):
        compiled(shape_of_its_own, VECTOR, 12)
