import numpy as np


def f(x, a, n):
    if n:
        y = np.float64(a)
    else:
        y = x[0]
    z = y * 2
    if n > 2:
        t = (1.0, 2.0)
    else:
        t = 3.0
    s = a or None
    r = (1, 2) if n else 3
    v = [x, a]
    v[n] = 2.0
    w = 2**100
    return t, z, n + w, "text"
