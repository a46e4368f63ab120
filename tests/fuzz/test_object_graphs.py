"""Random object graphs against plain Python: values, what is left behind, exceptions, derivatives, call after call."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

import adcore as ad
from adcore.errors import ArgumentError
from tests.fuzz.object_graphs import program

QUICK, MANY = range(3), range(3, 60)


def load(seed, folder):
    path = folder / f"graph{seed}.py"
    path.write_text(program(seed), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"graph{seed}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(value, seen):
    """A graph as data: identities by the order in which objects are met."""
    if isinstance(value, list):
        return [shown(item, seen) for item in value]
    if isinstance(value, np.ndarray):
        return [float(item) for item in value]
    if isinstance(value, float):
        return float(value)
    if not hasattr(value, "a") and not hasattr(value, "items"):
        return repr(value)
    if id(value) in seen:
        return seen[id(value)]
    seen[id(value)] = len(seen)
    names = sorted(getattr(value, "__dict__", None) or value.__slots__)
    return (type(value).__name__, seen[id(value)], [(name, shown(getattr(value, name), seen)) for name in names])


def alike(a, b):
    """Whether two graphs are the same, floats up to rounding."""
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(alike, a, b))
    return a == pytest.approx(b, rel=1e-10) if isinstance(a, float) else type(a) is type(b) and a == b


def outcome(call, *args):
    try:
        return call(*args), ()
    except (ValueError, ZeroDivisionError) as error:
        return str(error), getattr(error, "__notes__", ())


def check_calls(module):
    run = module.Box.run
    handle = ad.compile(run, module.make(), 1.5, mode=ad.Primal)
    plain, ours = module.make(), module.make()
    for x in (1.5, 1.1, 1.5, 0.7, 1.9):
        expected, _ = outcome(run, plain, x)
        try:
            found, notes = outcome(handle, ours, x)
        except ArgumentError:
            # What a handle is compiled for may change: an enum, or which attributes are one object.
            handle = ad.compile(run, ours, x, mode=ad.Primal)
            found, notes = outcome(handle, ours, x)
        assert found == (expected if isinstance(expected, str) else pytest.approx(expected, rel=1e-10))
        if notes:
            return
        assert alike(shown(ours, {}), shown(plain, {}))


def check_derivatives(module):
    run, h = module.Box.run, 1e-6

    def moved(dx, da):
        box = module.make()
        box.u.a += da
        return run(box, x + dx)

    gradient = ad.grad(run, wrt=(1, "self.u.a"))
    for x in (1.5, 0.7, 1.5):
        box = module.make()
        if isinstance(outcome(moved, h, h)[0], str):
            continue
        by_x, by_a = gradient(box, x)
        assert by_x == pytest.approx((moved(h, 0.0) - moved(-h, 0.0)) / (2 * h), rel=1e-4, abs=1e-4)
        assert by_a == pytest.approx((moved(0.0, h) - moved(0.0, -h)) / (2 * h), rel=1e-4, abs=1e-4)
        assert ad.jvp(run, (box, x), (None, 1.0))[1] == pytest.approx(by_x, rel=1e-9)
        assert shown(box, {}) == shown(module.make(), {})


@pytest.mark.parametrize("seed", [*QUICK, *(pytest.param(seed, marks=pytest.mark.slow) for seed in MANY)])
def test_a_random_graph_means_what_it_means_in_python(seed, tmp_path):
    module = load(seed, tmp_path)
    check_calls(module)
    check_derivatives(module)
