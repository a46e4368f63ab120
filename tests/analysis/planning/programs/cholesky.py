"""In place, and free: whatever a derivative reads is final when it is read."""

from math import log, sqrt

import numpy as np


def program(a):
    n = a.shape[0]
    total = 0.0
    for j in range(n):
        d = a[j, j]
        for k in range(j):
            d -= a[j, k] * a[j, k]
        pivot = sqrt(d)
        a[j, j] = pivot
        total += 2.0 * log(pivot)
        for i in range(j + 1, n):
            s = a[i, j]
            for k in range(j):
                s -= a[i, k] * a[j, k]
            a[i, j] = s / pivot
    return total


ARGS = (np.eye(4) * 4.0 + 1.0,)
