"""What each stage does: a function from the request and the products that it needs to its own product.

`adcore.driver.pipeline` puts them in order. Each gives verified IR; differentiation has a module of its own
(`adcore.driver.differentiation`).
"""

from __future__ import annotations

import zlib
from dataclasses import replace

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.affine.parallel import vector_loops
from adcore.captures import unwrap
from adcore.driver.derivatives import nested as nested
from adcore.driver.request import Request
from adcore.frontend import Program, compile_function
from adcore.frontend.reader import source_lines
from adcore.ir.core import Function
from adcore.ir.verifier import verify
from adcore.lower import Lowered, lower
from adcore.lower.objects.object_code import Artifact, EmitOptions, emit
from adcore.machine_model import MODEL
from adcore.runtime.cache import disk
from adcore.transform.arrays.producer_fusion import fuse_producers
from adcore.transform.canonical.checks import simplify_checks
from adcore.transform.canonical.induction import close_inductions
from adcore.transform.canonical.inline import expand, inline
from adcore.transform.canonical.range_folding import fold_ranges
from adcore.transform.canonical.running_choices import untie_running_choices
from adcore.transform.canonical.simplify import simplify
from adcore.transform.canonical.unchecked import without_index_checks
from adcore.transform.diff.reverse import Derivative
from adcore.transform.diff.selection import lower_attach
from adcore.transform.expansion import expand_bulk
from adcore.transform.optimize.bit_tiles import tile_bits
from adcore.transform.optimize.check_sinking import sink_checks
from adcore.transform.optimize.improve import improve
from adcore.transform.optimize.product_instructions import emit_products
from adcore.transform.optimize.product_separation import separate_products
from adcore.version import __version__

ENTRY = "kernel"
"""The name of the native entry in every object."""


def source(request: Request) -> str:
    """The user's text."""
    try:
        return "".join(source_lines(unwrap(request.function).__code__)[0])
    except (OSError, TypeError, IndexError, AttributeError):
        return "# the source cannot be read\n"  # the next stage says so in the user's terms


def program(request: Request) -> Program:
    """The source as IR. Raises CompileError."""
    return compile_function(request.function, request.signature, request.ops, live=request.live)


def inlined(request: Request, program: Program) -> Function:
    """One function without calls."""
    return verify(inline(program.module), request.ops)


def simplified(request: Request, inlined: Function) -> Function:
    """Index checks are proved or hoisted here, so that differentiation sees plain affine subscripts."""
    function = inlined if request.boundscheck else without_index_checks(inlined)
    function = simplify(function, request.ops)
    function = simplify(close_inductions(function, request.ops), request.ops)
    function = simplify_checks(fold_ranges(function, request.ops), request.ops)
    function = simplify(untie_running_choices(function, request.ops), request.ops)
    return verify(function, request.ops)


def fused(request: Request, simplified: Function) -> Function:
    """What overlaps is known for a specialisation only, so each has its own."""
    function = fuse_producers(simplified, request.ops, AliasClasses(request.primal_aliases))
    return _verified(function, simplified, request)


def gradient(request: Request, derived: Derivative) -> Function:
    """The derivative without calls, simplified and made fast."""
    function = lower_attach(expand(derived.function, everything=True), request.ops)
    return verify(improve(function, request.ops, request.aliases), request.ops)


def lowered(request: Request, gradient: Function) -> Lowered:
    """LLVM IR, after the steps that only the target asks for."""
    function = expand_bulk(gradient, request.ops)
    if not request.heap:
        function = _verified(separate_products(function, request.ops, request.aliases), gradient, request)
    function = tile_bits(sink_checks(function, request.ops), request.ops)
    with_products = emit_products(function, request.ops, request.aliases)
    function = _verified(with_products, function, request)
    aliases = AliasClasses(request.aliases)
    return lower(
        function,
        name=ENTRY,
        alias_groups=request.aliases,
        parallel=vector_loops(function, request.ops, aliases),
        workspace="heap" if request.heap else "arena",
        fastmath=request.fastmath,
        ops=request.ops,
        part=request.part,
        limit=request.limit if request.part == "whole" else None,
    )


def _verified(function: Function, before: Function, request: Request) -> Function:
    """`function`, which a pass made of `before`: where it left it as it was, it is as right as it was."""
    return function if function is before else verify(function, request.ops)


def artifact(request: Request, lowered: Lowered) -> Artifact:
    """Object code, from the cache where this text was compiled before. The key holds all that LLVM is given."""
    superwords = any(sweep.width > 1 for sweep in request.sweeps)
    options = EmitOptions(superwords=superwords, scheduled=lowered.text.count("\n") < MODEL.most_scheduled_lines)
    declared = {symbol: native.reason for symbol, native in lowered.natives.items()}
    if disk.folder() is None:
        return replace(emit(lowered, options), declared=declared)
    text = "".join((lowered.text, *lowered.ready))
    name = disk.key("kernel", __version__, text, options)
    stored = disk.fetch(name)
    if stored is not None:
        size = int.from_bytes(stored[:8], "little")
        return Artifact(stored[8 : 8 + size], zlib.decompress(stored[8 + size :]).decode(), options, declared)
    made = replace(emit(lowered, options), declared=declared)
    listing = zlib.compress(made.llvm_ir.encode(), 1)
    disk.store(name, len(made.object_code).to_bytes(8, "little") + made.object_code + listing)
    return made
