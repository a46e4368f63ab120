"""The stages from a Python function to machine code, as data: run in order, verified in between, each one printable.

    python -> ir -> inlined -> simplified -> merged -> derived -> plan -> gradient -> llvm -> optimised -> assembly

`compile_request` runs the stages that `Request` asks for and gives a `Build`, which keeps what every stage made.
"""

from __future__ import annotations

import gc
import inspect
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from adcore import __version__
from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.affine.parallel import vector_loops
from adcore.analysis.planning.budget import TooLarge
from adcore.analysis.planning.explain import refusal, too_large
from adcore.analysis.planning.plan import Impossible
from adcore.analysis.products import product_nests
from adcore.errors import ArgumentError, CompileError, Diagnostic, WorkspaceError
from adcore.frontend import compile_function
from adcore.ir.core import Function, walk
from adcore.ir.facts import forget
from adcore.ir.printer import print_function, print_module
from adcore.ir.verifier import verify
from adcore.lower import Lowered, Part, lower
from adcore.lower.objects.object_code import Artifact, Options, emit
from adcore.lower.roots import roots
from adcore.ops import TABLE, Table
from adcore.runtime import cache
from adcore.signature import Signature
from adcore.transform.arrays.producer_fusion import merge
from adcore.transform.canonical.checks import simplify_checks
from adcore.transform.canonical.induction import close_inductions
from adcore.transform.canonical.inline import expand, inline
from adcore.transform.canonical.range_folding import decide
from adcore.transform.canonical.simplify import simplify
from adcore.transform.canonical.unchecked import without_index_checks
from adcore.transform.diff.forward import forward
from adcore.transform.diff.remedies import Remedies
from adcore.transform.diff.reverse import Derivative, reverse
from adcore.transform.diff.selection import settle, track_selections
from adcore.transform.diff.split_sweeps import NotSplit, split
from adcore.transform.optimize.bit_tiles import tile_bits
from adcore.transform.optimize.check_sinking import defer_checks
from adcore.transform.optimize.improve import improve
from adcore.transform.optimize.product_separation import separate_products

Groups = tuple[tuple[int, ...], ...]
Products = Mapping[str, Any]

ENTRY = "kernel"
"""The name of the native entry in every object."""

NO_PLAN = "No reverse sweep: nothing is kept."


@dataclass(frozen=True)
class Sweep:
    """One differentiation: `kinds` per parameter ("const", "active", "duplicated"); for reverse, `seeds` per result:
    whether it is differentiated; for forward, `width` tangents at once. `aliases` groups the parameters whose memory
    overlaps."""

    sweep: Literal["forward", "reverse"]
    kinds: tuple[str, ...]
    seeds: tuple[bool, ...] = ()
    aliases: Groups = ()
    width: int = 1


@dataclass(frozen=True)
class Request:
    """What to compile.

    `sweeps` are applied in order, each to the function that the one before made; `aliases` groups the parameters of
    the last one. `limit`: bytes that the last reverse sweep may keep for `values`, the primal leaves of a call (None:
    no limit; 0: nothing may be kept, whatever the shapes). `part`: one half of the only sweep, a reverse one.
    """

    function: Callable[..., Any]
    signature: Signature
    sweeps: tuple[Sweep, ...] = ()
    aliases: Groups = ()
    limit: int | None = None
    values: tuple[Any, ...] | None = field(default=None, compare=False)
    heap: bool = False
    fastmath: bool = False
    boundscheck: bool = True
    ops: Table = field(default=TABLE, compare=False)
    part: Part = "whole"


@dataclass(frozen=True)
class Stage:
    """One step: `run` makes its product from the request and the products before it, `show` prints that product."""

    name: str
    claim: str
    run: Callable[[Request, Products], Any]
    show: Callable[[Any], str]


def _source(request: Request, products: Products) -> str:
    try:
        return inspect.getsource(inspect.unwrap(request.function))
    except (OSError, TypeError):
        return "# the source cannot be read\n"  # the next stage says so in the user's terms


def _ir(request: Request, products: Products) -> Any:
    return compile_function(request.function, request.signature, request.ops)


def _inlined(request: Request, products: Products) -> Function:
    return _verified(inline(products["ir"].module), request)


