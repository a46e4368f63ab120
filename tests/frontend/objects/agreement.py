"""Programs with objects against plain Python: values, what they leave behind, and derivatives by every float."""

from __future__ import annotations

import copy
import inspect

import numpy as np

import adcore as ad


def named(function, args):
    """The arguments by name, the object of a bound method among them."""
    if inspect.ismethod(function):
        function, args = function.__func__, (function.__self__, *args)
    bound = inspect.signature(function).bind(*args)
    bound.apply_defaults()
    return function, dict(bound.arguments)


def moved(function, args, path, step):
    """The value where the float at `path` has moved by `step`."""
    function, found = named(function, copy.deepcopy((function, args))[1] if not inspect.ismethod(function) else args)
    found = copy.deepcopy(found)
    exec(f"{path} = {path} + step", {"step": step}, found)
    return function(**found)


def slope(function, args, path):
    """The derivative by a float, from differences of fourth order."""
    h = 1e-3
    near, far = (moved(function, args, path, d) - moved(function, args, path, -d) for d in (h, 2 * h))
    return (8.0 * near - far) / (12.0 * h)


def check(function, *args, paths, hessian=True):
    """Value, gradients in both modes and second order agree with Python by every float in `paths`; nothing changes."""
    plain, bound = named(function, args)
    expected = plain(**copy.deepcopy(bound))
    before = copy.deepcopy(bound)
    value, found = ad.value_and_grad(function, wrt=tuple(paths))(*args)
    assert value == expected or np.isclose(value, expected, rtol=1e-13)
    for path, got in zip(paths, found, strict=True):
        assert np.isclose(got, slope(function, args, path), rtol=1e-7, atol=1e-8), path
        if hessian:
            again = ad.hessian(function, wrt=path)(*args) if got or np.isfinite(got) else 0.0
            assert np.isclose(again, curvature(function, args, path), rtol=1e-5, atol=1e-5), path
    assert_same(bound, before)
    return value


def curvature(function, args, path):
    """The second derivative by a float, from gradients."""
    h = 1e-4

    def gradient(step):
        target, found = named(function, args)
        found = copy.deepcopy(found)
        exec(f"{path} = {path} + step", {"step": step}, found)
        return ad.grad(target, wrt=path)(**found)

    return (gradient(h) - gradient(-h)) / (2.0 * h)


def assert_same(a, b, seen=None):
    """Two values have the same structure and the same numbers, to the bit."""
    seen = set() if seen is None else seen
    if id(a) in seen:
        return
    assert type(a) is type(b), (a, b)
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key], seen)
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y, seen)
    elif hasattr(a, "__dict__") and not callable(a):
        seen.add(id(a))
        assert_same(vars(a), vars(b), seen)
    elif isinstance(a, float):
        assert a.hex() == b.hex()
