"""Compiled code against its own IR, run by Python: who is to blame, and where numbers stop to be finite."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from pytest_adalloc.checks.exact.slopes import PointReference
from pytest_adalloc.checks.inputs.arguments import Vector
from pytest_adalloc.checks.verdict.comparison import Comparison
from pytest_adalloc.checks.verdict.diagnostics import About


def about_primal(about: About, reference: PointReference | None, python: float | None, compiled: float | None) -> About:
    """What is known of a compiled value that is not Python's."""
    found = reference.located() if reference is not None else None
    if found is None or found.result is None or python is None or compiled is None:
        return about
    places = (str(found.value),) if found.value is not None else ()
    return replace(about, located=places, contradicts=_nearer(found.result, python, compiled))


def about_gradient(about: About, reference: PointReference | None, gradient: Vector, decided: Comparison) -> About:
    """What is known of a gradient that did not pass. One that was passed in has no IR."""
    found = reference.located() if reference is not None else None
    if found is None:
        return about
    places = [found.value, None if about.foreign or np.all(np.isfinite(gradient)) else found.adjoint]
    told = tuple(str(place) for place in places if place is not None)
    if about.foreign or decided.component < 0:
        return replace(about, located=told)
    read = float(found.gradient[decided.component])
    return replace(about, located=told, contradicts=_nearer(read, decided.expected, decided.got))


def about_modes(
    about: About, reference: PointReference | None, tangent: Vector, forward: float, reverse: float, slope: float
) -> About:
    """What is known where forward mode says something else than the gradient, which agrees with its reference.

    `slope`: along the tangent, by the reference of the gradient: the function's IR as Python runs it, or NaN."""
    if math.isfinite(forward) and math.isfinite(slope):
        return replace(about, contradicts=abs(forward - slope) > abs(reverse - slope))
    found = reference.forward_located(tangent) if reference is not None else None
    if found is None:
        return about
    places = (str(found.place),) if found.place is not None else ()
    return replace(about, located=places, contradicts=_nearer(found.tangent, reverse, forward))


def _nearer(read: float, expected: float, compiled: float) -> bool:
    """Whether what the IR gives is what was expected rather than what compiled code gives. Which of NaN and infinity
    comes out may depend on the order of operations."""
    if not math.isfinite(read) or not math.isfinite(compiled):
        return math.isfinite(read) != math.isfinite(compiled)
    return abs(read - compiled) > abs(read - expected)
