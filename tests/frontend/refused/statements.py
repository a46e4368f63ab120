def f(x, n):
    with open("file") as g:
        pass
    try:
        y = x[0]
    except IndexError:
        y = 0.0
    global z
    global Z
    print(x)
    for i in range(n):
        x[i] += 1.0
        yield_ = {"a": 1}
    x += 1.0
    x[:] *= 2.0
    a, *b = x
    x.shape = (3,)
    return x[0] if (w := n) else 0.0
