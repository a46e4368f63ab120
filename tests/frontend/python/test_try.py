"""`try`, `contextlib.suppress` and other contexts."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest

import adcore as ad
from tests.frontend.everything import everything

X = np.array([0.75, 1.3, 2.1])


class Small(Exception):
    pass


def half(v):
    if v < 1.0:
        raise Small(f"small: {v}")
    return v / 2


def division(x, zero=0.0):
    total = 0.0
    for i in range(len(x)):
        try:
            d = float(x[i]) - 1.0
            total += float(x[i]) / zero
            total += x[i] ** 2
        except ZeroDivisionError:
            total += 10 * x[i] * d + x[0]
    return total


def subscripts(x):
    total = 0.0
    for i in range(5):
        try:
            v = x[i]
        except IndexError:
            v = x[0] ** 2
        else:
            total += 3.0 * v
        finally:
            total += x[1]
        total += v * v
    return total


def several_classes(x):
    total = 0.0
    for v in x:
        try:
            total += math.log(v - 1.0)
        except (ValueError, OverflowError):
            total -= v**3
    return total


def classes_of_ones_own(x):
    total = 0.0
    for v in x:
        try:
            if v > 2.0:
                raise ValueError
            total += half(v) * v
        except Small:
            total += v
        except Exception:
            total += v**4
    return total


def returns(x):
    try:
        return math.sqrt(x[0] - 5.0)
    except ValueError:
        return x[0] ** 2 + x[2]


def jumps_and_finally(x):
    total = 0.0
    for v in x:
        try:
            if v > 2.0:
                break
            total += math.sqrt(1.0 - v)
        except ValueError:
            total += v**2
            continue
        finally:
            total += 0.5 * v
        total *= 2.0
    return total


def leaves_a_loop(x):
    k, total = 0, 0.0
    while True:
        try:
            total += x[k] ** 2 * k
        except IndexError:
            break
        k += 1
    return total


def memory(x):
    y = x.copy()
    try:
        for k in range(3):
            y[k] *= 2.0
        y[0] = y[1] * y[5]
        y[1] = 100.0
    except IndexError:
        y[2] = y[0]
    return np.sum(y * y)


def lists_and_dicts(x):
    out, d = [0.0] * 3, {"n": 0.0}
    for i in range(4):
        try:
            out[i] = x[i] ** 2
            d["n"] += x[i]
        except IndexError:
            d["n"] *= 2.0
    return sum(out) * d["n"]


def branches(x):
    total = 0.0
    for v in x:
        try:
            if v > 1.0:
                total += math.sqrt(2.0 - v)
            else:
                total += math.log(v - 1.0)
            total += v
        except ValueError:
            total += 5 * v * v
    return total


def never_raises(x):
    try:
        y = np.sum(x * x)
    except ImportError:
        y = 0.0
    return y


def suppressed(x):
    total = x[2]
    with contextlib.suppress(IndexError, ZeroDivisionError):
        total += x[0] ** 2
        total += x[7]
        total += 1000.0
    return total


def contexts(x):
    total = 0.0
    for v in x:
        with np.errstate(divide="ignore", invalid="ignore"), contextlib.nullcontext(2.0) as two:
            if v > 2.0:
                break
            total += np.log(v) * two * x[2]
    return total


PROGRAMS = [division, subscripts, several_classes, classes_of_ones_own, returns, jumps_and_finally, leaves_a_loop,
            memory, lists_and_dicts, branches, never_raises, suppressed, contexts]  # fmt: skip


@pytest.mark.parametrize("f", PROGRAMS)
def test_as_python(f):
    everything(f, X)


def test_what_no_handler_takes_is_raised():
    def f(x):
        try:
            return math.sqrt(x[0])
        except ZeroDivisionError:
            return 0.0

    assert ad.grad(f)(np.array([4.0]))[0] == 0.25
    with pytest.raises(ValueError, match=r"math domain error|expected a nonnegative"):
        ad.grad(f)(np.array([-4.0]))


def test_a_handler_may_raise():
    def f(x):
        try:
            return 1.0 / x
        except ZeroDivisionError as error:
            raise Small(f"x is {x}") from error

    assert ad.grad(f)(2.0) == -0.25
    with pytest.raises(Small, match="x is 0"):
        ad.grad(f)(0.0)


def test_what_is_refused():
    def in_a_loop(x):
        try:
            total = 0.0
            for v in x:
                total += math.sqrt(v)
        except ValueError:
            total = 1.0
        return total

    def asks_the_exception(x):
        try:
            y = math.sqrt(x[0])
        except ValueError as error:
            y = len(error.args) * 1.0
        return y

    def makes_errors(x):
        with np.errstate(all="raise"):
            return np.sum(x)

    refusals = ((in_a_loop, "in a loop or branch"), (asks_the_exception, "exception that was caught"),
                (makes_errors, "makes errors"))  # fmt: skip
    for f, text in refusals:
        with pytest.raises(ad.CompileError, match=text):
            ad.grad(f)(X)
