"""From Python functions to IR: `compile_function(function, signature)` gives a `Program`.

The function's syntax tree is executed on abstract values (`values`): what is known while compiling is computed by
Python itself, the rest becomes IR. Callees are compiled in place. Reading order: `compile`, `session`,
`values.abstract`; `python.dispatch`, `python.control.blocks`, `python.control.branches`, `values.joining.joins`,
`python.calls`, `registry`; for arrays `numpy.elements`, `numpy.elementwise`, `numpy.materialise`,
`numpy.indexing.slices`, `values.joining.rebinding`.

A program is compiled to what Python means, or refused. The known differences, all of them rare:

- A name that holds a Python number on one path and a NumPy scalar on another counts as a NumPy scalar: dividing it by
  zero gives infinity or NaN on both paths.
- A number that starts as an int and becomes a float in a loop is a float from the start (equal in value, and exact up
  to 2**53).
- `sum` adds floats in order; since Python 3.12 the interpreter compensates rounding errors of Python floats.
- Integers that do not fit in 64 bits raise OverflowError; NumPy's int64 would wrap (narrower ones
  do wrap).
- An axis of length 1 stretches where that length is known while compiling (those of arguments are); where it only turns
  out to be 1 at run time, NotImplementedError is raised.
- Where more than two lengths of an error about shapes are not known while compiling, its text names the axis instead.
- `raise A(...) from e` raises `A` without `__cause__`; compiled code never warns.
- Lists share the wording of IndexError with arrays.
"""

from adcore.captures import Capture
from adcore.frontend.compile import compile_function
from adcore.frontend.program import Program

__all__ = ["Capture", "Program", "compile_function"]
