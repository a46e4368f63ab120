"""Forward mode: every instruction on active values is followed by its tangent.

    func @f(%x: f64, %y: f64) -> (f64) {
      %z: f64 = mul %x, %y
      %w: f64 = sin %z
      return %w
    }
->
    func @f_forward(%x: f64, %y: f64, %d_x: f64, %d_y: f64) -> (f64, f64) {
      %z: f64 = mul %x, %y
      %0: f64 = mul %y, %d_x
      %1: f64 = mul %x, %d_y
      %2: f64 = add %0, %1
      %w: f64 = sin %z
      %3: f64 = cos %z
      %4: f64 = mul %3, %2
      return %w, %4
    }

Nothing is stored and nothing is allocated beyond the shadows of the program's own local arrays.
Several tangents (`width`) share one primal evaluation and the partial derivatives, which simplification finds equal:
vector forward mode. Griewank & Walther, Evaluating Derivatives (2008), sections 3.1 and 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcore.analysis.activity import ActivityFacts, activity, record_kind
from adcore.analysis.affine.dependence import AliasClasses, Dependence, dependence_of
from adcore.analysis.strong_zeros import singular_of
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.types import ArrayType, Scalar, is_float
from adcore.ops import Table
from adcore.ops.rules import tangent
from adcore.transform.expansion import in_elements

Lanes = tuple[Value, ...]
"""One value per tangent."""


def forward(
    function: Function,
    kinds: Sequence[str],
    ops: Table,
    aliases: AliasClasses | None = None,
    width: int = 1,
) -> Function:
    """The tangent function of `function`.

    `kinds` says per parameter: "const", "active" (a scalar with a tangent) or "duplicated" (an array or list with a
    shadow that holds its tangent on entry, and on exit). Parameters of the new function: those of `function`, then
    `width` of the same type per parameter that is not constant. Results: those of `function`, then `width` tangents per
    float result (scalars and arrays), zero where it does not depend on anything that varies.
    """
    function = in_elements(function, ops)
    dependence = dependence_of(function, ops, aliases or AliasClasses())
    varied = [p for p, kind in zip(function.params, kinds, strict=True) if kind != "const"]
    outputs = [r for r in function.results if is_float(r.type)]
    arrays = [r for r in function.results if not is_float(r.type)]
    visible = [p for p, kind in zip(function.params, kinds, strict=True) if kind == "duplicated"]
    active = activity(dependence, ops, varied, [*outputs, *arrays], visible)
    return _TangentBuilder(dependence, active, kinds, ops, width).run(function)


class _TangentBuilder:
    """Rebuilds a function with tangents; primal values keep their identity."""

    def __init__(
        self, dependence: Dependence, active: ActivityFacts, kinds: Sequence[str], ops: Table, width: int
    ) -> None:
        self.dependence, self.active, self.kinds, self.ops = dependence, active, kinds, ops
        self.width = width
        self.strong = singular_of(dependence.structure.function, ops)
        self.builder = Builder(ops)
        self.tangents: dict[Value, Lanes] = {}
        # Records of one kind are alike: those that are popped with tangents must all be pushed with them.
        self.recorded: dict[str, set[int]] = {}
        for instr in dependence.structure.instructions():
            if instr.op == "pop":
                moving = {k for k, v in enumerate(instr.results) if v in active.values}
                self.recorded.setdefault(record_kind(instr), set()).update(moving)

    def run(self, function: Function) -> Function:
        params: list[Value] = []
        for param, kind in zip(function.params, self.kinds, strict=True):
            if kind != "const":
                self.tangents[param] = self.fresh(param)
                params += self.tangents[param]
        self.hidden_shadows(function)
        self.region(function.region)
        results = [r for r in function.results if is_float(r.type) or isinstance(r.type, ArrayType)]
        tangents = [t for r in results for t in self.result(r)]
        region = self.builder.finish((*function.params, *params), (*function.results, *tangents))
        return Function(f"{function.name}_forward", region, function.span)

    def fresh(self, value: Value) -> Lanes:
        return tuple(Value(value.type, f"d_{value.hint}") for _ in range(self.width))

    def hidden_shadows(self, function: Function) -> None:
        """Constant arrays that carry derivatives in between get a shadow of their own."""
        for param in function.params:
            if param in self.active.roots and param not in self.tangents:
                assert isinstance(param.type, ArrayType), "a list of arrays that is written needs a shadow"
                dims = [self.builder.emit("dim", param, axis=k) for k in range(param.type.rank)]
                self.tangents[param] = self.allocate(param, dims, param.type.element.name)

    def allocate(self, array: Value, dims: Sequence[Value], element: str) -> Lanes:
        how = {"element": element, "zero": True, "role": "shadow"}
        hint = f"d_{array.hint}"
        return tuple(self.builder.emit("alloc", *dims, hint=hint, **how) for _ in range(self.width))

    def result(self, value: Value) -> Lanes:
        if is_float(value.type):
            return self.tangent(value)
        if self.dependence.root(value) in self.active.roots:
            return self.shadow(value)
        assert isinstance(value.type, ArrayType)
        dims = [self.builder.emit("dim", value, axis=k) for k in range(value.type.rank)]
        return self.allocate(value, dims, value.type.element.name)

    def tangent(self, value: Value) -> Lanes:
        """The tangents of a scalar; zero if it does not vary."""
        if value in self.active.values and value in self.tangents:
            return self.tangents[value]
        assert isinstance(value.type, Scalar)
        return (self.builder.const(0.0, value.type),) * self.width

    def shadow(self, array: Value) -> Lanes:
        """The shadows of an array, through the same views; made where the array is."""
        if array in self.tangents:
            return self.tangents[array]
        instr = self.dependence.structure.definition[array]
        bases = self.shadow(instr.operands[self.ops.views[instr.op].source])
        return tuple(self.builder.emit(instr.op, *self.ops.view_of(instr, base), **instr.attrs) for base in bases)

    def region(self, region: Region) -> None:
        for instr in region.body:
            self.builder.span = instr.span
            handle = self.structured if instr.regions else None
            if instr.op in ("push", "pop"):
                handle = self.record
            if handle is not None:
                handle(instr)
                continue
            self.builder.append(instr)
            self.instr(instr)

    def instr(self, instr: Instr) -> None:
        """The tangents of an instruction that stands already."""
        b, ops = self.builder, self.ops
        if instr.op in ops.elements:
            array, index = ops.array(instr), ops.subscripts(instr)
            if self.dependence.root(array) not in self.active.roots:
                return
            if instr.op in ops.puts:
                what = "store" if instr.op in ops.stores else "accumulate"
                for term, shadow in zip(self.tangent(ops.stored(instr)), self.shadow(array), strict=True):
                    b.emit_many(what, (term, shadow, *index), {})
            elif instr.result in self.active.values:
                self.tangents[instr.result] = tuple(b.emit("load", s, *index) for s in self.shadow(array))
        elif instr.op in ops.allocs:
            if instr.result in self.active.roots:
                self.tangents[instr.result] = self.allocate(instr.result, instr.operands, instr.attrs["element"])
        elif instr.results and instr.result in self.active.values:
            varying = [v if v in self.tangents and v in self.active.values else None for v in instr.operands]
            if any(v is not None for v in varying):
                self.tangents[instr.result] = tuple(self.lane(instr, varying, k) for k in range(self.width))

    def lane(self, instr: Instr, varying: Sequence[Value | None], k: int) -> Value:
        """Tangent number `k` of a scalar instruction."""
        directions = [None if v is None else self.tangents[v][k] for v in varying]
        op, strong = self.ops[instr.op], instr in self.strong
        return tangent(self.builder, op, instr.operands, instr.result, directions, instr.attrs, strong)

    def record(self, instr: Instr) -> None:
        """A record of the stack, with the tangents of its fields beside them."""
        fields = sorted(self.recorded.get(record_kind(instr), ()))
        if instr.op == "push":
            tangents = [t for k in fields for t in self.tangent(instr.operands[k])]
            self.builder.emit_many("push", (*instr.operands, *tangents), {})
            return
        lanes = [self.fresh(instr.results[k]) for k in fields]
        flat = [t for own in lanes for t in own]
        types = (*instr.attrs["types"], *(str(t.type) for t in flat))
        self.builder.append(Instr("pop", (), (*instr.results, *flat), {"types": types}, (), instr.span))
        self.tangents.update({instr.results[k]: own for k, own in zip(fields, lanes, strict=True)})

    def structured(self, instr: Instr) -> None:
        """Active carried values and results come with their tangents."""
        count = len(instr.regions[-1].yields)
        fixed = len(instr.operands) - count
        if instr.op == "if":
            carried = [k for k, r in enumerate(instr.results) if r in self.active.values]
            inits: list[Value] = []
        else:
            carried = [k for k in range(count) if instr.regions[-1].params[k + 1] in self.active.values
                       or instr.results[k] in self.active.values]  # fmt: skip
            inits = [t for k in carried for t in self.tangent(instr.operands[fixed + k])]
        regions = tuple(self.nested(instr, region, carried) for region in instr.regions)
        tangents = [self.fresh(instr.results[k]) for k in carried]
        flat = tuple(t for lanes in tangents for t in lanes)
        results = (*instr.results[:count], *flat, *instr.results[count:])
        self.builder.append(Instr(instr.op, (*instr.operands, *inits), results, instr.attrs, regions, instr.span))
        self.tangents.update({instr.results[k]: t for k, t in zip(carried, tangents, strict=True)})

    def nested(self, instr: Instr, region: Region, carried: list[int]) -> Region:
        extra: list[Value] = []
        if instr.op != "if":
            for k in carried:
                self.tangents[region.params[k + 1]] = self.fresh(region.params[k + 1])
                extra += self.tangents[region.params[k + 1]]
        saved = dict(self.tangents)
        with self.builder.region((*region.params, *extra)) as opened:
            self.region(region)
            is_condition = instr.op == "while" and region is instr.regions[0]
            yielded = [] if is_condition else [t for k in carried for t in self.tangent(region.yields[k])]
            opened.yields = (*region.yields, *yielded)
        self.tangents = saved
        return opened.region
