"""Swaps in place: the derivative follows where each number went, and reads none of the numbers."""

import numpy as np


def program(x, weights):
    for i in range(1, len(x)):
        j = i
        while j > 0 and x[j - 1] > x[j]:
            x[j - 1], x[j] = x[j], x[j - 1]
            j -= 1
    total = 0.0
    for i in range(len(x)):
        total += weights[i] * x[i]
    return total


ARGS = (np.array([0.3, -0.4, 1.5, 0.1, -2.0]), np.linspace(1.0, 2.0, 5))
