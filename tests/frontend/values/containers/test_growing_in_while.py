"""Lists that grow in `while` loops: room for so many iterations, and an error beyond."""

from __future__ import annotations

import numpy as np
import pytest

import adcore as ad
from adcore.frontend.python.control.loops import MOST_GROWING_TRIPS
from tests.frontend.everything import everything

X = np.array([0.7, 1.3, 2.1])


def history(x):
    out, t = [], x[0]
    while t < 10.0:
        out.append(t * t)
        t = t * 1.5 + 0.1
    return sum(out) * out[-1] + len(out)


def under_a_condition(x):
    kept, k = [1.0], 0
    while k < len(x):
        if x[k] > 1.0:
            kept += [x[k] ** 2, kept[-1]]
        k += 1
    return np.sum(np.array(kept)) * kept[1]


def of_arrays(x):
    states, y = [x], x
    while np.sum(y) < 20.0:
        y = y * 1.4 + 0.1
        states.append(y)
    total = np.array(states)
    return np.sum(total[-1] * total[0]) + total.shape[0]


def stack(x):
    waiting, total, count = [x[0]], 0.0, 0
    while waiting:
        v = waiting.pop()
        total += v * x[1]
        count += 1
        if count < 5:
            waiting.append(0.5 * v)
    return total


def queue(x):
    waiting, total = [x[0], x[1]], 0.0
    while len(waiting) > 0:
        v = waiting.pop(0)
        total += v * v
        if v > 0.5:
            waiting.insert(0, 0.4 * v)
    return total


def until_it_is_large(x):
    out, i = [0.0], 0
    while True:
        out.append(out[-1] + x[i % 3] ** 2)
        i += 1
        if out[-1] > 9.0:
            break
    return out[-1] * out[1]


def in_a_loop(x):
    total = 0.0
    for v in x:
        steps, t = [], v
        while t < 3.0:
            steps.append(t)
            t = t * 2.0
        total += sum(steps) * len(steps)
    return total


PROGRAMS = (queue, of_arrays, history, under_a_condition, stack, until_it_is_large, in_a_loop)


SAMPLED = [pytest.param(f, marks=pytest.mark.slow if k > 1 else ()) for k, f in enumerate(PROGRAMS)]


@pytest.mark.parametrize("f", SAMPLED)
def test_as_python(f):
    everything(f, X)


def as_long_as(x, n):
    out, k = [], 0
    while k < n:
        out.append(x * k)
        k += 1
    return out[-1] + len(out)


def test_more_iterations_than_there_is_room_for():
    most = MOST_GROWING_TRIPS
    assert ad.value_and_grad(as_long_as)(1.5, most) == (as_long_as(1.5, most), most - 1.0)
    with pytest.raises(RuntimeError, match=f"for more than {most} iterations"):
        ad.grad(as_long_as)(1.5, most + 1)
