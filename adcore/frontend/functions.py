"""All functions and methods that programs may call: importing this module registers them."""

from __future__ import annotations

from adcore.frontend.numpy.functions import (
    constructors,
    conversions,
    formulas,
    joining,
    methods,
    products,
    reductions,
    repeating,
    rounding,
    shapes,
    ufuncs,
)
from adcore.frontend.python.functions import (
    decimal_places,
    iterables,
    math_functions,
    messages,
    more_math,
    numbers,
    reflection,
    searches,
)
from adcore.frontend.registry import FUNCTIONS, METHODS

ROOMS = (
    numbers,
    decimal_places,
    iterables,
    math_functions,
    messages,
    more_math,
    reflection,
    searches,
    ufuncs,
    formulas,
    rounding,
    constructors,
    conversions,
    shapes,
    joining,
    repeating,
    products,
    reductions,
    methods,
)
"""Where they are defined."""

__all__ = ["FUNCTIONS", "METHODS", "ROOMS"]
