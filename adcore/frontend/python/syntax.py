"""All that compiles statements and expressions: importing this module registers it."""

from __future__ import annotations

from adcore.frontend.python import comparisons, comprehensions, dicts, expressions, operators, statements
from adcore.frontend.python.control import loops, raising
from adcore.frontend.python.control.blocks import execute
from adcore.frontend.python.dispatch import evaluate, perform

ROOMS = (expressions, operators, comparisons, comprehensions, dicts, statements, loops, raising)
"""Where it is defined."""

__all__ = ["ROOMS", "evaluate", "execute", "perform"]
