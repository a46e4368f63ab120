"""Lists that grow: in loops whose number of turns only a run tells, on one path only, of numbers and of arrays."""

from __future__ import annotations

import numpy as np
import pytest

import adcore as ad
from adcore.errors import CompileError
from tests.frontend.numpy.support import check_gradient
from tests.frontend.support import agrees, compiled

x = np.array([0.9, -0.4, 0.55, 0.3, -1.2])


def doubled(x):
    out = []
    for v in x:
        out.append(2.0 * v * v)
    return sum(out)


def positive(x):
    out = []
    for k in range(len(x)):
        if x[k] > 0.0:
            out.append(x[k] ** 3)
    return sum(out) * len(out) + max(out) * out[-1] - out[0]


def series(x, n):
    out = [x[0]]
    for k in range(1, n):
        out.append(out[-1] * 0.5 + x[k % len(x)] * out[k - 1])
    return out[-1] * out[n // 2] + np.sum(np.array(out) ** 2)


def pairs(x):
    out = []
    for i in range(len(x)):
        for j in range(i):
            if x[i] != x[j]:
                out.append((x[i] - x[j]) ** 2)
    total = 0.0
    for k, d in enumerate(out):
        total += d / (1.0 + k)
    return total + np.mean(out)


def one_path(x):
    out = [x[0]]
    if x[1] > 0.0:
        out.append(x[1])
        out.append(x[2])
    elif x[2] > 0.0:
        out.append(x[2] * x[3])
    return sum(out) + out[-1] * len(out)


def trajectory(x, n):
    path = [x]
    y = x
    for _ in range(n):
        y = y + 0.1 * np.sin(y)
        path.append(y)
    P = np.array(path)
    return np.sum(P * P) + path[-1][0] * path[1][2] + len(path)


def rows(x, A):
    out = []
    for row in A:
        if row[0] > 0.0:
            out.append(row * x[0])
    B = np.stack(out)
    return (
        np.sum(B @ B.T)
        + np.sum(np.concatenate(out) ** 2)
        + np.sum(np.mean(out, axis=0) ** 2)
        + sum(np.sum(r) for r in out)
    )


def extended(x, n):
    out = []
    for k in range(n):
        out += [x[0] * k, x[1]]
        out.extend(x[2:4])
    out.extend(x * x)
    return np.sum(np.array(out) * np.arange(1.0, len(out) + 1.0))


def queue(x, n):
    waiting = [x[0]]
    total = 0.0
    for k in range(n):
        waiting.append(x[k % len(x)] * total)
        waiting.insert(0, x[1])
        if k % 2:
            total += waiting.pop() * waiting.pop(0) + waiting[0]
    return total + sum(waiting)


def helper(items, v):
    items.append(v * v)


def through_a_call(x):
    out = []
    other = out
    for v in x:
        helper(out, v)
    return other[0] + other[-1] * len(out)


def early(x, most):
    out = []
    for v in x:
        if v < -1.0:
            break
        if v < 0.0:
            continue
        out.append(v)
        if len(out) == most:
            return sum(out) * 2.0
    return sum(out)


def fresh(x, n):
    total = 0.0
    for i in range(n):
        row = []
        for j in range(i + 1):
            row.append(x[j] * x[i])
        total += sum(row) * row[-1]
    return total


def changed(x):
    out = []
    for v in x:
        out.append(v)
        out[len(out) // 2] *= 2.0
    out[0] = x[1] ** 2
    first = out[1:3]
    out[1] = 7.0 * x[0]
    return sum(first) + sum(out)


def again_and_again(x, n):
    out = []
    for v in x:
        out.append(v)
    for k in range(n):
        out.append(x[k] * 2.0)
    out.append(x[0] ** 2)
    for v in x:
        if v > 0.0:
            for k in range(2):
                out.append(v * out[k])
            out.append(1.0)
    if x[0] > 0.0:
        out.append(x[1])
    for _ in range(12):
        out.append(out[-1] * 0.5)
    for v in (x[0], x[1], x[2]):
        out.append(v)
    return np.sum(np.array(out) * np.arange(1.0, len(out) + 1.0)) + out.pop()


def comprehensions(x):
    kept = [v * v for v in x if v > 0.0]
    both = [a * b for a in x for b in x if a > b]
    return sum(kept) * kept[-1] + sum(both) + sum(v for v in x if v < 0.5) + len(both)


PROGRAMS = [
    (doubled, (x,)), (positive, (x,)), (series, (x, 9)), (pairs, (x,)), (one_path, (x,)), (trajectory, (x, 4)),
    (extended, (x, 3)), (queue, (x, 7)), (through_a_call, (x,)), (early, (x, 2)), (early, (x, 9)), (fresh, (x, 5)),
    (changed, (x,)), (comprehensions, (x,)), (again_and_again, (x, 4)),
    (rows, (x, np.array([[1.0, 2.0], [-1.0, 0.5], [0.25, 3.0]]))),
]  # fmt: skip


@pytest.mark.parametrize(("f", "args"), PROGRAMS, ids=lambda v: getattr(v, "__name__", ""))
def test_values_and_derivatives(f, args):
    agrees(f, *args, exact=False)
    check_gradient(f, *args)


def test_other_turns_and_empty_lists():
    agrees(series, x, 1, exact=False)
    agrees(doubled, x[:0])
    agrees(positive, -np.abs(x))
    agrees(one_path, -x, exact=False)

    def last(x):
        out = []
        for v in x:
            out.append(v)
        return out[-1]

    agrees(last, x[:0], message=False)
    agrees(last, x)


def test_integers_and_both_kinds_of_floats():
    def collatz(n, turns):
        out = [n]
        for _ in range(turns):
            out.append(out[-1] // 2 if out[-1] % 2 == 0 else 3 * out[-1] + 1)
        return out[-1], sum(out), len(out)

    def mixed(x, c):
        out = []
        for v in x:
            out.append(c if v < 0.0 else v)
            out.append(1)
        return sum(out), out[0], max(out)

    def returned(x):
        out = []
        for v in x:
            out.append(v * 2.0)
        return out

    agrees(collatz, 7, 10)
    agrees(mixed, x, 2.5)
    agrees(returned, x)


def test_second_order_and_no_allocations():
    def twice(x):
        return ad.grad(positive)(x)

    hessian = ad.hessian(positive)(x)
    step = 1e-6
    for k in range(len(x)):
        e = np.zeros(len(x))
        e[k] = step
        np.testing.assert_allclose(hessian[:, k], (twice(x + e) - twice(x - e)) / (2 * step), atol=1e-5)


def test_what_is_refused_names_the_append():
    def kinds(x):
        out = []
        for v in x:
            out.append((v, v))
        return len(out)

    def stored(x, n):
        y = np.zeros(2)
        out = []
        for k in range(n):
            y[0] = x[k]
            out.append(y)
        return out[0][0]

    for f, args, text in ((kinds, (x,), "a list of a tuple"), (stored, (x, 3), "changed in place")):
        with pytest.raises(CompileError, match=text) as caught:
            compiled(f, *args)
        assert caught.value.diagnostics[0].span is not None
