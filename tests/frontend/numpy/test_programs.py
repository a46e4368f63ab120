"""Whole programs as people write them with NumPy: value and gradient."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frontend.numpy.support import agrees, check_gradient

RNG = np.random.default_rng(11)


def random(*shape):
    return RNG.random(shape) + 0.1


def jacobi_2d(A, B, steps):
    for _ in range(steps):
        B[1:-1, 1:-1] = 0.2 * (A[1:-1, 1:-1] + A[1:-1, :-2] + A[1:-1, 2:] + A[2:, 1:-1] + A[:-2, 1:-1])
        A[1:-1, 1:-1] = 0.2 * (B[1:-1, 1:-1] + B[1:-1, :-2] + B[1:-1, 2:] + B[2:, 1:-1] + B[:-2, 1:-1]) ** 2
    return np.sum(A * A)


def heat_3d(u, steps):
    for _ in range(steps):
        inner = u[1:-1, 1:-1, 1:-1]
        inner += 0.1 * (
            u[2:, 1:-1, 1:-1] + u[:-2, 1:-1, 1:-1] + u[1:-1, 2:, 1:-1] + u[1:-1, :-2, 1:-1]
            + u[1:-1, 1:-1, 2:] + u[1:-1, 1:-1, :-2] - 6 * inner
        )  # fmt: skip
    return np.sum(u**2)


def advection(u, c, steps):
    for _ in range(steps):
        u[1:] -= c * u[1:] * (u[1:] - u[:-1])
    return u.sum()


def periodic(u, c, steps):
    for _ in range(steps):
        u[:] = u - c * (u - np.roll(u, 1)) + 0.1 * np.sin(u)
    return np.sum(u**2)


def softmax(A):
    e = np.exp(A - np.max(A, axis=1, keepdims=True))
    p = e / np.sum(e, axis=1, keepdims=True)
    return -np.mean(np.log(p[:, 0]))


def logistic_regression(w, b, X, y):
    z = X @ w + b[0]
    p = 1.0 / (1.0 + np.exp(-z))
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)) + 0.1 * np.sum(w**2)


def mlp(X, W1, b1, W2, b2, y):
    h = np.maximum(X @ W1 + b1, 0)
    out = np.tanh(h @ W2 + b2)
    return np.mean((out - y) ** 2)


def cross_entropy(X, W, k):
    z = X @ W
    z -= z.max(axis=1, keepdims=True)
    lse = np.log(np.exp(z).sum(axis=1))
    return np.mean(lse - z[np.arange(len(k)), k])


def kmeans(X, C):
    d = np.sum((X[:, None, :] - C[None, :, :]) ** 2, axis=2)
    return np.sum(np.min(d, axis=1))


def channel_flow(u, v, p, steps):
    b = np.zeros_like(p)
    for _ in range(steps):
        b[1:-1, 1:-1] = (u[1:-1, 2:] - u[1:-1, :-2]) / 2 + (v[2:, 1:-1] - v[:-2, 1:-1]) / 2
        pn = p.copy()
        p[1:-1, 1:-1] = (pn[1:-1, 2:] + pn[1:-1, :-2] + pn[2:, 1:-1] + pn[:-2, 1:-1]) / 4 - b[1:-1, 1:-1] / 4
        p[:, -1] = p[:, -2]
        p[0, :] = p[1, :]
        p[-1, :] = 0
        un = u.copy()
        u[1:-1, 1:-1] = (
            un[1:-1, 1:-1]
            - un[1:-1, 1:-1] * 0.1 * (un[1:-1, 1:-1] - un[1:-1, :-2])
            - 0.05 * (p[1:-1, 2:] - p[1:-1, :-2])
        )
        u[0, :] = 0
        u[:, -1] = u[:, 0]
    return np.sum(u**2) + np.sum(p)


def nbody(pos, vel, mass, steps):
    for _ in range(steps):
        dx = pos[:, 0][None, :] - pos[:, 0][:, None]
        dy = pos[:, 1:2].T - pos[:, 1:2]
        inv = (dx**2 + dy**2 + 0.1) ** -1.5
        vel[:, 0] += 0.01 * ((dx * inv) @ mass)
        vel[:, 1] += 0.01 * ((dy * inv) @ mass)
        pos += vel * 0.01
    return 0.5 * np.sum(mass * np.sum(vel**2, axis=1)) + np.sum(pos)


def cholesky(A):
    n = A.shape[0]
    for j in range(n):
        A[j, j] = np.sqrt(A[j, j] - np.dot(A[j, :j], A[j, :j]))
        for i in range(j + 1, n):
            A[i, j] = (A[i, j] - np.dot(A[i, :j], A[j, :j])) / A[j, j]
    return np.sum(np.log(np.diag(A)))


def cholesky_columns(A):
    n = len(A)
    for k in range(n):
        A[k, k] **= 0.5
        A[k + 1 :, k] /= A[k, k]
        A[k + 1 :, k + 1 :] -= np.outer(A[k + 1 :, k], A[k + 1 :, k])
    return np.sum(np.tril(A) ** 2)


def lu(A):
    n = len(A)
    for k in range(n):
        A[k + 1 :, k] /= A[k, k]
        A[k + 1 :, k + 1 :] -= A[k + 1 :, k : k + 1] * A[k : k + 1, k + 1 :]
    return np.sum(A * A)


def gemver(A, u1, v1, u2, v2, x, y, z, w):
    A += np.outer(u1, v1) + np.outer(u2, v2)
    x += 1.2 * y @ A + z
    w += 1.5 * A @ x
    return np.sum(w**2)


def atax(A, x):
    return np.sum(((A @ x) @ A) ** 2)


def covariance(X):
    D = X - X.mean(axis=0)
    C = D.T @ D / (len(X) - 1)
    return np.sum(np.triu(C) ** 2)


def normalised(X, g, b):
    Z = (X - X.mean(axis=0)) / np.sqrt(X.var(axis=0) + 1e-5) * g + b
    return np.sum(np.where(Z > 0, Z, 0.1 * Z) ** 2)


def robust(r, d):
    a = np.abs(r)
    small = a <= d[0]
    cost = np.where(small, 0.5 * r**2, d[0] * (a - 0.5 * d[0]))
    cost[~small] *= 2
    return cost.sum() + np.sum(r[small])


def spring(x, edges, rest):
    i, j = edges[:, 0], edges[:, 1]
    d = x[i] - x[j]
    length = np.sqrt(np.sum(d**2, axis=1))
    force = np.zeros_like(x)
    f = (length - rest)[:, None] * d / length[:, None]
    np.add.at(force, i, f)
    np.add.at(force, j, -f)
    return np.sum(force**2)


def attention(Q, K, V):
    S = Q @ K.T / np.sqrt(Q.shape[1])
    P = np.exp(S - S.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    return np.sum((P @ V) ** 2)


def runge_kutta(y, steps):
    def slope(y):
        return np.array([y[1], -np.sin(y[0])]) * 1.5

    h = 0.05
    for _ in range(steps):
        k1 = slope(y)
        k2 = slope(y + h / 2 * k1)
        y = y + h * k2
    return np.sum(y**2)


def gradient_descent(A, b, steps):
    x = np.zeros(A.shape[1])
    for _ in range(steps):
        r = A @ x - b
        x = x - 0.1 * (A.T @ r)
    return np.sum((A @ x - b) ** 2)


def swapping(u, steps):
    v = u.copy()
    w = u * 0.5
    for _ in range(steps):
        w[1:-1] = 0.5 * (v[2:] + v[:-2]) * v[1:-1]
        v, w = w, v
    return np.sum(v * v)


def conjugate_gradients(A, b, steps):
    x = np.zeros_like(b)
    r = b - A @ x
    p = r.copy()
    rs = r @ r
    for _ in range(steps):
        q = A @ p
        a = rs / (p @ q)
        x = x + a * p
        r = r - a * q
        new = r @ r
        p = r + new / rs * p
        rs = new
    return x @ x


S = random(5, 5)
S = S @ S.T + 5 * np.eye(5)
PROGRAMS = [
    (jacobi_2d, (random(5, 6), random(5, 6), 3)), (heat_3d, (random(4, 5, 4), 2)), (advection, (random(7), 0.3, 3)),
    (periodic, (random(6), 0.3, 3)), (softmax, (random(4, 3),)),
    (logistic_regression, (random(3), random(1), random(5, 3), np.array([0.0, 1, 1, 0, 1]))),
    (mlp, (random(4, 3) - 0.5, random(3, 5) - 0.4, random(5) - 0.6, random(5, 2) - 0.5, random(2), random(4, 2))),
    (cross_entropy, (random(4, 3), random(3, 5), np.array([0, 4, 2, 2]))), (kmeans, (random(6, 2), random(3, 2))),
    (channel_flow, (random(5, 6), random(5, 6), random(5, 6), 3)),
    (nbody, (random(4, 2), random(4, 2), random(4), 2)), (cholesky, (S,)), (cholesky_columns, (S,)), (lu, (S,)),
    (gemver, (random(4, 4), *(random(4) for _ in range(8)))), (atax, (random(3, 4), random(4))),
    (covariance, (random(5, 3),)), (normalised, (random(5, 3), random(3), random(3))),
    (robust, (random(8) * 3 - 1.5, np.array([0.7]))),
    (spring, (random(4, 2), np.array([[0, 1], [1, 2], [3, 0]]), random(3))),
    (attention, (random(3, 4), random(5, 4), random(5, 2))), (runge_kutta, (random(2), 12)),
    (gradient_descent, (random(4, 3), random(4), 5)), (swapping, (random(6), 5)),
    (conjugate_gradients, (S, random(5), 3)),
]  # fmt: skip


@pytest.mark.parametrize(("f", "args"), PROGRAMS, ids=[f.__name__ for f, _ in PROGRAMS])
def test_value(f, args):
    agrees(f, *args, exact=False)


LARGE = {
    attention,
    mlp,
    spring,
    channel_flow,
    nbody,
    conjugate_gradients,
    covariance,
    cross_entropy,
    heat_3d,
    normalised,
}
"""Their gradients take a second each to compile."""


@pytest.mark.parametrize(
    ("f", "args"),
    [pytest.param(f, args, marks=[pytest.mark.slow] * (f in LARGE), id=f.__name__) for f, args in PROGRAMS],
)
def test_gradient(f, args):
    check_gradient(f, *args)
