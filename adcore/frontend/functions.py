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
from adcore.frontend.python import builtins, math_functions
from adcore.frontend.registry import FUNCTIONS, METHODS

ROOMS = (builtins, math_functions, ufuncs, formulas, constructors, shapes, joining, products, reductions, methods)
"""Where they are defined."""

__all__ = ["FUNCTIONS", "METHODS", "ROOMS"]
