"""IR to LLVM IR, as text.

    %t: f64 = for %lo, %hi, %s [step=1] {      ->     %v1 = icmp slt i64 LO, HI
    (%i: i64, %acc: f64):                             br i1 %v1, label %before2, label %after4
      %x: f64 = load %a, %i                         before2: ...
      %n: f64 = add %acc, %x                        body3:
      yield %n                                        %v5 = phi i64 [LO, %before2], [%v9, %body3]
    }                                                 ...

Control flow becomes blocks and phis. Arrays never exist at run time: their base, dims and strides are LLVM values, and
whatever is constant among them stays a literal. Failing checks branch to cold blocks that give everything back and
return the number of the fault.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from adcore.abi.faults import Fault
from adcore.abi.frame import FrameLayout
from adcore.abi.messages import MessageSite
from adcore.ir.core import Function, Instr, walk
from adcore.lower import vector_math as vectormath
from adcore.lower.aliasing import Aliasing
from adcore.lower.emitter import LLVMEmitter
from adcore.lower.instructions.checks import lower_check, lower_index
from adcore.lower.instructions.control_flow import lower_for, lower_if, lower_while
from adcore.lower.instructions.frame_words import parameter, store_result
from adcore.lower.instructions.memory_access import (
    lower_accumulate,
    lower_alloc,
    lower_count,
    lower_dim,
    lower_item,
    lower_load,
    lower_pack,
    lower_pop,
    lower_push,
    lower_store,
    lower_transpose,
    lower_unpack,
    lower_view,
)
from adcore.lower.instructions.messages import begin_messages, lower_message
from adcore.lower.instructions.product_calls import lower_product
from adcore.lower.kernel_memory import AllocationSite, Storage, SweepPart, WorkspaceKind
from adcore.lower.kernel_text import definition
from adcore.lower.outlining import Pieces
from adcore.lower.region_lowering import Handler, Lowering
from adcore.lower.vector_math import VectorMath
from adcore.lower.vector_width import preferred_bits
from adcore.lower.writer import LLVMModule, Writer
from adcore.machine_model import MODEL
from adcore.ops import TABLE, Table
from adcore.ops.define import Native


@dataclass(frozen=True)
class Lowered:
    """LLVM IR of one native entry, and what its caller must know.

    Status k > 0 of the entry means `faults[k - 1]`. `allocation_sites` are the functions of the object that call
    malloc. `natives` are functions outside that the user's rules call, by symbol. `ready` are modules with functions
    that it calls and that need no optimisation. `pieces` are the functions that a long kernel consists of. Message
    number k > 0 among those that it leaves is `messages[k - 1]`.
    """

    text: str
    name: str
    layout: FrameLayout
    faults: tuple[Fault, ...] = ()
    allocation_sites: tuple[AllocationSite, ...] = ()
    uses_workspace: bool = False
    natives: Mapping[str, Native] = field(default_factory=dict)
    ready: tuple[str, ...] = ()
    pieces: tuple[str, ...] = ()
    messages: tuple[MessageSite, ...] = ()


def lower(
    function: Function,
    *,
    name: str = "kernel",
    alias_groups: tuple[tuple[int, ...], ...] = (),
    workspace: WorkspaceKind = "arena",
    fastmath: bool | str = False,
    stack_limit: int = 16384,
    ops: Table = TABLE,
    parallel: Collection[Instr] = (),
    vector_math: VectorMath | None = None,
    part: SweepPart = "whole",
    limit: int | None = None,
    piece_lines: int = MODEL.piece_lines,
    polls: bool = True,
) -> Lowered:
    """LLVM IR for `function`, which contains no calls, as an entry `name` over a frame (see `adcore.abi.frame`).

    Parameters in one of the `alias_groups` (parameter numbers) may overlap in memory; all others are disjoint.
    `parallel` are loops whose iterations are proved not to depend on each other through memory. `vector_math`
    defaults to the host's. `part`: of a pair of sweeps, see `adcore.abi.frame`. `limit`: bytes that may be kept at
    any moment; the kernel reports a WorkspaceError before it would keep more. `piece_lines`: the least lines of a
    piece with loops in it, where a long kernel is cut (see `adcore.lower.outlining`). `polls`: whether `while` loops
    ask Python for signals, by a function that whoever loads the object has to name.
    """
    module, writer = LLVMModule(), Writer()
    pieces = Pieces(writer, function.region, piece_lines)
    emitter = LLVMEmitter(module, writer, pieces, vector_math if vector_math is not None else vectormath.host())
    storage = Storage(emitter, name, workspace, stack_limit, part, limit)
    aliasing = Aliasing(function, ops, alias_groups, module, frozenset(parallel), handed=part == "reverse")
    lowering = Lowering(emitter, storage, aliasing, ops, fastmath, HANDLERS)
    left = max((len(i.operands) - 1 for i in walk(function.region) if i.op == "check"), default=0)
    params, results = ([v.type for v in values] for values in (function.params, function.results))
    layout = FrameLayout.of(params, results, left, any(i.op == "message" for i in walk(function.region)))
    emitter.detail_word, emitter.polls = layout.detail_word, polls
    _whole(lowering, function, layout)
    width = preferred_bits(function, emitter.vector_math, fastmath)
    text, names = definition(name, emitter, storage, width)
    faults, sites = tuple(emitter.faults), tuple(storage.sites)
    ready = tuple(module.ready)
    return Lowered(
        module.text(text), name, layout, faults, sites, storage.uses_arena, emitter.natives, ready, names,
        tuple(emitter.messages),
    )  # fmt: skip


def _whole(lowering: Lowering, function: Function, layout: FrameLayout) -> None:
    """Read the parameters, run the body, write the results, leave."""
    w = lowering.writer
    for value, slot in zip(function.params, layout.param_slots, strict=True):
        first = len(w.lines)
        operand = lowering.values[value] = parameter(lowering, value, slot)
        lowering.emitter.pieces.read_again(value, operand, w.lines[first:])
    begin_messages(lowering, layout)
    lowering.region(function.region, outermost=True)
    for value, slot in zip(function.results, layout.result_slots, strict=True):
        store_result(lowering, value, slot)
    lowering.storage.suspend()
    lowering.end_piece()
    lowering.emitter.pieces.end()


HANDLERS: Mapping[str, Handler] = {
    "for": lower_for,
    "while": lower_while,
    "if": lower_if,
    "load": lower_load,
    "store": lower_store,
    "accumulate": lower_accumulate,
    "pack": lower_pack,
    "unpack": lower_unpack,
    "dim": lower_dim,
    "view": lower_view,
    "transpose": lower_transpose,
    "alloc": lower_alloc,
    "item": lower_item,
    "count": lower_count,
    "index": lower_index,
    "check": lower_check,
    "message": lower_message,
    "push": lower_push,
    "pop": lower_pop,
    "product": lower_product,
}
"""Ops with native code that is no formula over LLVM's instructions; for others the op's definition says it."""
