"""Two flows on a line of cells, stepped with a double buffer, as a solver would write them."""

import numpy as np
import pytest


def diffuse(u, new, steps, k):
    """Linear: the reverse sweep runs the same stencil backwards and needs nothing of the states."""
    n = len(u)
    for _ in range(steps):
        for i in range(1, n - 1):
            new[i] = u[i] + k * (u[i - 1] - 2.0 * u[i] + u[i + 1])
        for i in range(1, n - 1):
            u[i] = new[i]


def distance(u, new, goal, steps, k):
    diffuse(u, new, steps, k)
    total = 0.0
    for i in range(len(u)):
        total += (u[i] - goal[i]) ** 2
    return total


def burgers(u, new, steps, dt, dx):
    """Nonlinear: a derivative needs the velocity that was there before the step; the copy back destroys it."""
    n = len(u)
    for _ in range(steps):
        for i in range(1, n - 1):
            advection = u[i] * (u[i + 1] - u[i - 1]) / (2.0 * dx)
            diffusion = (u[i + 1] - 2.0 * u[i] + u[i - 1]) / (dx * dx)
            new[i] = u[i] + dt * (0.05 * diffusion - advection)
        for i in range(1, n - 1):
            u[i] = new[i]
    energy = 0.0
    for i in range(n):
        energy += u[i] * u[i]
    return energy


N = 24
WAVE = np.sin(np.linspace(0.0, 2 * np.pi, N)) + 1.5
GOAL = np.full(N, 1.5)


@pytest.mark.no_alloc_grad(distance, WAVE, WAVE.copy(), GOAL, 20, 0.2, wrt=("u",))
def test_diffusion_keeps_only_the_end(adalloc):
    report = adalloc.check(distance, WAVE, WAVE.copy(), GOAL, 20, 0.2, wrt=("u",))
    assert report.workspace_bytes == 0


@pytest.mark.no_alloc_grad(burgers, WAVE, WAVE.copy(), 20, 1e-3, 0.1, wrt=("u",))
def test_burgers_keeps_the_states(adalloc):
    report = adalloc.check(burgers, WAVE, WAVE.copy(), 20, 1e-3, 0.1, wrt=("u",))
    assert report.workspace_bytes == 8 * (N - 2) * 20
