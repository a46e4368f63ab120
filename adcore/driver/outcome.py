"""What a compile leaves behind for those who call: the interface of a function, the native code of a specialisation."""

from __future__ import annotations

from adcore.driver.interface import Interface
from adcore.driver.pipeline import ARTIFACT, GRADIENT, LOWERED, PROGRAM, SIMPLIFIED, Build
from adcore.ir.core import Function, walk
from adcore.lower.roots import roots
from adcore.ops import Table
from adcore.runtime.loading.native_code import CodePlace, NativeCode
from adcore.signature import Leaf

PHASES = {"primal": "primal", "forward": "forward mode", "reverse": "gradient"}
"""What a function is called that has but one sweep."""


def interface(build: Build) -> Interface:
    """What calls have to know of the function of a build that was run until `SIMPLIFIED`."""
    program, function = build.product(PROGRAM), build.product(SIMPLIFIED)
    own = program.signature.leaves()
    arrays = [(c.path, c.arg) for c in program.captures if c.arg is not None]
    captured = [
        Leaf(path, p.type, arg.writeable) for (path, arg), p in zip(arrays, function.params[len(own) :], strict=True)
    ]
    return Interface(
        leaves=(*own, *captured),
        written=_written_params(function, build.request.ops),
        result=program.result,
        result_types=tuple(result.type for result in function.results),
        captures=program.captures,
        compared=program.compared,
        size=sum(1 for _ in walk(function.region)),
        updates=program.updates,
    )


def native_code(build: Build) -> NativeCode:
    """The object of a whole build, and what its callers must know."""
    lowered, artifact = build.product(LOWERED), build.product(ARTIFACT)
    sweep = build.request.sweeps[-1].sweep if build.request.sweeps else "primal"
    whole = build.product(SIMPLIFIED).span, PHASES[sweep]
    places = {lowered.name: whole}
    for site in lowered.allocation_sites:
        places[site.symbol] = (site.span, site.phase if sweep == "reverse" else PHASES[sweep])
    sizes, functions = artifact.symbols, artifact.functions
    pieces = [
        CodePlace(lowered.name, functions[piece].size, *whole, functions[piece].value - functions[lowered.name].value)
        for piece in lowered.pieces
        if piece in functions
    ]
    return NativeCode(
        artifact.object_code,
        lowered.name,
        lowered.layout,
        lowered.faults,
        _written_params(build.product(GRADIENT), build.request.ops),
        (*(CodePlace(s, sizes[s], span, phase) for s, (span, phase) in places.items() if s in sizes), *pieces),
        bool(lowered.allocation_sites),
        artifact.certificate,
        tuple((symbol, native.address) for symbol, native in lowered.natives.items()),
        lowered.messages,
    )


def _written_params(function: Function, ops: Table) -> frozenset[int]:
    """Numbers of the parameters that `function` (without calls) writes into."""
    known = roots(function, ops)
    targets = {root for array in ops.writes_in(function.region) for root in known[array]}
    return frozenset(k for k, param in enumerate(function.params) if param in targets)


__all__ = ["interface", "native_code"]
