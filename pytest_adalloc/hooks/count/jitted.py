"""What Numba's ``njit`` compiled for some arguments, as a kernel: Numba's own function, without its Python wrapper.

Numba calls it as ``int32 function(result *, exception **, argument...)``, where an array is spread over (owner, parent,
items, bytes of an item, data, shape..., strides...). Without an owner it is borrowed, which is what a caller of native
code wants.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pytest_adalloc.hooks.count.native_calls import NativeCall, literal
from pytest_adalloc.hooks.install import jit

RESULT_BYTES = 64  # room for any number
NOTHING_RETURNED = -2  # Numba's status of a function that returns None


def numba_kernel(call: object, args: Sequence[object]) -> NativeCall | None:
    """The call as a kernel; None where this is no function of Numba's, or takes or returns more than numbers and
    arrays of numbers. Compiles the function for these arguments, as the call would.
    """
    numba = sys.modules.get("numba")
    if numba is None or not isinstance(call, _dispatcher(numba)):
        return None
    made = _compiled(numba, call, args)
    if made is None:
        return None
    address, parameters, values = made
    literals = [literal(kind, value) for kind, value in zip(parameters, values, strict=True)]
    if None in literals:
        return None
    room = ctypes.create_string_buffer(RESULT_BYTES + 8)
    start = ctypes.addressof(room)
    passed = ", ".join(
        [f"ptr inttoptr (i64 {at} to ptr)" for at in (start, start + RESULT_BYTES)]
        + [f"{kind} {value}" for kind, value in zip(parameters, literals, strict=True)]
    )
    text = f"""
target triple = "{jit.triple()}"
define i32 @adalloc_call(ptr %frame) nounwind uwtable {{
  %status = call i32 inttoptr (i64 {address} to ptr)({passed})
  %nothing = icmp eq i32 %status, {NOTHING_RETURNED}
  %result = select i1 %nothing, i32 0, i32 %status
  ret i32 %result
}}
"""
    kernel = jit.link([jit.compiled(text)], ["adalloc_call"])["adalloc_call"]
    return NativeCall(kernel, True, (call, room, *args))


def _dispatcher(numba: Any) -> type:
    kind: type = numba.core.dispatcher.Dispatcher
    return kind


def _compiled(numba: Any, call: Any, args: Sequence[object]) -> tuple[int, list[str], list[object]] | None:
    """Address, LLVM types of the spread arguments, and their values."""
    types = numba.core.types
    kinds = tuple(numba.typeof(argument) for argument in args)
    numbers = (types.Float, types.Integer)
    if not all(isinstance(k, numbers) or (isinstance(k, types.Array) and isinstance(k.dtype, numbers)) for k in kinds):
        return None
    call.compile(kinds)
    result = call.overloads[kinds]
    if result.objectmode or not isinstance(result.signature.return_type, (*numbers, types.Boolean, types.NoneType)):
        return None
    function = result.target_context.call_conv.get_function_type(result.signature.return_type, result.signature.args)
    parameters = ["ptr" if kind.is_pointer else str(kind) for kind in function.args[2:]]
    values = [value for argument in args for value in _spread(argument)]
    if len(values) != len(parameters):
        return None
    return result.library.get_pointer_to_function(result.fndesc.llvm_func_name), parameters, values


def _spread(argument: object) -> Iterator[object]:
    if not isinstance(argument, np.ndarray):
        yield argument.item() if isinstance(argument, np.generic) else argument
        return
    yield from (0, 0, argument.size, argument.itemsize, argument.ctypes.data, *argument.shape, *argument.strides)
