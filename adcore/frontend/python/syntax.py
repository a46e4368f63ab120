"""All that compiles statements and expressions: importing this module registers it."""

from __future__ import annotations

from adcore.frontend.objects import dataclass_objects
from adcore.frontend.python import comparisons, expressions, nonlocals, operators, statements, texts
from adcore.frontend.python.containers import comprehensions, dicts
from adcore.frontend.python.control import contexts, exceptions, loops, raising
from adcore.frontend.python.control.blocks import execute
from adcore.frontend.python.dispatch import evaluate, perform

ROOMS = (
    expressions, operators, comparisons, comprehensions, dicts, texts, nonlocals, statements, contexts, exceptions,
    loops, raising, dataclass_objects,
)  # fmt: skip
"""Where it is defined."""

__all__ = ["ROOMS", "evaluate", "execute", "perform"]
