def inner(x, n):
    if n > 1:
        return x.partition(2)
    return None


def recursive(n):
    return 1 if n == 0 else n * recursive(n - 1)


def f(x, n):
    y = inner(x, n)
    return recursive(n)
