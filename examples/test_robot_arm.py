"""A planar arm reaches for a point: forward kinematics, and the cost that a controller minimises."""

from math import cos, sin

import numpy as np
import pytest


def hand(angles, lengths):
    """Where the last link ends; each angle is relative to the link before."""
    x, y, heading = 0.0, 0.0, 0.0
    for angle, length in zip(angles, lengths, strict=True):
        heading += angle
        x += length * cos(heading)
        y += length * sin(heading)
    return x, y


def reaching_cost(angles, lengths, target):
    """Squared distance from hand to target, and a little for bent joints."""
    x, y = hand(angles, lengths)
    cost = (x - target[0]) ** 2 + (y - target[1]) ** 2
    for angle in angles:
        cost += 1e-2 * angle**2
    return cost


ANGLES = np.linspace(0.1, 0.7, 7)
LENGTHS = np.linspace(1.0, 0.4, 7)


@pytest.mark.no_alloc_grad(reaching_cost, ANGLES, LENGTHS, (1.5, 2.0), wrt="angles", mode="both")
def test_gradient_by_joint_angles():
    """Both sweeps: the tangent of one joint, and the gradient of all."""


@pytest.mark.no_alloc_grad(reaching_cost, ANGLES, LENGTHS, (1.5, 2.0), wrt="angles", order=2)
def test_second_derivatives():
    """Newton's method wants the Hessian along a direction; it is checked as well."""
