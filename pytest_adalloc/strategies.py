"""Strategies for hypothesis: arguments of a function, drawn within its domain.

    from pytest_adalloc import strategies

    pytest_adalloc.check_many(f, strategies.arguments(f, np.ones(8), 2.0, domain={"x": (0.0, None)}))

This module needs hypothesis, which nothing else of the package imports.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_adalloc.checks.differences.directions import DomainBounds
from pytest_adalloc.checks.inputs.arguments import Point
from pytest_adalloc.checks.inputs.drawn import moved_to
from pytest_adalloc.checks.task import task_of

try:
    from hypothesis import strategies as st
except ImportError as problem:  # pragma: no cover
    raise ImportError("pytest_adalloc.strategies needs hypothesis: pip install hypothesis") from problem

ONE_BY_ONE = 64
"""So many numbers are drawn one by one, and shrink well; more come from a random generator that is drawn."""
REACH = 10.0
"""How far numbers are from zero at most, in parts of the largest that was given."""


def arguments(
    f: Callable[..., Any], *example: Any, domain: Any = None, wrt: Any = None, **named: Any
) -> st.SearchStrategy[tuple[Any, ...]]:
    """Tuples of arguments of `f`, built like `example`: what is differentiated is drawn, all else is as given.

    Shapes, dtypes and structures are those of the example. Numbers lie within `domain`, as for `check`, else within
    ten times the largest of the example. They shrink towards zero, or the bound that is next to it.
    Raises TypeError and ValueError for arguments that make no sense.
    """
    task = task_of(f, example, {"domain": domain, "wrt": wrt, **named}, unbind=False)
    point = Point(task.function.names, task.args, task.options.wrt)
    bounds = DomainBounds.of(domain, point)
    reach = REACH * max(float(np.max(np.abs(point.vector), initial=0.0)), 1.0)
    low, high = np.maximum(bounds.low, -reach), np.minimum(bounds.high, reach)
    given = len(example)

    def built(vector: Any) -> tuple[Any, ...]:
        return moved_to(point, np.asarray(vector, dtype=np.float64))[:given]

    if point.size <= ONE_BY_ONE:
        numbers = [st.floats(float(a), float(b), allow_subnormal=False) for a, b in zip(low, high, strict=True)]
        return st.tuples(*numbers).map(built)
    return st.integers(0, 2**32 - 1).map(lambda seed: built(np.random.default_rng(seed).uniform(low, high)))


__all__ = ["arguments"]
