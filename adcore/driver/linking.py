"""From a build to a kernel: its object code loaded, its frame laid out, its faults named."""

from __future__ import annotations

from adcore.driver import inspection
from adcore.driver.pipeline import ARTIFACT, GRADIENT, LOWERED, SIMPLIFIED, Build
from adcore.ir.core import Function, walk
from adcore.lower.roots import roots
from adcore.runtime import allocator
from adcore.runtime import linker as jit
from adcore.runtime.calls import Kernel
from adcore.runtime.linker import Loaded


def link(build: Build) -> Kernel:
    """The kernel of a build, loaded and known to observers of allocations."""
    lowered, function = build.product(LOWERED), build.product(GRADIENT)
    code = load(build, {})
    name = build.request.function.__name__
    kernel = Kernel(code[lowered.name], lowered.layout, lowered.faults, name, written_params(function), code)
    inspection.rows_of(build, kernel.name, build.product(SIMPLIFIED).span, code)
    return kernel


def load(build: Build, replaced: dict[str, int]) -> Loaded:
    """The object code of a build in memory once more; imports are at the addresses in `replaced`, or the usual ones."""
    lowered, artifact = build.product(LOWERED), build.product(ARTIFACT)
    # Callers may want the address of the entry, and of what calls malloc.
    sites = [site.symbol for site in lowered.allocation_sites]
    entries = [lowered.name, *(symbol for symbol in sites if symbol in artifact.symbols)]
    # From outside come the functions of the user's rules and, if need be, the allocator.
    natives = {symbol: native.address for symbol, native in lowered.natives.items()}
    imports = {**allocator.entries(), **natives} if sites else natives
    return jit.load(artifact.object_code, entries, {**imports, **replaced})


def written_params(function: Function) -> frozenset[int]:
    """Numbers of the parameters that `function` (without calls) writes into."""
    known = roots(function)
    targets = {root for i in walk(function.region) if i.op in ("store", "accumulate") for root in known[i.operands[1]]}
    return frozenset(k for k, param in enumerate(function.params) if param in targets)


__all__ = ["link", "load", "written_params"]
