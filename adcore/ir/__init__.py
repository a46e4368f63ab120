"""The intermediate representation: data, text, checks, meaning.

What stands here is imported when it is first used: whoever needs the types alone (`adcore.ir.types`), as code that is
found in the cache does, loads nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adcore.ir.builder import Builder, OpTable
    from adcore.ir.core import Function, Instr, Module, Region, Value, free_values, substitute, walk
    from adcore.ir.interpreter import interpret
    from adcore.ir.parser import parse_function, parse_module, parse_type
    from adcore.ir.printer import print_function, print_module
    from adcore.ir.types import BOOL, F32, F64, I64, ArrayType, ListType, Scalar, Type
    from adcore.ir.verifier import IRError, verify

_HOMES = {
    name: module
    for module, names in {
        "builder": "Builder OpTable",
        "core": "Function Instr Module Region Value free_values substitute walk",
        "interpreter": "interpret",
        "parser": "parse_function parse_module parse_type",
        "printer": "print_function print_module",
        "types": "BOOL F32 F64 I64 ArrayType ListType Scalar Type",
        "verifier": "IRError verify",
    }.items()
    for name in names.split()
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


__all__ = [
    "BOOL", "F32", "F64", "I64", "ArrayType", "Builder", "Function", "IRError", "Instr", "ListType", "Module",
    "OpTable", "Region", "Scalar", "Type", "Value", "free_values", "interpret", "parse_function", "parse_module",
    "parse_type", "print_function", "print_module", "substitute", "verify", "walk",
]  # fmt: skip
