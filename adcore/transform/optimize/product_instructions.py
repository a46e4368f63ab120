"""Nests that are products of matrices, and marked as worth it, become one instruction each.

    for 0, %n [product=True, step=1] {
    (%i: i64):
      for 0, %m [step=1] {
      (%j: i64):
        for 0, %k [step=1] {
        (%l: i64):
          %x: f64 = load %a, %i, %l
          %y: f64 = load %b, %l, %j
          %z: f64 = mul %x, %y
          accumulate %z, %c, %i, %j
          yield
        }
        yield
      }
      yield
    }
->
    product %c, %a, %b, 0, %n, 0, %m, 0, %k [factors=((), ()), free=True, start=None, subscripts=('i,j', 'i,k', 'k,j')]

`product_separation` has marked them, `adcore.analysis.products` knows them. This comes last, as what the loops of a
nest compute is seen best in loops; the instruction is for targets that have code for it, and its expansion is the nest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.products import product_nests
from adcore.ir.core import Function, Instr, Region
from adcore.ops import Table
from adcore.ops.products import Product, instruction


def emit_products(function: Function, ops: Table, groups: Sequence[Sequence[int]] = ()) -> Function:
    """The function with such instructions; `groups` are the positions of parameters that may share memory."""
    nests = product_nests(function, ops, AliasClasses(tuple(tuple(group) for group in groups)))
    return function.with_region(_replaced(function.region, nests)) if nests else function


def _replaced(region: Region, nests: Mapping[Instr, Product]) -> Region:
    body = []
    for instr in region.body:
        product = nests.get(instr)
        if product is not None:
            body.append(replace(instruction(product), span=instr.span))
        else:
            body.append(instr.with_regions(tuple(_replaced(nested, nests) for nested in instr.regions)))
    return region.with_body(body)
