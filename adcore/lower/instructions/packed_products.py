"""The native code of a product of matrices: one function of the module for each element type and each kind of sum.

    c[i, j] += a[i, 0] b[0, j] + a[i, 1] b[1, j] + ...

The method is that of K. Goto and R. A. van de Geijn, "Anatomy of high-performance matrix multiplication" (ACM TOMS 34,
2008): a block of `a` and a panel of `b` are copied into contiguous memory, and a tile of `c`, as large as the registers
hold, takes its terms from there. Strides, transposed operands and edges are matters of the copy: beyond an edge it
holds zeros, and a tile that is cut off goes through a copy of its own. Nothing outside of the operands is touched.

Each element gets its terms one by one, in ascending order, whatever the sizes. A `free` sum may round a term only once,
together with its addition; otherwise product and sum are rounded each, as the program says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from adcore.ir.types import Scalar
from adcore.lower.descriptors import register
from adcore.lower.writer import LLVMModule, Writer


@dataclass(frozen=True)
class ProductShape:
    """How a product is cut up: `rows` by `vectors` of `lanes` elements are in registers, `terms` are added before they
    go back to memory, `block` rows of the left operand are packed at once."""

    element: Scalar
    lanes: int
    rows: int
    vectors: int
    terms: int
    block: int

    @property
    def columns(self) -> int:
        """Columns of a tile."""
        return self.lanes * self.vectors


def shape(element: Scalar, bits: int) -> ProductShape:
    """The shape for a machine whose vectors have `bits` bits: those with 512 have 32 of them, others at least 16."""
    lanes = bits // 8 // element.bytes
    if bits >= 512:
        return ProductShape(element, lanes, 8, 3, 256, 192)
    return ProductShape(element, lanes, 4, 3, 256, 128)


def packed_bytes(w: Writer, s: ProductShape, rows: str, terms: str) -> str:
    """The bytes that packed operands take at most, for that many rows and terms."""
    padded = w.let(f"and i64 {w.let(f'add i64 {rows}, {s.rows - 1}')}, {-s.rows}")
    block, depth = _least(w, padded, str(s.block)), _least(w, terms, str(s.terms))
    return w.mul(w.mul(w.add(block, str(s.columns)), depth), str(s.element.bytes))


@cache
def code(s: ProductShape) -> str:
    """An LLVM module with the function `name(s)` for products of shape `s`. It needs no optimisation.

    The function's parameters: base, row stride and column stride of target, left and right operand (strides in bytes;
    the rows of the right one are terms); rows, columns, terms; a factor of each operand; whether elements of the target
    start with the value that follows, and not with what they are; whether the sum is free; memory for `packed_bytes`.
    """
    module, ty, bits = LLVMModule(), register(s.element), 8 * s.lanes * s.element.bytes
    width = f'"prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}"'
    attributes = module.attributes(f'nounwind noinline "frame-pointer"="all" {width}')
    parts = (_Pack(module, s), _Tile(module, s, free=True), _Tile(module, s, free=False), _ProductCode(module, s))
    for part in parts:
        part.write()
        head = ", ".join(f"{ty if kind == 'T' else kind} %{parameter}" for kind, parameter in part.PARAMETERS)
        lines = ["entry:", *part.w.allocas.values(), "  br label %start", "start:", *part.w.lines, "  ret void", "}"]
        module.function("\n".join([f"define void @{part.NAME}.{s.element.name}({head}) {attributes} {{", *lines]))
    return module.text("")


def name(s: ProductShape) -> str:
    return f"{_ProductCode.NAME}.{s.element.name}"


def declaration(s: ProductShape) -> str:
    types = (register(s.element) if kind == "T" else kind for kind, _ in _ProductCode.PARAMETERS)
    return f"declare void @{name(s)}({', '.join(types)})"


class _Code:
    """Loops and addresses of one function. Views need not be aligned, not even to their elements."""

    NAME: str
    PARAMETERS: tuple[tuple[str, str], ...]

    def __init__(self, module: LLVMModule, s: ProductShape) -> None:
        self.module, self.shape, self.w = module, s, Writer()
        self.w.block = "start"
        self.type, self.size = register(s.element), s.element.bytes
        self.vector = f"<{s.lanes} x {self.type}>"

    @contextmanager
    def loop(self, hi: str, step: int = 1, lo: str = "0") -> Iterator[str]:
        """A loop from `lo` to below `hi`; its variable."""
        w = self.w
        before, head, body, after = w.block, w.fresh("head"), w.fresh("body"), w.fresh("after")
        w.jump(head)
        w.label(head)
        counter = w.phi("i64")
        counter.incoming(lo, before)
        w.branch(w.let(f"icmp slt i64 {counter.name}, {hi}"), body, after)
        w.label(body)
        yield counter.name
        counter.incoming(w.let(f"add nsw i64 {counter.name}, {step}"), w.block)
        self.back(head)
        w.label(after)

    def back(self, head: str) -> None:
        """Round again, as written: LLVM would spend its time on loops that are short or in vectors already."""
        facts = ('!{!"llvm.loop.vectorize.enable", i1 false}', '!{!"llvm.loop.unroll.disable"}')
        self.w.do(f"br label %{head}, !llvm.loop {self.module.distinct(*map(self.module.node, facts))}")

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        w = self.w
        then, after = w.fresh("then"), w.fresh("after")
        w.branch(condition, then, after)
        w.label(then)
        yield
        w.jump(after)
        w.label(after)

    def at(self, base: str, *steps: tuple[str, str]) -> str:
        """`base` and so many strides (in bytes) further."""
        for count, stride in steps:
            base = self.w.let(f"getelementptr i8, ptr {base}, i64 {self.w.mul(count, stride)}")
        return base

    def element(self, base: str, index: str) -> str:
        return self.w.let(f"getelementptr {self.type}, ptr {base}, i64 {index}")

    def load(self, address: str, type_: str = "") -> str:
        return self.w.let(f"load {type_ or self.type}, ptr {address}, align 1")

    def store(self, value: str, address: str, type_: str = "") -> None:
        self.w.do(f"store {type_ or self.type} {value}, ptr {address}, align 1")

    def mask(self, count: str, lanes: int) -> str:
        """The first `count` of `lanes` lanes."""
        w, ty = self.w, f"<{lanes} x i64>"
        first = w.let(f"insertelement {ty} poison, i64 {count}, i64 0")
        limit = w.let(f"shufflevector {ty} {first}, {ty} poison, <{lanes} x i32> zeroinitializer")
        return w.let(f"icmp slt {ty} <{', '.join(f'i64 {k}' for k in range(lanes))}>, {limit}")

    def masked_load(self, address: str, mask: str, lanes: int) -> str:
        """The lanes of the mask, others 0: what they stand for is not touched."""
        ty, suffix = f"<{lanes} x {self.type}>", f"v{lanes}f{8 * self.size}"
        self.module.function(f"declare {ty} @llvm.masked.load.{suffix}.p0(ptr, i32, <{lanes} x i1>, {ty})")
        given = f"ptr {address}, i32 1, <{lanes} x i1> {mask}, {ty} zeroinitializer"
        return self.w.let(f"call {ty} @llvm.masked.load.{suffix}.p0({given})")

    def masked_store(self, value: str, address: str, mask: str, lanes: int) -> None:
        ty, suffix = f"<{lanes} x {self.type}>", f"v{lanes}f{8 * self.size}"
        self.module.function(f"declare void @llvm.masked.store.{suffix}.p0({ty}, ptr, i32, <{lanes} x i1>)")
        given = f"{ty} {value}, ptr {address}, i32 1, <{lanes} x i1> {mask}"
        self.w.do(f"call void @llvm.masked.store.{suffix}.p0({given})")

    def splat(self, value: str, type_: str) -> str:
        w = self.w
        first = w.let(f"insertelement {type_} poison, {self.type} {value}, i64 0")
        count = type_.split()[0][1:]
        return w.let(f"shufflevector {type_} {first}, {type_} poison, <{count} x i32> zeroinitializer")


class _Pack(_Code):
    """`width` lanes side by side for each term: `lanes` of them from memory, times a factor; what fills the others up
    has no meaning, but is not slow to compute with."""

    NAME = "product.pack"
    PARAMETERS = (("ptr", "to"), ("i64", "width"), ("ptr", "from"), ("i64", "lane"), ("i64", "term"),
                  ("i64", "lanes"), ("i64", "terms"), ("T", "factor"))  # fmt: skip

    def __init__(self, module: LLVMModule, s: ProductShape) -> None:
        super().__init__(module, s)
        self.unit, self.vector = s.rows, f"<{s.rows} x {self.type}>"

    def write(self) -> None:
        w = self.w
        self.factor = self.splat("%factor", self.vector)
        by_lane = w.let(f"icmp eq i64 %lane, {self.size}")
        by_term = w.let(f"icmp eq i64 %term, {self.size}")
        squares = w.let(f"select i1 {by_term}, i64 {w.let(f'and i64 %terms, {-self.unit}')}, i64 0")
        with self.loop("%width", self.unit) as group:
            source, target = self.at("%from", (group, "%lane")), self.element("%to", group)
            left = w.let(f"sub i64 %lanes, {group}")
            some, none, along, across, full, cut, done = map(
                w.fresh, ("some", "none", "along", "across", "full", "cut", "done")
            )
            w.branch(w.let(f"icmp sgt i64 {left}, 0"), some, none)
            w.label(none)
            self.fill(target)
            w.jump(done)
            w.label(some)
            w.branch(by_lane, along, across)
            w.label(along)
            w.branch(w.let(f"icmp sge i64 {left}, {self.unit}"), full, cut)
            w.label(full)
            self.rows(source, target)
            w.jump(done)
            w.label(cut)
            self.rows(source, target, self.mask(left, self.unit))
            w.jump(done)
            w.label(across)
            lanes = self.lanes(source, left)
            self.squares(lanes, target, squares)
            self.single(lanes, target, squares)
            w.jump(done)
            w.label(done)

    def place(self, target: str, term: str) -> str:
        return self.element(target, self.w.mul(term, "%width"))

    def fill(self, target: str) -> None:
        """No lane is left. Whatever lies there could be slow: small integers are subnormal numbers."""
        with self.loop("%terms") as t:
            self.store("zeroinitializer", self.place(target, t), self.vector)

    def rows(self, source: str, target: str, mask: str = "") -> None:
        """Lanes are neighbours in memory."""
        with self.loop("%terms") as t:
            address = self.at(source, (t, "%term"))
            x = self.masked_load(address, mask, self.unit) if mask else self.load(address, self.vector)
            self.store(self.scaled(x), self.place(target, t), self.vector)

    def scaled(self, x: str) -> str:
        return self.w.let(f"fmul {self.vector} {x}, {self.factor}")

    def lanes(self, source: str, left: str) -> list[str]:
        """Where each lane begins; beyond the last, that one again."""
        last = self.w.let(f"sub i64 {left}, 1")
        return [self.at(source, (_least(self.w, last, str(k)), "%lane")) for k in range(self.unit)]

    def squares(self, lanes: Sequence[str], target: str, terms: str) -> None:
        """Terms are neighbours in memory: squares of them are transposed in registers."""
        with self.loop(terms, self.unit) as t:
            rows = [self.load(self.element(lane, t), self.vector) for lane in lanes]
            for k, x in enumerate(self.transposed(rows)):
                self.store(self.scaled(x), self.place(target, self.w.add(t, str(k))), self.vector)

    def transposed(self, rows: Sequence[str]) -> list[str]:
        """Interleaving the first half with the second transposes after log2(n) times."""
        w, n, current = self.w, self.unit, list(rows)
        halves = [[k // 2 + half + (n if k % 2 else 0) for k in range(n)] for half in (0, n // 2)]
        masks = [f"<{n} x i32> <{', '.join(f'i32 {k}' for k in half)}>" for half in halves]
        for _ in range(n.bit_length() - 1):
            current = [
                w.let(f"shufflevector {self.vector} {current[k]}, {self.vector} {current[k + n // 2]}, {mask}")
                for k in range(n // 2)
                for mask in masks
            ]
        return current

    def single(self, lanes: Sequence[str], target: str, start: str) -> None:
        """Term by term, from `start` on."""
        with self.loop("%terms", lo=start) as t:
            x = "poison"
            for k, lane in enumerate(lanes):
                element = self.load(self.at(lane, (t, "%term")))
                x = self.w.let(f"insertelement {self.vector} {x}, {self.type} {element}, i64 {k}")
            self.store(self.scaled(x), self.place(target, t), self.vector)


class _ProductCode(_Code):
    """Blocks of terms, blocks of rows, panels of columns, tiles."""

    NAME = "product"
    PARAMETERS = (("ptr", "c"), ("i64", "c.row"), ("i64", "c.column"), ("ptr", "a"), ("i64", "a.row"),
                  ("i64", "a.term"), ("ptr", "b"), ("i64", "b.term"), ("i64", "b.column"), ("i64", "rows"),
                  ("i64", "columns"), ("i64", "terms"), ("T", "a.factor"), ("T", "b.factor"), ("i1", "fresh"),
                  ("T", "initial"), ("i1", "free"), ("ptr", "packed"))  # fmt: skip

    def write(self) -> None:
        w, s = self.w, self.shape
        self.edge = w.alloca("edge", f"[{s.rows * s.columns} x {self.type}]", 64)
        self.straight = w.let(f"icmp eq i64 %c.column, {self.size}")
        more = w.let("call i64 @llvm.smax.i64(i64 %terms, i64 1)")  # without terms there is still a start
        self.module.function("declare i64 @llvm.smax.i64(i64, i64)")
        with self.loop(more, s.terms) as first:
            depth = _least(w, w.let(f"sub i64 %terms, {first}"), str(s.terms))
            self.fresh = w.let(f"and i1 %fresh, {w.let(f'icmp eq i64 {first}, 0')}")
            left = self.at("%a", (first, "%a.term"))
            right = self.at("%b", (first, "%b.term"))
            with self.loop("%rows", s.block) as top:
                height = _least(w, w.let(f"sub i64 %rows, {top}"), str(s.block))
                self.block(self.at(left, (top, "%a.row")), right, self.at("%c", (top, "%c.row")), height, depth)

    def block(self, left: str, right: str, target: str, height: str, depth: str) -> None:
        """One block of rows, of which all terms are packed, with all columns."""
        w, s = self.w, self.shape
        rows = self.element("%packed", w.mul(depth, str(s.columns)))
        with self.loop(height, s.rows) as i:
            count = _least(w, w.let(f"sub i64 {height}, {i}"), str(s.rows))
            to, source = self.element(rows, w.mul(i, depth)), self.at(left, (i, "%a.row"))
            self.packing(to, s.rows, source, "%a.row", "%a.term", count, depth, "%a.factor")
        with self.loop("%columns", s.columns) as j:
            width = _least(w, w.let(f"sub i64 %columns, {j}"), str(s.columns))
            source = self.at(right, (j, "%b.column"))
            self.packing("%packed", s.columns, source, "%b.column", "%b.term", width, depth, "%b.factor")
            with self.loop(height, s.rows) as i:
                count = _least(w, w.let(f"sub i64 {height}, {i}"), str(s.rows))
                place = self.at(target, (i, "%c.row"), (j, "%c.column"))
                self.tile(place, self.element(rows, w.mul(i, depth)), count, width, depth)

    def packing(
        self, to: str, width: int, source: str, lane: str, term: str, lanes: str, terms: str, factor: str
    ) -> None:
        given = f"ptr {to}, i64 {width}, ptr {source}, i64 {lane}, i64 {term}, i64 {lanes}, i64 {terms}"
        self.w.do(f"call void @{_Pack.NAME}.{self.shape.element.name}({given}, {self.type} {factor})")

    def tile(self, place: str, left: str, height: str, width: str, depth: str) -> None:
        """One tile, by way of a copy if it is cut off by an edge, or if its columns are apart."""
        w, s = self.w, self.shape
        whole = w.let(f"and i1 {w.let(f'icmp eq i64 {height}, {s.rows}')}, {self.straight}")
        whole = w.let(f"and i1 {whole}, {w.let(f'icmp eq i64 {width}, {s.columns}')}")
        cut = w.let(f"xor i1 {whole}, true")
        copied = w.let(f"and i1 {cut}, {w.let(f'xor i1 {self.fresh}, true')}")
        with self.when(copied):
            self.copy(place, height, width, out=False)
        base = w.let(f"select i1 {whole}, ptr {place}, ptr {self.edge}")
        stride = w.let(f"select i1 {whole}, i64 %c.row, i64 {s.columns * self.size}")
        given = f"ptr {base}, i64 {stride}, ptr %packed, ptr {left}, i64 {depth}, i1 {self.fresh}, {self.type} %initial"
        free, ordered, done = w.fresh("free"), w.fresh("ordered"), w.fresh("done")
        w.branch("%free", free, ordered)
        for label, name in ((free, _tile_name(free=True)), (ordered, _tile_name(free=False))):
            w.label(label)
            w.do(f"call void @{name}.{s.element.name}({given})")
            w.jump(done)
        w.label(done)
        with self.when(cut):
            self.copy(place, height, width, out=True)

    def copy(self, place: str, height: str, width: str, out: bool) -> None:
        """A tile that is cut off, from memory to its copy, or back."""
        w, s = self.w, self.shape
        straight, apart, done = w.fresh("straight"), w.fresh("apart"), w.fresh("done")
        w.branch(self.straight, straight, apart)
        w.label(straight)
        masks = [self.mask(w.let(f"sub i64 {width}, {v * s.lanes}"), s.lanes) for v in range(s.vectors)]
        with self.loop(height) as r:
            row, near = self.edge_row(place, r)
            for v, mask in enumerate(masks):
                there, here = self.element(row, str(v * s.lanes)), self.element(near, str(v * s.lanes))
                if out:
                    self.masked_store(self.load(here, self.vector), there, mask, s.lanes)
                else:
                    self.store(self.masked_load(there, mask, s.lanes), here, self.vector)
        w.jump(done)
        w.label(apart)
        with self.loop(height) as r:
            row, near = self.edge_row(place, r)
            with self.loop(width) as k:
                pair = self.at(row, (k, "%c.column")), self.element(near, k)
                source, target = reversed(pair) if out else pair
                self.store(self.load(source), target)
        w.jump(done)
        w.label(done)

    def edge_row(self, place: str, r: str) -> tuple[str, str]:
        """One row of a tile, and of the copy."""
        return self.at(place, (r, "%c.row")), self.element(self.edge, self.w.mul(r, str(self.shape.columns)))


def _tile_name(free: bool) -> str:
    return f"product.{'free' if free else 'ordered'}"


class _Tile(_Code):
    """All terms of a tile: its elements are in registers."""

    PARAMETERS = (("ptr", "c"), ("i64", "c.row"), ("ptr", "right"), ("ptr", "left"), ("i64", "terms"), ("i1", "fresh"),
                  ("T", "initial"))  # fmt: skip

    def __init__(self, module: LLVMModule, s: ProductShape, free: bool) -> None:
        super().__init__(module, s)
        self.free, self.NAME = free, _tile_name(free)

    def write(self) -> None:
        w, s = self.w, self.shape
        places = [
            w.let(f"getelementptr i8, ptr {row}, i64 {v * s.lanes * self.size}")
            for r in range(s.rows)
            for row in [self.at("%c", (str(r), "%c.row"))]
            for v in range(s.vectors)
        ]
        for value, address in zip(self.sums(self.begin(places)), places, strict=True):
            self.store(value, address, self.vector)

    def begin(self, places: Sequence[str]) -> list[str]:
        """What the sums start with."""
        w = self.w
        old, new, both = w.fresh("old"), w.fresh("new"), w.fresh("both")
        w.branch("%fresh", new, old)
        w.label(old)
        found = [self.load(address, self.vector) for address in places]
        w.jump(both)
        w.label(new)
        start = self.splat("%initial", self.vector)
        w.jump(both)
        w.label(both)
        phis = [w.phi(self.vector) for _ in places]
        for phi, value in zip(phis, found, strict=True):
            phi.incoming(value, old)
            phi.incoming(start, new)
        return [phi.name for phi in phis]

    def sums(self, start: Sequence[str]) -> list[str]:
        """What they are at the end."""
        w, s = self.w, self.shape
        before, head, body, after = w.block, w.fresh("head"), w.fresh("body"), w.fresh("after")
        w.jump(head)
        w.label(head)
        counter, sums = w.phi("i64"), [w.phi(self.vector) for _ in start]
        counter.incoming("0", before)
        for phi, value in zip(sums, start, strict=True):
            phi.incoming(value, before)
        w.branch(w.let(f"icmp slt i64 {counter.name}, %terms"), body, after)
        w.label(body)
        near = self.element("%right", w.mul(counter.name, str(s.columns)))
        vectors = [self.load(self.element(near, str(v * s.lanes)), self.vector) for v in range(s.vectors)]
        column = self.element("%left", w.mul(counter.name, str(s.rows)))
        for r in range(s.rows):
            factor = self.splat(self.load(self.element(column, str(r))), self.vector)
            for v in range(s.vectors):
                phi = sums[r * s.vectors + v]
                phi.incoming(self.term(phi.name, factor, vectors[v]), w.block)
        counter.incoming(w.let(f"add nsw i64 {counter.name}, 1"), w.block)
        self.back(head)
        w.label(after)
        return [phi.name for phi in sums]

    def term(self, total: str, a: str, b: str) -> str:
        w, ty = self.w, self.vector
        if not self.free:
            return w.let(f"fadd {ty} {total}, {w.let(f'fmul {ty} {a}, {b}')}")
        name = f"llvm.fmuladd.v{self.shape.lanes}f{8 * self.size}"
        self.module.function(f"declare {ty} @{name}({ty}, {ty}, {ty})")
        return w.let(f"call {ty} @{name}({ty} {a}, {ty} {b}, {ty} {total})")


def _least(w: Writer, a: str, b: str) -> str:
    return w.let(f"select i1 {w.let(f'icmp slt i64 {a}, {b}')}, i64 {a}, i64 {b}")
