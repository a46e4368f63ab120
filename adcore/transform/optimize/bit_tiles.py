"""Loops that put truth values into bits, or take them from there, do so a tile at a time, so that they run in vectors.

    for i in 0 .. n: kept[i] = x[i] > 0      ->      for each 512 of them:
                                                         for i in those: tile[i - first] = x[i] > 0
                                                         for each 8 of them: pack a byte of kept

Eight iterations write to one byte of packed memory, each of them all of it: in that form they depend on each other, and
no two run at once. A tile has a byte for each iteration; packing costs a few instructions for eight. This comes after
all other passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adcore.analysis.affine.forms import affine_of, known, plus
from adcore.analysis.structure import structure_of
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, walk
from adcore.ir.types import I64, ArrayType
from adcore.machine_model import MODEL
from adcore.ops import Table


def tile_bits(function: Function, ops: Table) -> Function:
    """An equivalent function whose innermost loops touch packed arrays a tile at a time."""
    operands = (v for instr in walk(function.region) for v in instr.operands)
    if not any(isinstance(v.type, ArrayType) and v.type.layout == "P" for v in operands):
        return function
    return function.with_region(_Tiler(function, ops).region(function.region))


@dataclass(frozen=True, eq=False)
class _PackedRow:
    """A row of a packed array that a loop runs along: its subscripts but the last, and whether it is stored to."""

    array: Value
    subscripts: tuple[Value, ...]
    stored: bool


class _Tiler:
    def __init__(self, function: Function, ops: Table) -> None:
        self.structure, self.affine = structure_of(function, ops), affine_of(function, ops)
        self.ops = ops

    def region(self, region: Region) -> Region:
        body: list[Instr] = []
        for instr in region.body:
            if not instr.regions:
                body.append(instr)
            elif rows := self.rows(instr):
                body += self.tiled(instr, rows)
            else:
                body.append(instr.with_regions(tuple(self.region(r) for r in instr.regions)))
        return region.with_body(body)

    def rows(self, loop: Instr) -> list[_PackedRow]:
        """The packed rows along which an innermost `for` runs from their start, one iteration a truth value; none if it
        touches packed arrays in any other way."""
        if loop.op != "for" or loop.attrs["step"] != 1 or self.is_short(loop):
            return []
        found: dict[Value, _PackedRow] = {}
        for instr in walk(loop.regions[0]):
            effects = self.ops.effects[instr.op]
            if instr.op in ("for", "while") or effects.ordered:
                return []
            packed = any(isinstance(v.type, ArrayType) and v.type.layout == "P" for v in instr.operands)
            if not packed:
                continue
            if instr.op not in self.ops.elements:
                return []
            array, (*outer, last) = self.ops.array(instr), self.ops.subscripts(instr)
            row = _PackedRow(array, tuple(outer), instr.op in self.ops.stores)
            before = found.setdefault(array, row)
            same = before.subscripts == row.subscripts and before.stored == row.stored
            if not same or not self.counts(last, loop) or not all(self.is_fixed(v, loop) for v in outer):
                return []
        return list(found.values()) if len(found) <= MODEL.most_bit_tiles else []

    def counts(self, index: Value, loop: Instr) -> bool:
        """Whether `index` is the number of the iteration."""
        counter, lo = self.affine.form(loop.regions[0].params[0]), self.affine.form(loop.operands[0])
        form = self.affine.form(index)
        return known(plus(plus(form, counter, -1), lo)) == 0

    def is_short(self, loop: Instr) -> bool:
        """Whether it is known that a tile is not worth its while."""
        iterations = known(plus(self.affine.form(loop.operands[1]), self.affine.form(loop.operands[0]), -1))
        return iterations is not None and iterations < MODEL.short_bit_loop

    def is_fixed(self, value: Value, loop: Instr) -> bool:
        return not self.structure.inside(self.structure.home[value], loop.regions[0])

    def tiled(self, loop: Instr, rows: Sequence[_PackedRow]) -> list[Instr]:
        """A loop over tiles around `loop`, and what it needs before it."""
        b, (body,), (lo, hi) = Builder(self.ops), loop.regions, loop.operands[:2]
        b.span = loop.span
        size, eight, zero = b.const(MODEL.bit_tile), b.const(8), b.const(0)
        iterations = b.emit("maximum", b.emit("sub", hi, lo, exact=True), zero)
        tiles = self.rounded(b, iterations, size)
        number, carried = Value(I64, "tile"), [Value(p.type, p.hint) for p in body.params[1:]]
        with b.region((number, *carried)) as around:
            done = b.emit("mul", number, size, exact=True)
            first = b.emit("add", lo, done, exact=True)
            last = b.emit("minimum", hi, b.emit("add", first, size, exact=True))
            octets = self.rounded(b, b.emit("sub", last, first, exact=True), eight)
            start = b.emit("mul", number, b.const(MODEL.bit_tile // 8), exact=True)
            # Zero, because iterations may leave their place as it is, and packing takes 0 or 1.
            buffers = {
                row.array: b.emit("alloc", size, element="bool", zero=row.stored, role="tile", hint="tile")
                for row in rows
            }
            self.between(b, "unpack", [row for row in rows if not row.stored], buffers, start, octets)
            inner = self.inner(loop, buffers, first)
            results = b.emit_many("for", (first, last, *carried), loop.attrs, (inner,), [v.type for v in carried])
            self.between(b, "pack", [row for row in rows if row.stored], buffers, start, octets)
            around.yields = results
        operands = (zero, tiles, *loop.operands[2:])
        b.append(Instr("for", operands, loop.results, loop.attrs, (around.region,), loop.span))
        return list(b.finish((), ()).body)

    def rounded(self, b: Builder, count: Value, unit: Value) -> Value:
        """How many of `unit` it takes for `count`."""
        more = b.emit("sub", b.emit("add", count, unit, exact=True), b.const(1), exact=True)
        return b.emit("floordiv", more, unit, exact=True)

    def between(
        self, b: Builder, op: str, rows: Sequence[_PackedRow], buffers: dict[Value, Value], start: Value, octets: Value
    ) -> None:
        """Move `octets` bytes, from number `start` on, between rows and their tiles."""
        for row in rows:
            octet = Value(I64, "octet")
            with b.region((octet,)) as opened:
                there = (row.array, *row.subscripts, b.emit("add", start, octet, exact=True))
                b.emit_many(op, (buffers[row.array], octet, *there), {})
            b.emit_many("for", (b.const(0), octets), {"step": 1}, (opened.region,), ())

    def inner(self, loop: Instr, buffers: dict[Value, Value], first: Value) -> Region:
        """The body of `loop` with its tiles in the place of packed rows."""
        b = Builder(self.ops)
        (body,) = loop.regions
        b.span = loop.span
        place = b.emit("sub", body.params[0], first, exact=True)
        opened = self.replaced(body, buffers, place)
        return opened.with_body((*b.finish((), ()).body, *opened.body))

    def replaced(self, region: Region, buffers: dict[Value, Value], place: Value) -> Region:
        body = []
        for instr in region.body:
            tile = buffers.get(self.ops.array(instr)) if instr.op in self.ops.elements else None
            if tile is not None:
                instr = self.ops.redirected(instr, tile, (place,))
            elif instr.regions:
                instr = instr.with_regions(tuple(self.replaced(r, buffers, place) for r in instr.regions))
            body.append(instr)
        return region.with_body(body)
