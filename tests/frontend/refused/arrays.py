import numpy as np


def f(u, v, n, x):
    for _ in range(n):
        u, v = v, u
    w = u[0]
    k = x
    for _ in range(n):
        k = k.sort()
    if n > 3:
        t = np.zeros(2)
    else:
        t = np.ones(2, dtype=np.int64)
    for i in range(n):
        r = np.zeros(i)
    s = r[0] + w
    q = u if n else v
    return t[0]
