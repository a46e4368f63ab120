"""Two temporaries of an outer loop, one filled from the other: the reverse sweep fills both again and keeps nothing."""

import numpy as np


def program(a, x):
    total = 0.0
    for i in range(len(x)):
        weights = np.zeros(len(a))
        for k in range(len(a)):
            weights[k] = a[k] * x[i]
        squares = np.zeros(len(a))
        for k in range(len(a)):
            squares[k] = weights[k] * weights[k]
        for k in range(len(a)):
            total += squares[k] * weights[k] * squares[k]
    return total


ARGS = (np.linspace(0.5, 1.5, 5), np.linspace(1.0, 2.0, 7))
