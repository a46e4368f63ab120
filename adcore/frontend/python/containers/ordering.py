"""Items in order: `sorted(items)`, `items.sort()`. Each exchange is a choice of the compiled program."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from adcore.frontend.python.control.branches import choose
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import Abstract, Constant, Items, Poison, is_scalar
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.scalars import compare

LONGEST_SORTED = 16
"""Sorting so many numbers takes n (n - 1) / 2 comparisons and twice as many choices."""


def in_order(
    scope: FunctionScope, node: ast.Call, items: Sequence[Abstract], key: Abstract, reverse: bool
) -> list[Abstract] | None:
    """The items by their keys, equal ones in the order that they had. None after an error."""
    plain = isinstance(key, Constant) and key.value is None
    if plain and all(isinstance(item, Constant) for item in items):
        values = sorted((item.value for item in items if isinstance(item, Constant)), reverse=reverse)
        return list(map(Constant, values))
    keys = list(items) if plain else [scope.apply(node, key, [item]) for item in items]
    for number in keys:
        if not is_scalar(number):
            if not isinstance(number, Poison):
                scope.error(node, f"sorted does not take {describe(number)}")
            return None
    before = ast.Gt if reverse else ast.Lt
    pairs = [Items((number, item)) for number, item in zip(keys, items, strict=True)]
    for end in range(1, len(pairs)):
        for k in range(end, 0, -1):
            pairs[k - 1], pairs[k] = _in_order(scope, node, pairs[k - 1], pairs[k], before)
    return [pair.items[1] for pair in pairs]


def _in_order(scope: FunctionScope, node: ast.Call, a: Items, b: Items, before: type[ast.cmpop]) -> tuple[Items, Items]:
    """Two items with their keys, exchanged if the second belongs before the first."""
    exchange = compare(scope, node, before, b.items[0], a.items[0])

    def chosen(x: Items, y: Items) -> Items:
        parts = zip(x.items, y.items, strict=True)
        return Items(tuple(choose(scope, exchange, lambda p=p: p, lambda q=q: q) for p, q in parts))  # type: ignore[misc]

    return chosen(b, a), chosen(a, b)
