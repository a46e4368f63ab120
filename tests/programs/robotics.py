"""Robotics: arms, vehicles, controllers, trajectories."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .program import Program


class Link:
    """One rigid link of a planar chain."""

    def __init__(self, length, mass, inertia=None):
        if length <= 0:
            raise ValueError(f"a link needs a positive length, not {length}")
        self.length = length
        self.mass = mass
        self.inertia = mass * length**2 / 12 if inertia is None else inertia

    @property
    def center(self):
        return 0.5 * self.length


class PlanarArm:
    """A chain of links in the vertical plane."""

    gravity = 9.81

    def __init__(self, links):
        self.links = list(links)

    def forward(self, q):
        """Position of the tip."""
        x = y = angle = 0.0
        for link, joint in zip(self.links, q):
            angle += joint
            x += link.length * math.cos(angle)
            y += link.length * math.sin(angle)
        return x, y

    def potential_energy(self, q):
        height = 0.0
        angle = 0.0
        energy = 0.0
        for i, link in enumerate(self.links):
            angle += q[i]
            energy += link.mass * self.gravity * (height + link.center * math.sin(angle))
            height += link.length * math.sin(angle)
        return energy

    def kinetic_energy(self, q, qd):
        angle = rate = vx = vy = 0.0
        energy = 0.0
        for i, link in enumerate(self.links):
            angle += q[i]
            rate += qd[i]
            cx = vx - rate * link.center * math.sin(angle)
            cy = vy + rate * link.center * math.cos(angle)
            energy += 0.5 * link.mass * (cx**2 + cy**2) + 0.5 * link.inertia * rate**2
            vx -= rate * link.length * math.sin(angle)
            vy += rate * link.length * math.cos(angle)
        return energy

    def lagrangian(self, q, qd):
        return self.kinetic_energy(q, qd) - self.potential_energy(q)

    def reach_cost(self, q, target=(0.7, 0.9), weight=1.0, *, comfort=0.05):
        x, y = self.forward(q)
        miss = (x - target[0]) ** 2 + (y - target[1]) ** 2
        return weight * miss + comfort * sum(angle**2 for angle in q)


@dataclass
class PID:
    """A controller with a filtered derivative and a clamped integral."""

    kp: float
    ki: float = 0.0
    kd: float = 0.0
    limit: float = 10.0
    integral: float = 0.0
    previous: float | None = None

    def reset(self):
        self.integral = 0.0
        self.previous = None

    def update(self, error, dt):
        self.integral = min(max(self.integral + error * dt, -self.limit), self.limit)
        slope = 0.0 if self.previous is None else (error - self.previous) / dt
        self.previous = error
        return self.kp * error + self.ki * self.integral + self.kd * slope


class CartPole:
    """A pole on a cart, stepped with semi-implicit Euler."""

    def __init__(self, m_cart=1.0, m_pole=0.1, length=0.5, g=9.81):
        self.m_cart, self.m_pole, self.length, self.g = m_cart, m_pole, length, g

    def acceleration(self, theta, omega, force):
        total = self.m_cart + self.m_pole
        s, c = math.sin(theta), math.cos(theta)
        temp = (force + self.m_pole * self.length * omega**2 * s) / total
        alpha = (self.g * s - c * temp) / (self.length * (4.0 / 3.0 - self.m_pole * c**2 / total))
        return temp - self.m_pole * self.length * alpha * c / total, alpha

    def rollout_cost(self, gains, steps=60, dt=0.02):
        x, v, theta, omega = 0.1, 0.0, 0.15, 0.0
        cost = 0.0
        for _ in range(steps):
            force = -(gains[0] * x + gains[1] * v + gains[2] * theta + gains[3] * omega)
            a, alpha = self.acceleration(theta, omega, force)
            v += dt * a
            x += dt * v
            omega += dt * alpha
            theta += dt * omega
            cost += dt * (x**2 + 10 * theta**2 + 0.001 * force**2)
        return cost


def pid_tracking(gains, setpoint=1.0, steps=80, dt=0.05):
    controller = PID(*gains, limit=5.0)
    position, velocity, cost = 0.0, 0.0, 0.0
    for _ in range(steps):
        force = controller.update(setpoint - position, dt)
        velocity += dt * (force - 0.4 * velocity)
        position += dt * velocity
        cost += dt * (setpoint - position) ** 2
    return cost


class Quaternion:
    """A rotation; multiplication composes, `@` rotates a vector."""

    __slots__ = ("w", "x", "y", "z")

    def __init__(self, w, x, y, z):
        self.w, self.x, self.y, self.z = w, x, y, z

    @classmethod
    def from_axis(cls, axis, angle):
        half = 0.5 * angle
        s = math.sin(half)
        return cls(math.cos(half), s * axis[0], s * axis[1], s * axis[2])

    def __mul__(self, other):
        return Quaternion(
            self.w * other.w - self.x * other.x - self.y * other.y - self.z * other.z,
            self.w * other.x + self.x * other.w + self.y * other.z - self.z * other.y,
            self.w * other.y - self.x * other.z + self.y * other.w + self.z * other.x,
            self.w * other.z + self.x * other.y - self.y * other.x + self.z * other.w,
        )

    def conjugate(self):
        return Quaternion(self.w, -self.x, -self.y, -self.z)

    def __matmul__(self, v):
        r = self * Quaternion(0.0, v[0], v[1], v[2]) * self.conjugate()
        return (r.x, r.y, r.z)


def attitude_error(angles, target=(0.2, -0.4, 0.8)):
    roll, pitch, yaw = angles
    q = (
        Quaternion.from_axis((0.0, 0.0, 1.0), yaw)
        * Quaternion.from_axis((0.0, 1.0, 0.0), pitch)
        * Quaternion.from_axis((1.0, 0.0, 0.0), roll)
    )
    v = q @ (1.0, 0.0, 0.0)
    return sum((a - b) ** 2 for a, b in zip(v, target))


class Bicycle:
    """A kinematic bicycle; the state is updated in place."""

    def __init__(self, wheelbase=2.5):
        self.wheelbase = wheelbase
        self.state = np.zeros(4)

    def step(self, steer, accel, dt):
        x, y, heading, speed = self.state
        self.state[0] = x + dt * speed * np.cos(heading)
        self.state[1] = y + dt * speed * np.sin(heading)
        self.state[2] = heading + dt * speed / self.wheelbase * np.tan(steer)
        self.state[3] = speed + dt * accel


def lane_change(controls, options=None):
    options = {"dt": 0.2, "lane": 3.5, "v0": 8.0} if options is None else options
    car = Bicycle()
    car.state[3] = options["v0"]
    cost = 0.0
    for steer, accel in controls:
        car.step(steer, accel, options["dt"])
        cost += 0.1 * steer**2 + 0.01 * accel**2
    return cost + (car.state[1] - options["lane"]) ** 2 + car.state[2] ** 2


class MinimumJerk:
    """A quintic through two poses; callable with a time."""

    def __init__(self, start, goal, duration):
        if duration <= 0:
            raise ValueError("duration must be positive, got %g" % duration)
        self.start, self.goal, self.duration = start, goal, duration

    def __call__(self, t):
        s = t / self.duration
        return self.start + (self.goal - self.start) * (10 * s**3 - 15 * s**4 + 6 * s**5)


def via_point_cost(goal, duration, via=0.3, *, samples=20):
    path = MinimumJerk(np.zeros(3), goal, duration)
    cost = 0.0
    for k in range(samples):
        p = path(duration * k / samples)
        cost += np.sum((p - via) ** 2)
    return cost / samples


def collision_cost(path, obstacles, margin=0.3, kind="smooth"):
    """Penalty of a path of points near circular obstacles."""
    if kind not in ("smooth", "hard"):
        raise ValueError(f"unknown kind {kind!r}")
    total = 0.0
    for p in path:
        for ob in obstacles:
            d = math.hypot(p[0] - ob["x"], p[1] - ob["y"]) - ob["r"]
            if d < margin:
                total += (margin - d) ** 2 if kind == "smooth" else margin - d
    for a, b in zip(path[:-1], path[1:]):
        total += np.sum((b - a) ** 2)
    return total


ARM = PlanarArm([Link(0.6, 1.2), Link(0.5, 0.8), Link(0.3, 0.4, inertia=0.01)])
Q = np.array([0.4, -0.7, 0.9])
QD = np.array([0.3, 0.8, -0.5])
PATH = np.array([[0.0, 0.0], [0.4, 0.35], [0.8, 0.7], [1.3, 0.9], [1.8, 1.4]])
OBSTACLES = [{"x": 0.5, "y": 0.6, "r": 0.2}, {"x": 1.2, "y": 0.75, "r": 0.1}]

PROGRAMS = [
    Program("potential energy of an arm", ARM.potential_energy, (Q,)),
    Program("lagrangian of an arm", ARM.lagrangian, (Q, QD), wrt=(0, 1)),
    Program("reach of an arm, defaults", ARM.reach_cost, (Q,)),
    Program("reach of an arm, keyword", ARM.reach_cost, (Q, (0.2, 0.5)), {"comfort": 0.2}),
    Program(
        "cart and pole with linear feedback", CartPole(length=0.6).rollout_cost, (np.array([-1.0, -1.5, -18.0, -3.0]),)
    ),
    Program("pid gains on a damped mass", pid_tracking, (np.array([2.0, 0.3, 0.4]),)),
    Program("attitude from three quaternions", attitude_error, (np.array([0.1, -0.3, 0.5]),)),
    Program(
        "lane change of a bicycle", lane_change, (np.array([[0.1, 0.2], [0.05, 0.1], [-0.08, -0.1], [-0.05, 0.0]]),)
    ),
    Program("minimum jerk near a via point", via_point_cost, (np.array([0.5, 0.2, -0.4]), 1.5), wrt=(0, 1)),
    Program("path between obstacles", collision_cost, (PATH, OBSTACLES)),
]
