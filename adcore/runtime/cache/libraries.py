"""What belongs to Python or NumPy: known by its name, since their versions are part of every key."""

from __future__ import annotations

import functools
import os
import sys
import types
from typing import Any

import numpy as np

_STANDARD, _NUMPY = (os.path.dirname(str(module.__file__)) + os.sep for module in (os, np))
_INSTALLED = tuple(_STANDARD + name + os.sep for name in ("site-packages", "dist-packages"))


@functools.cache
def of_a_library(module: str) -> bool:
    """Whether a module belongs to Python or NumPy, whose versions are part of every key."""
    loaded = sys.modules.get(module)
    file = getattr(loaded, "__file__", None)
    if file is None:
        return module in sys.builtin_module_names
    return file.startswith(_NUMPY) or (file.startswith(_STANDARD) and not file.startswith(_INSTALLED))


def is_library(value: Any) -> bool:
    """Whether a function is known by its name: one of C, or one that Python or NumPy brings along."""
    kind = type(value)
    if isinstance(value, (types.BuiltinFunctionType, types.MethodDescriptorType)) or kind.__name__ in (
        "ufunc", "_ArrayFunctionDispatcher",
    ):  # fmt: skip
        return is_found(value)
    if not isinstance(value, types.FunctionType):
        return False
    # `functools.wraps` gives a user's function the module and the name of the one that it replaces.
    homes = value.__module__, value.__globals__.get("__name__")
    return all(isinstance(home, str) and of_a_library(home) for home in homes) and is_found(value)


def name_of(value: Any) -> tuple[str, str]:
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", "")
    return getattr(value, "__module__", None) or "numpy", str(name)


def is_found(value: Any) -> bool:
    """Whether what stands under the name of `value` is `value`."""
    module, name = name_of(value)
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        # A module's own `__getattr__` may warn of a name or load something: NumPy's does.
        found = vars(found).get(part) if isinstance(found, types.ModuleType) else getattr(found, part, None)
    return found is value


__all__ = ["is_found", "is_library", "name_of", "of_a_library"]
