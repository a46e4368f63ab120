"""From Python functions to IR: `compile_function(function, signature)` gives a `Program`."""

from adcore.frontend.captures import Capture
from adcore.frontend.compile import Program, compile_function

__all__ = ["Capture", "Program", "compile_function"]
