"""The same with two arrays: nothing is lost, and the report says what was checked."""

import numpy as np


def program(out, x):
    for i in range(1, len(out)):
        out[i] = x[i] * x[i - 1]


ARGS = (np.zeros(5), np.linspace(1.0, 2.0, 5))
