"""Loops and branches as blocks and phis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adcore.abi.faults import INTERRUPTED, POLL, Fault
from adcore.ir.core import Instr, Region, Value, walk
from adcore.lower.descriptors import component_types
from adcore.lower.emitter import UNLIKELY
from adcore.lower.instructions.carried_values import differences, extrema
from adcore.lower.region_lowering import Lowering
from adcore.lower.vector_width import is_one_chain
from adcore.lower.writer import Phi, Writer


def _phis(w: Writer, values: Sequence[Value]) -> list[Phi]:
    return [w.phi(ty) for value in values for ty in component_types(value.type)]


def _flow(phis: Sequence[Phi], texts: Sequence[str], block: str) -> None:
    for phi, text in zip(phis, texts, strict=True):
        phi.incoming(text, block)


def _names(phis: Sequence[Phi]) -> list[str]:
    return [phi.name for phi in phis]


def lower_if(lowering: Lowering, instr: Instr, region: Region) -> None:
    """Both branches, and phis where they meet."""
    w = lowering.writer
    labels, after = (w.fresh("then"), w.fresh("else")), w.fresh("after")
    w.branch(lowering.text(instr.operands[0]), *labels)
    arrivals = []
    for label, region in zip(labels, instr.regions, strict=True):
        w.label(label)
        lowering.region(region)
        arrivals.append((lowering.components(region.yields), w.block))
        w.jump(after)
    w.label(after)
    phis = _phis(w, instr.results)
    for texts, block in arrivals:
        _flow(phis, texts, block)
    lowering.bind(instr.results, _names(phis))


def lower_for(lowering: Lowering, instr: Instr, region: Region) -> None:
    """A guarded loop whose test is at its end.

    With a step of 1 or -1 the loop variable itself is compared with a bound; otherwise iterations are counted, so
    that no value beyond the range is ever formed.
    """
    w, (body,) = lowering.writer, instr.regions
    lo, hi = lowering.texts(instr.operands[:2])
    step, reverse = instr.attrs["step"], bool(instr.attrs.get("reverse", False))
    running, negated = extrema(instr), differences(instr) if lowering.plain_mode == "" else {}
    lowering.extrema.update(running.values())
    lowering.negated.update(negated.values())
    initial = [
        text
        for k, value in enumerate(instr.operands[2:])
        for text in ([_negated(lowering, value)] if k in negated else lowering.components([value]))
    ]
    before, inside, after = w.fresh("before"), w.fresh("body"), w.fresh("after")
    w.branch(w.let(f"icmp {'slt' if step > 0 else 'sgt'} i64 {lo}, {hi}"), before, after)
    guard = w.block
    w.label(before)
    variable = _Variable(w, *_ends(w, lo, hi, step, reverse), step, reverse)
    w.jump(inside)
    w.label(inside)
    name = variable.begin(before)
    phis = _phis(w, instr.operands[2:])
    _flow(phis, initial, before)
    lowering.bind(body.params, [name, *_names(phis)])
    group, vector_calls = _open_group(lowering, instr), lowering.emitter.vector_calls
    lowering.region(body)
    if group:
        lowering.aliasing.open_groups.pop()
    texts, latch = lowering.components(body.yields), w.block
    again = variable.advance()
    _flow(phis, texts, latch)
    one_chain = is_one_chain(instr, lowering.plain_mode == "fast") and lowering.emitter.vector_calls == vector_calls
    w.branch(again, inside, after, _loop_facts(lowering, group, one_chain))
    w.label(after)
    results = _phis(w, instr.results)
    _flow(results, initial, guard)
    _flow(results, texts, latch)
    lowering.bind(instr.results, _names(results))
    for k in negated:
        lowering.values[instr.results[k]] = _negated(lowering, instr.results[k])
    for k in running:
        _keep_initial_nan(lowering, instr.operands[2 + k], instr.results[k])


@dataclass
class _Variable:
    """The variable of a `for`, with the counter that some steps need; `last` is what the test compares with."""

    writer: Writer
    start: str
    last: str
    step: int
    reverse: bool

    def begin(self, before: str) -> str:
        """Its phis; the name of its value."""
        self.value = self.writer.phi("i64")
        self.counter = self.writer.phi("i64") if abs(self.step) != 1 else None
        self.value.incoming(self.start, before)
        if self.counter is not None:
            self.counter.incoming("0", before)
        return self.value.name

    def advance(self) -> str:
        """Step on, at the end of the loop; the condition to go round again."""
        w, increment = self.writer, -self.step if self.reverse else self.step
        following = w.let(f"add nsw i64 {self.value.name}, {increment}")
        self.value.incoming(following, w.block)
        if self.counter is not None:
            self.counter.incoming(w.let(f"add nuw i64 {self.counter.name}, 1"), w.block)
            return w.let(f"icmp ult i64 {self.counter.name}, {self.last}")
        compared = self.value.name if self.reverse else following
        return w.let(f"icmp {'sgt' if increment < 0 else 'slt'} i64 {compared}, {self.last}")


def _negated(lowering: Lowering, value: Value) -> str:
    return lowering.writer.let(f"fneg {component_types(value.type)[0]} {lowering.text(value)}")


def _keep_initial_nan(lowering: Lowering, initial: Value, result: Value) -> None:
    w, ty = lowering.writer, component_types(result.type)[0]
    start, end = lowering.text(initial), lowering.text(result)
    is_nan = w.let(f"fcmp uno {ty} {start}, {start}")
    lowering.values[result] = w.let(f"select i1 {is_nan}, {ty} {start}, {ty} {end}")


def _ends(w: Writer, lo: str, hi: str, step: int, reverse: bool) -> tuple[str, str]:
    """First value of the loop variable, and what the test at the end compares with.

    The arithmetic wraps on purpose: only values inside the range are formed, whatever the bounds.
    """
    if abs(step) == 1:
        return (w.let(f"sub i64 {hi}, {step}"), lo) if reverse else (lo, hi)
    distance = w.let(f"sub i64 {hi}, {lo}") if step > 0 else w.let(f"sub i64 {lo}, {hi}")
    beyond_first = w.let(f"udiv i64 {w.let(f'sub i64 {distance}, 1')}, {abs(step)}")
    if not reverse:
        return lo, beyond_first
    return w.let(f"add i64 {lo}, {w.let(f'mul i64 {beyond_first}, {step}')}"), beyond_first


def _open_group(lowering: Lowering, instr: Instr) -> str:
    """An access group for a loop that is proved parallel; empty for others."""
    if instr not in lowering.aliasing.parallel:
        return ""
    lowering.aliasing.open_groups.append(lowering.emitter.module.group())
    return lowering.aliasing.open_groups[-1]


def _loop_facts(lowering: Lowering, group: str, one_chain: bool) -> str:
    """What LLVM is told of a loop. `one_chain`: additions in the user's order wait for each other, so that more vectors
    in an iteration gain nothing, and are compiled for as long again."""
    module, facts = lowering.emitter.module, []
    if group:
        facts.append(module.node(f'!{{!"llvm.loop.parallel_accesses", {group}}}'))
    if one_chain:
        facts.append(module.node('!{!"llvm.loop.interleave.count", i32 1}'))
    return f", !llvm.loop {module.distinct(*facts)}" if facts else ""


def lower_while(lowering: Lowering, instr: Instr, region: Region) -> None:
    """The condition at the top, a counter of iterations beside the carried values."""
    w, (condition, body) = lowering.writer, instr.regions
    initial = lowering.components(instr.operands)
    before, test, inside, after = w.block, w.fresh("test"), w.fresh("body"), w.fresh("after")
    w.jump(test)
    w.label(test)
    counter, phis = w.phi("i64"), _phis(w, instr.operands)
    poll = _Poll(lowering, instr, before) if lowering.emitter.polls else None
    counter.incoming("0", before)
    _flow(phis, initial, before)
    names = [counter.name, *_names(phis)]
    lowering.bind(condition.params, names)
    lowering.region(condition)
    w.branch(lowering.text(condition.yields[0]), inside, after)
    w.label(inside)
    lowering.bind(body.params, names)
    lowering.region(body)
    texts = lowering.components(body.yields)
    following = w.let(f"add nuw nsw i64 {counter.name}, 1")
    if poll is not None:
        poll.again(following)
    counter.incoming(following, w.block)
    _flow(phis, texts, w.block)
    w.jump(test)
    w.label(after)
    lowering.bind(instr.results, [*names[1:], counter.name])


class _Poll:
    """Now and then a `while` asks whether a signal has arrived: it may never end by itself.

    Two numbers go round with the loop: the iteration after which it asks, and how many it waits from then on. The
    answer is how many these shall be: as many as some milliseconds take. Memory is as it was, for LLVM: what a handler
    of the user's writes into arrays meanwhile need not be seen before the call ends.
    """

    def __init__(self, lowering: Lowering, instr: Instr, before: str) -> None:
        self._lowering, self._instr, w = lowering, instr, lowering.writer
        loops = any(inner.op in ("for", "while") for region in instr.regions for inner in walk(region))
        first = FEW_ITERATIONS if loops else MANY_ITERATIONS
        self._due, self._wait = w.phi("i64"), w.phi("i64")
        for phi in (self._due, self._wait):
            phi.incoming(str(first), before)

    def again(self, iterations: str) -> None:
        """At the end of the body, after so many iterations."""
        w, emitter = self._lowering.writer, self._lowering.emitter
        ask, onwards = w.fresh("ask"), w.fresh("onwards")
        asks = w.let(f"icmp eq i64 {iterations}, {self._due.name}")
        quiet = w.block
        w.branch(asks, ask, onwards, f", !prof {emitter.module.node(UNLIKELY)}")
        w.label(ask)
        emitter.module.function(f"declare i64 @{POLL}(i64)")
        attributes = emitter.module.attributes("nounwind memory(inaccessiblemem: readwrite)")
        wait = w.let(f"call i64 @{POLL}(i64 {self._wait.name}) {attributes}")
        emitter.leave_if(w.let(f"icmp eq i64 {wait}, 0"), Fault(INTERRUPTED, "", self._instr.span))
        due = w.let(f"add i64 {iterations}, {wait}")
        asked = w.block
        w.jump(onwards)
        w.label(onwards)
        for phi, new in ((self._due, due), (self._wait, wait)):
            merged = w.phi("i64")
            merged.incoming(phi.name, quiet)
            merged.incoming(new, asked)
            phi.incoming(merged.name, w.block)


FEW_ITERATIONS, MANY_ITERATIONS = 16, 4096
"""Iterations before a loop first asks: of loops with others inside, and of those without."""
