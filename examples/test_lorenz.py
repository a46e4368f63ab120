"""How far apart two weather forecasts end: the Lorenz system by a fourth-order Runge-Kutta scheme."""

import numpy as np
import pytest


def lorenz(x, y, z, sigma, rho, beta):
    return sigma * (y - x), x * (rho - z) - y, x * y - beta * z


def end_of_trajectory(start, sigma, rho, beta, dt, steps):
    x, y, z = start[0], start[1], start[2]
    for _ in range(steps):
        ax, ay, az = lorenz(x, y, z, sigma, rho, beta)
        bx, by, bz = lorenz(x + dt / 2 * ax, y + dt / 2 * ay, z + dt / 2 * az, sigma, rho, beta)
        cx, cy, cz = lorenz(x + dt / 2 * bx, y + dt / 2 * by, z + dt / 2 * bz, sigma, rho, beta)
        ex, ey, ez = lorenz(x + dt * cx, y + dt * cy, z + dt * cz, sigma, rho, beta)
        x += dt / 6 * (ax + 2 * bx + 2 * cx + ex)
        y += dt / 6 * (ay + 2 * by + 2 * cy + ey)
        z += dt / 6 * (az + 2 * bz + 2 * cz + ez)
    return x + y + z


START = np.array([1.0, 2.0, 20.0])


@pytest.mark.no_alloc_grad(end_of_trajectory, START, 10.0, 28.0, 8 / 3, 0.01, 50, wrt=("start", "sigma", "rho", "beta"))
def test_sensitivity_of_the_end():
    """Only the state is kept at each step; the stages in between are computed again on the way back."""


def test_what_a_step_costs(adalloc):
    report = adalloc.check(end_of_trajectory, START, 10.0, 28.0, 8 / 3, 0.01, 50, wrt="start")
    assert report.workspace_bytes == 3 * 8 * 50
    assert report.workspace_formula == "24*steps"