def _simplified(request: Request, products: Products) -> Function:
    """Index checks are proved or hoisted here, so that differentiation sees plain affine subscripts."""
    function = products["inlined"] if request.boundscheck else without_index_checks(products["inlined"])
    function = simplify(function, request.ops)
    function = simplify(close_inductions(function, request.ops), request.ops)
    function = simplify(simplify_checks(decide(function, request.ops), request.ops), request.ops)
    return _verified(function, request)


def _merged(request: Request, products: Products) -> Function:
    """What overlaps is known for a version only, so each has its own."""
    aliases = request.sweeps[0].aliases if request.sweeps else request.aliases
    return _verified(merge(products["simplified"], request.ops, AliasClasses(aliases)), request)


def _derived(request: Request, products: Products) -> Derivative:
    """The last derivative, with the plan of its reverse sweep.

    An array of the program's own outlasts the forward sweep, and is not counted under a limit in bytes; values and the
    arrays of a loop's body are. So where a limit is too tight for the merged program, it may not be for the plain one.
    """
    try:
        return _differentiated(request, products["merged"])
    except WorkspaceError:
        if products["merged"] is products["simplified"]:
            raise
        return _differentiated(request, products["simplified"])


def _differentiated(request: Request, primal: Function) -> Derivative:
    derived = Derivative(primal)
    for sweep in request.sweeps:
        aliases = AliasClasses(sweep.aliases)
        if sweep.sweep == "forward":
            function = forward(derived.function, sweep.kinds, request.ops, aliases, sweep.width)
            derived = replace(derived, function=expand(function, everything=False))
            continue
        try:
            how = (request.ops, aliases, request.limit, request.values)
            tracked = _tracked(derived.function, sweep, request, aliases)
            derived = reverse(tracked, sweep.kinds, sweep.seeds, *how)
        except Impossible as impossible:
            remedies = Remedies(impossible.planner, sweep.kinds, sweep.seeds)
            budget = f"workspace={request.limit}"
            raise WorkspaceError(refusal(impossible, budget, remedies.to_keep_nothing)) from None
        except TooLarge as large:
            needs = (large.planner, large.plan, large.bytes, request.limit or 0, large.states)
            raise WorkspaceError(too_large(*needs)) from None
        if request.part != "whole":
            return _half(derived, primal, request)
        # Each sweep gets valid and lean input: what the first leaves dead, the second would differentiate.
        plain = expand(_verified(derived.function, request), everything=False)
        derived = replace(derived, function=simplify(plain, request.ops))
    return replace(derived, function=_verified(derived.function, request))


def _tracked(function: Function, sweep: Sweep, request: Request, aliases: AliasClasses) -> Function:
    """What is reversed: running maxima and the like remember the turn of their last choice."""
    tracked = track_selections(function, sweep.kinds, sweep.seeds, request.ops, aliases)
    return function if tracked is function else simplify(_verified(tracked, request), request.ops)


def _half(derived: Derivative, primal: Function, request: Request) -> Derivative:
    assert derived.cut is not None
    try:
        halves = split(derived.function, derived.cut, primal, request.ops)
    except NotSplit as unsplit:
        help = "pass one array, or keep the sweeps together (mode=ad.Reverse)"
        title = f"the reverse sweep reads the list of arrays `{unsplit.name}`, which may change between the sweeps"
        raise ArgumentError([Diagnostic(title, primal.span, help=help)]) from None
    function = halves.forward if request.part == "forward" else halves.reverse
    lean = simplify(expand(_verified(function, request), everything=False), request.ops)
    return replace(derived, function=_verified(lean, request))


def _plan(request: Request, products: Products) -> Derivative:
    """Nothing to do: the plan was made on the way. Its explanation tries out remedies, so only who reads it pays."""
    derived: Derivative = products["derived"]
    return derived


def _plan_text(derived: Derivative) -> str:
    return str(derived.explain() or NO_PLAN)


def _gradient(request: Request, products: Products) -> Function:
    function = settle(expand(products["derived"].function, everything=True))
    return _verified(improve(function, request.ops, request.aliases), request)


def _llvm(request: Request, products: Products) -> Lowered:
    function = products["gradient"]
    if not request.heap:
        function = _verified(separate_products(function, request.ops, request.aliases), request)
    function = tile_bits(defer_checks(function, request.ops), request.ops)
    aliases = AliasClasses(request.aliases)
    return lower(
        function,
        name=ENTRY,
        alias_groups=request.aliases,
        parallel=vector_loops(function, request.ops, aliases),
        products=product_nests(function, request.ops, aliases),
        workspace="heap" if request.heap else "arena",
        fastmath=request.fastmath,
        ops=request.ops,
        part=request.part,
        limit=request.limit if request.part == "whole" else None,
    )


