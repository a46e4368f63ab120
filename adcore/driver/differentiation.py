"""The stage `derived`: the sweeps of a request, applied one after the other, with the plan of the last reverse one."""

from __future__ import annotations

from dataclasses import replace

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.budget import TooLarge
from adcore.analysis.planning.explain import refusal, too_large
from adcore.analysis.planning.plan import Impossible
from adcore.driver.request import Request, Sweep
from adcore.errors import ArgumentError, Diagnostic, WorkspaceError
from adcore.ir.core import Function
from adcore.ir.verifier import verify
from adcore.transform.canonical.inline import expand
from adcore.transform.canonical.simplify import simplify
from adcore.transform.diff.forward import forward
from adcore.transform.diff.overwritten_shadows import set_to_zero
from adcore.transform.diff.remedies import Remedies
from adcore.transform.diff.reverse import Derivative, reverse
from adcore.transform.diff.selection import track_selections
from adcore.transform.diff.split_sweeps import NotSplit, split
from adcore.transform.diff.squared_roots import differentiate_squared_roots


def derived(request: Request, simplified: Function, fused: Function) -> Derivative:
    """The last derivative, with the plan of its reverse sweep.

    An array of the program's own outlasts the forward sweep, and is not counted under a limit in bytes; values and the
    arrays of a loop's body are. So where a limit is too tight for the fused program, it may not be for the plain one.
    """
    try:
        return _differentiated(request, fused)
    except WorkspaceError:
        if fused is simplified:
            raise
        return _differentiated(request, simplified)


def _differentiated(request: Request, primal: Function) -> Derivative:
    made = Derivative(primal)
    for sweep in request.sweeps:
        aliases = AliasClasses(sweep.aliases)
        made = replace(made, function=differentiate_squared_roots(made.function, request.ops))
        if sweep.sweep == "forward":
            function = forward(made.function, sweep.kinds, request.ops, aliases, sweep.width)
            made = replace(made, function=expand(function, everything=False))
            continue
        made = _reversed(request, made.function, sweep, aliases)
        if request.part != "whole":
            return _half(made, primal, request)
        # Each sweep gets valid and lean input: what the first leaves dead, the second would differentiate.
        plain = expand(verify(made.function, request.ops), everything=False)
        made = replace(made, function=simplify(plain, request.ops))
    return replace(made, function=verify(made.function, request.ops))


def _reversed(request: Request, function: Function, sweep: Sweep, aliases: AliasClasses) -> Derivative:
    """The reverse sweep of `function`. Raises WorkspaceError where it keeps more than the request allows."""
    try:
        tracked = _tracked(function, sweep, request, aliases)
        how = (request.ops, aliases, request.limit, request.values)
        made = reverse(tracked, sweep.kinds, sweep.seeds, *how)
    except Impossible as impossible:
        remedies = Remedies(impossible.planner, sweep.kinds, sweep.seeds)
        budget = f"workspace={request.limit}"
        raise WorkspaceError(refusal(impossible, budget, remedies.to_keep_nothing)) from None
    except TooLarge as large:
        needs = (large.planner, large.plan, large.bytes, request.limit or 0, large.states)
        raise WorkspaceError(too_large(*needs)) from None
    return replace(made, function=set_to_zero(made.function, sweep.overwritten, request.ops))


def _tracked(function: Function, sweep: Sweep, request: Request, aliases: AliasClasses) -> Function:
    """What is reversed: running maxima and the like remember the iteration of their last choice."""
    tracked = track_selections(function, sweep.kinds, sweep.seeds, request.ops, aliases)
    return function if tracked is function else simplify(verify(tracked, request.ops), request.ops)


def _half(made: Derivative, primal: Function, request: Request) -> Derivative:
    """One of the two sweeps, as a function of its own."""
    assert made.cut is not None
    try:
        halves = split(made.function, made.cut, primal, request.ops)
    except NotSplit as unsplit:
        help = "pass one array, or keep the sweeps together (mode=ad.Reverse)"
        title = f"the reverse sweep reads the list of arrays `{unsplit.name}`, which may change between the sweeps"
        raise ArgumentError([Diagnostic(title, primal.span, help=help)]) from None
    function = halves.forward if request.part == "forward" else halves.reverse
    lean = simplify(expand(verify(function, request.ops), everything=False), request.ops)
    return replace(made, function=verify(lean, request.ops))
