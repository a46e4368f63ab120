"""All functions and methods that programs may call: importing this module registers them."""

from __future__ import annotations

from adcore.frontend.numpy.functions import (
    constructors,
    formulas,
    joining,
    methods,
    products,
    reductions,
    shapes,
    ufuncs,
)
from adcore.frontend.python.functions import iterables, math_functions, numbers
from adcore.frontend.registry import FUNCTIONS, METHODS

ROOMS = (
    numbers,
    iterables,
    math_functions,
    ufuncs,
    formulas,
    constructors,
    shapes,
    joining,
    products,
    reductions,
    methods,
)
"""Where they are defined."""

__all__ = ["FUNCTIONS", "METHODS", "ROOMS"]