def _optimised(request: Request, products: Products) -> Artifact:
    """Object code, from the cache where this text was compiled before. The key holds all that LLVM is given."""
    text = "".join((products["llvm"].text, *products["llvm"].ready))
    options = Options(superwords=any(sweep.width > 1 for sweep in request.sweeps))
    name = cache.key("kernel", __version__, text, options)
    declared = {symbol: native.reason for symbol, native in products["llvm"].natives.items()}
    stored = cache.fetch(name)
    if stored is not None:
        size = int.from_bytes(stored[:8], "little")
        return Artifact(stored[8 : 8 + size], zlib.decompress(stored[8 + size :]).decode(), options, declared)
    artifact = replace(emit(products["llvm"], options), declared=declared)
    listing = zlib.compress(artifact.llvm_ir.encode(), 1)
    cache.store(name, len(artifact.object_code).to_bytes(8, "little") + artifact.object_code + listing)
    return artifact


STAGES = (
    Stage("python", "the source", _source, str),
    Stage("ir", "the source as IR", _ir, lambda program: print_module(program.module)),
    Stage("inlined", "one function without calls", _inlined, print_function),
    Stage("simplified", "the same with less in it", _simplified, print_function),
    Stage("merged", "what is differentiated: without arrays that it can do without", _merged, print_function),
    Stage(
        "derived", "the derivative, as the rules give it", _derived, lambda derived: print_function(derived.function)
    ),
    Stage("plan", "what is kept for the reverse sweep, and why", _plan, _plan_text),
    Stage("gradient", "the derivative, simplified", _gradient, print_function),
    Stage("llvm", "LLVM IR before optimisation", _llvm, lambda lowered: str(lowered.text)),
    Stage("optimised", "LLVM IR after optimisation", _optimised, lambda artifact: str(artifact.llvm_ir)),
    Stage("assembly", "machine code", lambda _, products: products["optimised"], lambda artifact: artifact.assembly),
)


@dataclass(frozen=True)
class Build:
    """What every stage made of a request, and how long each took, in seconds."""

    request: Request
    products: Mapping[str, Any]
    seconds: Mapping[str, float]

    def stage(self, name: str) -> str:
        """The product of stage `name` as text."""
        for stage in STAGES:
            if stage.name == name:
                return stage.show(self.products[name])
        raise KeyError(f"no stage {name!r}: the stages are {', '.join(s.name for s in STAGES)}")

    @property
    def artifact(self) -> Artifact:
        artifact: Artifact = self.products["optimised"]
        return artifact

    @property
    def lowered(self) -> Lowered:
        lowered: Lowered = self.products["llvm"]
        return lowered


def compile_request(request: Request, known: Build | None = None, until: str | None = None) -> Build:
    """Run the stages, up to and including `until`; what `known` has made already is taken as it is.

    Raises CompileError for what the language does not have, WorkspaceError where the plan needs too much.
    """
    products: dict[str, Any] = dict(known.products) if known else {}
    seconds: dict[str, float] = dict(known.seconds) if known else {}
    with _collector_paused():
        for stage in STAGES:
            if stage.name not in products:
                started = time.perf_counter()
                products[stage.name] = _run(stage, request, products)
                seconds[stage.name] = time.perf_counter() - started
            if stage.name == until:
                break
        forget(product for product in products.values() if isinstance(product, Function))
    return Build(request, products, seconds)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Without Python's cyclic garbage collector: IR is many objects and no cycles, and each full run looks at them all
    (a third of the time that 2,000 statements in loops take)."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _run(stage: Stage, request: Request, products: Products) -> Any:
    try:
        return stage.run(request, products)
    except RecursionError:
        span = products["ir"].span if "ir" in products else None
        title = f"{request.function.__name__} has expressions or statements that are nested too deeply"
        help = "put parts of long expressions into variables, parts of the function into functions"
        raise CompileError([Diagnostic(title, span, help=help)]) from None


def written_params(function: Function) -> frozenset[int]:
    """Numbers of the parameters that `function` (without calls) writes into."""
    known = roots(function)
    targets = {root for i in walk(function.region) if i.op in ("store", "accumulate") for root in known[i.operands[1]]}
    return frozenset(k for k, param in enumerate(function.params) if param in targets)


def _verified(function: Function, request: Request) -> Function:
    return verify(function, request.ops)
