"""Programs that raise; here, because pytest changes the `assert`s of test modules."""

from __future__ import annotations

import math

import numpy as np


class Unstable(RuntimeError):
    def __init__(self, step, value, *, unit="m"):
        super().__init__(f"unstable at {step}: {value}{unit}")
        self.step, self.value, self.unit = step, value, unit


def formatted(x):
    total = 0.0
    for i in range(len(x)):
        if x[i] < 0:
            raise ValueError(f"bad {x[i]:.3f} at {i!r} of {len(x)} {x.shape} {'text':>6} {{}}")
        total += math.sqrt(x[i])
    return total


def of_a_class_of_ones_own(x):
    for i in range(len(x)):
        if not x[i] >= 0:
            raise Unstable(i, 2 * x[i], unit="cm")
    return np.sum(x * x)


def asserted(x):
    assert x[0] > 0, "x is %g at %d of %s" % (x[1], 3, (1, x[0]))  # noqa: UP031
    assert x[1] > 0
    assert x[2] > 0, f"{x[2]}"
    return x[0] ** 2


def with_arguments(x):
    if x[0] < 0:
        raise KeyError("a", 1, x[1], [x[0], {"k": x[2]}])
    if x[1] < 0:
        raise np.linalg.LinAlgError(f"singular {x[1]:.2f} {x[0]} " + str(x[2])) from None
    if x[2] < 0:
        error = OverflowError(-1)
        raise error
    return np.sum(x)


def without_arguments(x):
    if x[0] < 0:
        raise OverflowError
    if x[1] < 0:
        raise StopIteration()
    if x[2] < 0:
        raise ValueError("")
    return x[0]


def what_the_message_is_made_of_may_raise(x):
    if x[0] < 0:
        raise ValueError(f"{1.0 / float(x[1] - 1.3)}")
    if x[1] < 0:
        raise ValueError(f"{x[int(x[2]) + 1]}")
    assert x[2] > 0, math.sqrt(x[2])
    return x[0] * x[1]


PROGRAMS = [formatted, of_a_class_of_ones_own, asserted, with_arguments, without_arguments,
            what_the_message_is_made_of_may_raise]  # fmt: skip
