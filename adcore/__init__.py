"""Gradients of plain Python functions: compiled ahead of the call, right, and without any memory allocation.

    import adcore as ad

    def energy(x, k):
        total = 0.0
        for i in range(len(x)):
            total += k * x[i] ** 2
        return total

    ad.grad(energy)(x, 2.0)

What stands here is imported when it is first used: `import adcore` alone loads neither NumPy nor LLVM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adcore.errors import AdcoreError, ArgumentError, CompileError, WorkspaceError
from adcore.version import __version__ as __version__

if TYPE_CHECKING:
    from adcore.api import (
        Active,
        Activity,
        BatchDuplicated,
        Bound,
        Const,
        Duplicated,
        DuplicatedNoNeed,
        Forward,
        ForwardWithPrimal,
        Handle,
        Located,
        Mode,
        NoReference,
        NotFinite,
        Primal,
        Reverse,
        ReverseSplit,
        ReverseWithPrimal,
        SplitHandle,
        autodiff,
        compile,
        differentiable,
        grad,
        hessian,
        hvp,
        jacobian,
        jvp,
        locate,
        ravel,
        reference,
        rule,
        value_and_grad,
        vjp,
        zeros_like,
    )

_LAZY = frozenset({
    "Active", "Activity", "BatchDuplicated", "Bound", "Const", "Duplicated", "DuplicatedNoNeed", "Forward",
    "ForwardWithPrimal", "Handle", "Located", "Mode", "NoReference", "NotFinite", "Primal", "Reverse", "ReverseSplit",
    "ReverseWithPrimal", "SplitHandle", "autodiff", "compile", "differentiable", "grad", "hessian", "hvp", "jacobian",
    "jvp", "locate", "ravel", "reference", "rule", "value_and_grad", "vjp", "zeros_like",
})  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'adcore' has no attribute {name!r}")
    from adcore import api

    value = globals()[name] = getattr(api, name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = [
    "Active", "Activity", "AdcoreError", "ArgumentError", "BatchDuplicated", "Bound", "CompileError", "Const",
    "Duplicated", "DuplicatedNoNeed", "Forward", "ForwardWithPrimal", "Handle", "Located", "Mode", "NoReference",
    "NotFinite", "Primal", "Reverse", "ReverseSplit", "ReverseWithPrimal", "SplitHandle", "WorkspaceError", "autodiff",
    "compile", "differentiable", "grad", "hessian", "hvp", "jacobian", "jvp", "locate", "ravel", "reference", "rule",
    "value_and_grad", "vjp", "zeros_like",
]  # fmt: skip
