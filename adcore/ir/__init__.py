"""The intermediate representation: data, text, checks, meaning."""

from adcore.ir.builder import Builder, OpTable
from adcore.ir.core import Function, Instr, Module, Region, Value, free_values, substitute, walk
from adcore.ir.interpreter import interpret
from adcore.ir.parser import parse_function, parse_module, parse_type
from adcore.ir.printer import print_function, print_module
from adcore.ir.types import BOOL, F32, F64, I64, ArrayType, ListType, Scalar, Type
from adcore.ir.verifier import IRError, verify

__all__ = [
    "BOOL", "F32", "F64", "I64", "ArrayType", "Builder", "Function", "IRError", "Instr", "ListType", "Module",
    "OpTable", "Region", "Scalar", "Type", "Value", "free_values", "interpret", "parse_function", "parse_module",
    "parse_type", "print_function", "print_module", "substitute", "verify", "walk",
]  # fmt: skip
