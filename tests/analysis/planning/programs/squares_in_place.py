"""x[i]**2 in the place of x[i]."""

import numpy as np


def program(x):
    for i in range(len(x)):
        x[i] = x[i] ** 2
    return x.sum()


ARGS = (np.array([1.0, 2.0]),)
