import math

import numpy as np


def f(x, y, s):
    a = x + y
    b = np.sin(x)
    c = x > 0.5
    d = x[x > 0.5]
    e = np.sum(x, axis=0)
    g = np.linalg.norm(x)
    h = x @ y
    i = math.sin(x)
    j = (v for v in x)
    k = {1, 2}
    m = f"{s}"
    n = x[None, :]
    o = x[0, 0]
    p = x[1.5]
    q = 1j * s
    r = -x
    t = not x
    u = s & 1
    return a
