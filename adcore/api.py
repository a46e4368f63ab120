"""The public face: everything that `import adcore` offers.

What most programs never ask for is imported when they do.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from adcore.activities import (
    Active,
    Activity,
    BatchDuplicated,
    Const,
    Duplicated,
    DuplicatedNoNeed,
    Forward,
    ForwardWithPrimal,
    Mode,
    Primal,
    Reverse,
    ReverseSplit,
    ReverseWithPrimal,
    SplitMode,
)
from adcore.driver.calls.annotated import annotated_run
from adcore.driver.calls.binding import bind, called
from adcore.driver.derivatives.functional import grad, jvp, value_and_grad, vjp
from adcore.driver.derivatives.rules import rule
from adcore.driver.handles.bound import Bound
from adcore.driver.handles.handle import Handle
from adcore.driver.in_place_fast_path import MISSED, quick_answer, remember
from adcore.driver.request import Fastmath, Options
from adcore.runtime.values.arguments import refuse
from adcore.runtime.values.structures import zeros_like
from adcore.runtime.values.vectors import ravel

if TYPE_CHECKING:
    from adcore.driver.derivatives.higher_order import hessian, hvp, jacobian
    from adcore.driver.evidence.locating import Located, NotFinite, locate
    from adcore.driver.evidence.reference import NoReference, reference
    from adcore.driver.handles.split import SplitHandle

_LATER = {
    "Located": "evidence.locating",
    "NoReference": "evidence.reference",
    "NotFinite": "evidence.locating",
    "SplitHandle": "handles.split",
    "hessian": "derivatives.higher_order",
    "hvp": "derivatives.higher_order",
    "jacobian": "derivatives.higher_order",
    "locate": "evidence.locating",
    "reference": "evidence.reference",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"adcore.driver.{_LATER[name]}"), name)
    return value


F = TypeVar("F", bound=Callable[..., Any])


def differentiable(function: F) -> F:
    """Mark a function as one that adcore compiles. It stays the plain Python function that it is; what it contains is
    checked when it is first differentiated."""
    called(function, (), {})[0].__dict__["__adcore__"] = True
    return function


def autodiff(
    mode: Mode,
    f: Callable[..., Any],
    *args: Any,
    workspace: Any = "auto",
    fastmath: Fastmath = False,
    boundscheck: bool = True,
    shadows: Literal["add", "overwrite"] = "add",
    **kwargs: Any,
) -> Any:
    """Differentiate one call in place, as Enzyme does; arguments are annotated, plain ones are constant.

    Reverse mode adds derivatives to the shadows of Duplicated arguments, the result's own seed being 1.0, and returns
    those of the Active ones as a tuple, None if there are none. Where arguments are BatchDuplicated, it makes a sweep
    for each of their shadows, and returns a tuple of such tuples. Forward mode takes the shadows as tangents and
    returns the tangent of the result, a tuple of them where arguments are BatchDuplicated. `ReverseWithPrimal` and
    `ForwardWithPrimal` return a pair with the value at its end.
    Whatever `f` writes into its arguments is written.
    Raises CompileError, WorkspaceError, ArgumentError, and what `f` itself raises.
    """
    usual = not kwargs and workspace == "auto" and not fastmath and boundscheck and shadows == "add"
    if usual and (answer := quick_answer(_mode(mode), f, args)) is not MISSED:
        return answer
    options = Options(workspace, fastmath, boundscheck, shadows)
    python, given, kwargs, _ = called(f, args, kwargs)
    names, annotated = bind(python, given, kwargs)
    if mode is ReverseSplit:
        refuse("autodiff makes one call, ReverseSplit is for two", help="ad.compile(..., mode=ad.ReverseSplit)")
    run = annotated_run(_mode(mode), python, names, annotated, options)
    answer = run.run()
    if usual:
        remember(mode, f, args, run)
    return answer


@overload
def compile(f: Callable[..., Any], *args: Any, mode: SplitMode, **options: Any) -> SplitHandle: ...


@overload
def compile(f: Callable[..., Any], *args: Any, mode: Mode = ..., **options: Any) -> Handle: ...


def compile(
    f: Callable[..., Any],
    *args: Any,
    mode: Mode = Reverse,
    workspace: Any = "auto",
    fastmath: Fastmath = False,
    boundscheck: bool = True,
    shadows: Literal["add", "overwrite"] = "add",
    pending: int = 8,
    **kwargs: Any,
) -> Handle:
    """Compile the derivative of `f` for annotated arguments of these kinds (`mode=Primal`: `f` itself).

    `workspace`: "auto" keeps what the reverse sweep needs in an arena that is reserved once; a number of bytes is a
    limit for that, exact to the byte (0: nothing may be kept); "heap" calls malloc and free, as other tools do. Local
    arrays of the program and shadows are not counted: nothing of them is kept between the sweeps.
    `fastmath="sums"` lets the order of sums change, so that they run in vector registers, and constant factors of a
    summand become one; True also lets divisions become products and functions approximations. NaN and infinity keep
    their meaning.
    `shadows="overwrite"`: a reverse sweep sets the shadows of Duplicated arrays instead of adding to them, but those of
    arrays that `f` writes, which bring seeds along.
    `mode=ReverseSplit` gives a `SplitHandle` with `forward` and `reverse`, at most `pending` of whose forward calls
    wait for their reverse call at a time.
    Raises CompileError, WorkspaceError, ArgumentError.
    """
    options = Options(workspace, fastmath, boundscheck, shadows)
    if mode is ReverseSplit:
        if shadows != "add":
            refuse("shadows='overwrite' is for one sweep", help="set the shadows to zero before `reverse`")
        from adcore.driver.handles.split import SplitHandle

        return SplitHandle(f, args, kwargs, options, pending)
    return Handle(_mode(mode), f, args, kwargs, options)


def _mode(mode: Any) -> Mode:
    if not isinstance(mode, Mode):
        refuse(
            f"{mode!r} is no mode",
            help="the modes are Reverse, ReverseWithPrimal, ReverseSplit, Forward, ForwardWithPrimal, Primal",
        )
    return mode


__all__ = [
    "Active", "Activity", "BatchDuplicated", "Bound", "Const", "Duplicated", "DuplicatedNoNeed", "Forward",
    "ForwardWithPrimal", "Handle", "Located", "Mode", "NoReference", "NotFinite", "Primal", "Reverse", "ReverseSplit",
    "ReverseWithPrimal", "SplitHandle", "autodiff", "compile", "differentiable", "grad", "hessian", "hvp", "jacobian",
    "jvp", "locate", "ravel", "reference", "rule", "value_and_grad", "vjp", "zeros_like",
]  # fmt: skip
