"""Forward mode: every instruction on active values is followed by its tangent.

    y = mul a, b      ->      y = mul a, b;  dy = a * db + b * da

Nothing is stored and nothing is allocated beyond the shadows of the program's own local arrays.
Griewank & Walther, Evaluating Derivatives (2008), section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcore.analysis.activity import Activity, activity
from adcore.analysis.dependence import AliasClasses, Dependence
from adcore.analysis.structure import structure
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.types import ArrayType, is_float
from adcore.ops import Table
from adcore.ops.rules import tangent


def forward(
    function: Function,
    kinds: Sequence[str],
    ops: Table,
    aliases: AliasClasses | None = None,
) -> Function:
    """The tangent function of `function`.

    `kinds` says per parameter: "const", "active" (a scalar with a tangent) or "duplicated" (an array or list with a
    shadow that holds its tangent on entry, and on exit). Parameters of the new function: those of `function`, then one
    of the same type per parameter that is not constant. Results: those of `function`, then the tangents of the float
    results (scalars and arrays), zero where they do not depend on anything that varies.
    """
    dependence = Dependence(structure(function), aliases or AliasClasses())
    varied = [p for p, kind in zip(function.params, kinds, strict=True) if kind != "const"]
    outputs = [r for r in function.results if is_float(r.type)]
    arrays = [r for r in function.results if not is_float(r.type)]
    visible = [p for p, kind in zip(function.params, kinds, strict=True) if kind == "duplicated"]
    active = activity(dependence, ops, varied, [*outputs, *arrays], visible)
    return _Forward(dependence, active, kinds, ops).run(function)


class _Forward:
    """Rebuilds a function with tangents; primal values keep their identity."""

    def __init__(self, dependence: Dependence, active: Activity, kinds: Sequence[str], ops: Table) -> None:
        self.dependence, self.active, self.kinds, self.ops = dependence, active, kinds, ops
        self.builder = Builder(ops)
        self.tangents: dict[Value, Value] = {}

    def run(self, function: Function) -> Function:
        params = []
        for param, kind in zip(function.params, self.kinds, strict=True):
            if kind != "const":
                params.append(Value(param.type, f"d_{param.hint}"))
                self.tangents[param] = params[-1]
        self.hidden_shadows(function)
        self.region(function.region)
        results = [self.result(r) for r in function.results if is_float(r.type) or isinstance(r.type, ArrayType)]
        region = self.builder.finish((*function.params, *params), (*function.results, *results))
        return Function(f"{function.name}_forward", region, function.span)

    def hidden_shadows(self, function: Function) -> None:
        """Constant arrays that carry derivatives in between get a shadow of their own."""
        for param in function.params:
            if param in self.active.roots and param not in self.tangents:
                assert isinstance(param.type, ArrayType), "a list of arrays that is written needs a shadow"
                dims = [self.builder.emit("dim", param, axis=k) for k in range(param.type.rank)]
                self.tangents[param] = self.allocate(param, dims, param.type.element.name)

    def allocate(self, array: Value, dims: Sequence[Value], element: str) -> Value:
        hint = f"d_{array.hint}"
        return self.builder.emit("alloc", *dims, element=element, zero=True, role="shadow", hint=hint)

    def result(self, value: Value) -> Value:
        if is_float(value.type):
            return self.tangent(value)
        if self.dependence.root(value) in self.active.roots:
            return self.shadow(value)
        assert isinstance(value.type, ArrayType)
        dims = [self.builder.emit("dim", value, axis=k) for k in range(value.type.rank)]
        return self.allocate(value, dims, value.type.element.name)

    def tangent(self, value: Value) -> Value:
        """The tangent of a scalar; zero if it does not vary."""
        if value in self.active.values and value in self.tangents:
            return self.tangents[value]
        number = 0.0
        return self.builder.const(number, value.type)  # type: ignore[arg-type]

    def shadow(self, array: Value) -> Value:
        """The shadow of an array, through the same views; made where the array is."""
        if array in self.tangents:
            return self.tangents[array]
        instr = self.dependence.structure.definition[array]
        base = self.shadow(instr.operands[0])
        return self.builder.emit(instr.op, base, *instr.operands[1:], **instr.attrs)

    def region(self, region: Region) -> None:
        for instr in region.body:
            self.builder.span = instr.span
            handle = {"for": self.structured, "while": self.structured, "if": self.structured}.get(instr.op)
            if handle is not None:
                handle(instr)
                continue
            self.builder.append(instr)
            self.instr(instr)

    def instr(self, instr: Instr) -> None:
        """The tangent of an instruction that stands already."""
        b = self.builder
        if instr.op == "load":
            if instr.result in self.active.values and self.dependence.root(instr.operands[0]) in self.active.roots:
                self.tangents[instr.result] = b.emit("load", self.shadow(instr.operands[0]), *instr.operands[1:])
        elif instr.op in ("store", "accumulate"):
            value, array, *index = instr.operands
            if self.dependence.root(array) in self.active.roots:
                b.emit_many(instr.op, (self.tangent(value), self.shadow(array), *index), {})
        elif instr.op == "alloc":
            if instr.result in self.active.roots:
                self.tangents[instr.result] = self.allocate(instr.result, instr.operands, instr.attrs["element"])
        elif instr.results and instr.result in self.active.values:
            directions = [self.tangents[v] if v in self.tangents and v in self.active.values else None
                          for v in instr.operands]  # fmt: skip
            if any(d is not None for d in directions):
                op = self.ops[instr.op]
                result = tangent(b, op, instr.operands, instr.result, directions, instr.attrs)
                self.tangents[instr.result] = result

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
            inits = [self.tangent(instr.operands[fixed + k]) for k in carried]
        regions = tuple(self.nested(instr, region, carried) for region in instr.regions)
        tangents = [Value(instr.results[k].type, f"d_{instr.results[k].hint}") for k in carried]
        results = (*instr.results[:count], *tangents, *instr.results[count:])
        self.builder.append(Instr(instr.op, (*instr.operands, *inits), results, instr.attrs, regions, instr.span))
        self.tangents.update({instr.results[k]: t for k, t in zip(carried, tangents, strict=True)})

    def nested(self, instr: Instr, region: Region, carried: list[int]) -> Region:
        extra = []
        if instr.op != "if":
            extra = [Value(region.params[k + 1].type, f"d_{region.params[k + 1].hint}") for k in carried]
            self.tangents.update({region.params[k + 1]: t for k, t in zip(carried, extra, strict=True)})
        saved = dict(self.tangents)
        with self.builder.region((*region.params, *extra)) as opened:
            self.region(region)
            is_condition = instr.op == "while" and region is instr.regions[0]
            yielded = [] if is_condition else [self.tangent(region.yields[k]) for k in carried]
            opened.yields = (*region.yields, *yielded)
        self.tangents = saved
        return opened.region
