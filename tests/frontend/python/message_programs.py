"""Programs that print, warn and log: what they say is compared with what plain Python says, word for word."""

# ruff: noqa: B028, UP031, UP032
from __future__ import annotations

import logging
import sys
import warnings

import numpy as np

LOG = logging.getLogger(__name__)


class Hot(RuntimeWarning):
    """A warning of the user's, which keeps a number."""

    def __init__(self, degrees):
        super().__init__(f"{degrees:.2f} degrees")
        self.degrees = degrees


def steps(x):
    total = 0.0
    for k in range(len(x)):
        total += x[k] * x[k]
        print("step", k, total, f"{x[k]:8.3f}", total > 1.0, sep=" | ")
        if k == 1:
            continue
        print("%d: %g" % (k, total), "{:.2e}".format(total), end=".\n")
    return total


def until_large(x):
    y, k = x[0] + 0.5, 0
    while y < 50.0:
        y = y * y + 1.0
        k += 1
        print(k, [y, (k, None)], {"y": y})
    return y


def nested_loops(x):
    s = 0.0
    for i in range(len(x)):
        t = 1.0
        for j in range(3):
            t = t * np.sin(x[i]) + 0.1 * j
            if j == i:
                print(i, j, file=sys.stderr)
        s += t * t
    return s


def in_place(x):
    for t in range(4):
        for i in range(1, len(x)):
            x[i] = x[i] * x[i - 1] + 0.5
        print("time", t, i)
    return np.sum(x * x)


def check(value, bound):
    if value > bound:
        warnings.warn(f"{value:.3f} is beyond {bound}", UserWarning, stacklevel=2)
    return min(value, bound)


def warns(x):
    y = check(x[0], 0.1)
    warnings.warn("plain")
    warnings.warn(Hot(x[1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Hot)
        warnings.warn(Hot(x[2]))
        warnings.warn("still seen", stacklevel=2)
    return check(y * x[1], 0.01) + x[2] ** 2


def logs(x):
    LOG.debug("not shown at this level: %s", x[0])
    LOG.warning("%d of %d: %.3f", 1, len(x), x[0])
    logging.getLogger("another").error("50%% of %s", (x[1], "text"), extra={"unit": "K"})
    LOG.log(logging.INFO, f"{x[2]!r}")
    return x[0] * x[1] * x[2]


def raises(x):
    print("before", len(x))
    for k in range(len(x) + 1):
        print(k)
        x[k] = 2.0 * x[k]
    return x[0]


def divides(x, n):
    s = 1.0
    for k in range(n):
        print("k =", k)
        s = s / (3 - k) + x
    return s


class Monitor:
    def __init__(self):
        self.log = logging.getLogger("monitor")
        self.gain = 2.0

    def energy(self, x):
        value = self.gain * np.sum(x * x)
        self.log.info("energy is %.3f", value)
        return value


PROGRAMS = (steps, until_large, nested_loops, in_place, warns, logs, Monitor().energy)
