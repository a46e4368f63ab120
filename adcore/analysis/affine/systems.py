"""Systems of integer equalities and inequalities over affine forms: has one a solution, what is left of one without
some of its unknowns, and a few of its solutions. The arithmetic under the dependence test.

Fourier-Motzkin elimination over the integers: rows are divided by the gcd of their coefficients and their bounds
rounded, equalities with a unit coefficient are substituted, and unknowns whose elimination is exact go first
(W. Pugh, "The Omega test: a fast and practical integer programming algorithm for dependence analysis",
Supercomputing 1991; its splinters are not needed, as "may be feasible" is a safe answer).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import gcd

from adcore.analysis.affine.forms import Atom, Form, plus, scaled
from adcore.machine_model import MODEL

Constraint = tuple[Form, bool]
"""A form that is zero (True) or not negative (False)."""

Vectors = dict[tuple[int, ...], int]
"""Inequalities `coefficients * unknowns + bound >= 0`, the strictest bound of each direction."""


def feasible(equalities: Iterable[Form], inequalities: Iterable[Form]) -> bool:
    """False only if no integer point satisfies every `form == 0` and `form >= 0` (gcd test, substitution of unit
    coefficients, Fourier-Motzkin with tightened rows; Pugh 1991 describes the tightening)."""
    rows = substitute(list(equalities), list(inequalities))
    if rows is None:
        return False
    places = {atom: k for k, atom in enumerate(dict.fromkeys(a for row in rows for a in row if a != 1))}
    vectors: Vectors = {}
    for row in rows:
        vector = [0] * len(places)
        for atom, coefficient in row.items():
            if atom != 1:
                vector[places[atom]] = coefficient
        if not _add(vectors, vector, row.get(1, 0)):
            return False
    while vectors:
        if len(vectors) > MODEL.most_rows:
            return True
        left = _without(vectors, _next(vectors))
        if left is None:
            return False
        vectors = left
    return True


def _add(vectors: Vectors, coefficients: Sequence[int], bound: int) -> bool:
    """Put a row in, divided by the gcd of its coefficients, the bound rounded down: valid for integers. False if it is
    violated, by itself or together with its opposite."""
    divisor = gcd(*coefficients)
    if divisor == 0:
        return bound >= 0
    if divisor > 1:
        coefficients = [c // divisor for c in coefficients]
        bound //= divisor
    key = tuple(coefficients)
    if vectors.get(key, bound + 1) <= bound:
        return True
    vectors[key] = bound
    return vectors.get(tuple([-c for c in coefficients]), -bound) + bound >= 0


def _next(vectors: Vectors) -> int:
    """The unknown to eliminate: one whose elimination is exact over the integers, if there is any; of those the one
    that leaves the fewest rows."""
    best, least = 0, (2, 0)
    for k, column in enumerate(zip(*vectors, strict=True)):
        above, below = [c for c in column if c > 0], [c for c in column if c < 0]
        if above or below:
            inexact = max(above, default=1) > 1 and min(below, default=-1) < -1
            rank = (int(inexact), len(above) * len(below) - len(above) - len(below))
            if rank < least:
                best, least = k, rank
    return best


def _without(vectors: Vectors, k: int) -> Vectors | None:
    """The rows after eliminating unknown `k`; None if one of them is violated."""
    left: Vectors = {}
    lower: list[tuple[tuple[int, ...], int]] = []
    upper: list[tuple[tuple[int, ...], int]] = []
    for vector, bound in vectors.items():
        if vector[k] == 0:
            left[vector] = bound
        else:
            (lower if vector[k] > 0 else upper).append((vector, bound))
    for low, low_bound in lower:
        a = low[k]
        for high, high_bound in upper:
            b = -high[k]
            vector = tuple([b * x + a * y for x, y in zip(low, high, strict=True)])
            if not _add(left, vector, b * low_bound + a * high_bound):
                return None
    return left


def substitute(equalities: list[Form], inequalities: list[Form]) -> list[Form] | None:
    """Inequalities that follow after the equalities were used up; None if an equality has no integer solution."""
    while equalities:
        row = equalities.pop()
        atoms = [atom for atom in row if atom != 1]
        if not atoms:
            if row.get(1, 0):
                return None
            continue
        divisor = gcd(*[row[atom] for atom in atoms])
        if row.get(1, 0) % divisor:
            return None
        if divisor > 1:
            row = {atom: c // divisor for atom, c in row.items()}
        unit = next((atom for atom in atoms if abs(row[atom]) == 1), None)
        if unit is None:
            inequalities += [row, scaled(row, -1)]
            continue
        solution = scaled({a: c for a, c in row.items() if a != unit}, -row[unit])
        equalities = [_replace(form, unit, solution) for form in equalities]
        inequalities = [_replace(form, unit, solution) for form in inequalities]
    return inequalities


def _replace(form: Form, atom: Atom, solution: Form) -> Form:
    if atom not in form:
        return form
    rest = {a: c for a, c in form.items() if a != atom}
    return plus(rest, solution, form[atom])


def connected(rows: Sequence[Form], start: Iterable[Form]) -> list[Form]:
    """The rows that say something, directly or through others, about the atoms of `start`; the rest (bounds of loops
    that the subscripts do not mention) cannot be violated by them."""
    atoms = {a for form in start for a in form if a != 1}
    left, kept = rows, list[Form]()
    while True:
        touching = [row for row in left if not atoms.isdisjoint(row)]
        if not touching:
            return kept
        kept += touching
        left = [row for row in left if atoms.isdisjoint(row)]
        atoms.update(a for row in touching for a in row if a != 1)


def project(rows: Sequence[Constraint], removable: Callable[[Atom], bool]) -> list[Constraint] | None:
    """What `rows` say about the other atoms, without those that are removable and can be removed *exactly*: the
    integer solutions left are those that extend to solutions of all rows. None if there are none.

    Exact are an equality with a unit coefficient, and Fourier-Motzkin where all lower or all upper bounds have one.
    """
    equalities = [form for form, is_equality in rows if is_equality]
    inequalities = [form for form, is_equality in rows if not is_equality]
    candidates = dict.fromkeys(a for form, _ in rows for a in form if a != 1 and removable(a))
    removed = True
    while removed:
        removed = False
        for atom in list(candidates):
            defining = next((form for form in equalities if abs(form.get(atom, 0)) == 1), None)
            if defining is not None:
                solution = scaled({a: c for a, c in defining.items() if a != atom}, -defining[atom])
                equalities = [_replace(form, atom, solution) for form in equalities if form is not defining]
                inequalities = [_replace(form, atom, solution) for form in inequalities]
            elif any(atom in form for form in equalities) or (rest := _exactly_without(inequalities, atom)) is None:
                continue
            else:
                inequalities = rest
            del candidates[atom]
            removed = True
    return _decided(equalities, inequalities)


def _exactly_without(inequalities: list[Form], atom: Atom) -> list[Form] | None:
    lower = [form for form in inequalities if form.get(atom, 0) > 0]
    upper = [form for form in inequalities if form.get(atom, 0) < 0]
    units = all(form[atom] == 1 for form in lower) or all(form[atom] == -1 for form in upper)
    if not units or len(lower) * len(upper) > MODEL.most_new_rows:
        return None
    kept = [form for form in inequalities if atom not in form]
    return kept + [plus(scaled(low, -high[atom]), high, low[atom]) for low in lower for high in upper]


def _decided(equalities: Sequence[Form], inequalities: Sequence[Form]) -> list[Constraint] | None:
    """Without rows that always hold, of parallel ones the strictest; None if one is violated."""
    strictest: dict[frozenset[tuple[Atom, int]], int] = {}
    for form in inequalities:
        divisor = gcd(*[c for a, c in form.items() if a != 1])
        bound = form.get(1, 0)
        if divisor == 0:
            if bound < 0:
                return None
            continue
        key = frozenset((a, c // divisor) for a, c in form.items() if a != 1)
        strictest[key] = min(strictest.get(key, bound // divisor), bound // divisor)
    rows: list[Constraint] = []
    for form in equalities:
        if any(a != 1 for a in form):
            rows.append((form, True))
        elif form.get(1, 0):
            return None
    return rows + [({**dict(key), 1: bound} if bound else dict(key), False) for key, bound in strictest.items()]


def some_solutions(
    rows: Sequence[Constraint], atoms: Sequence[Atom], known: Callable[[Atom], int]
) -> list[tuple[int, ...]]:
    """Values of `atoms`, in order, that satisfy all rows, the other atoms being as `known`: all of them where there
    are few, otherwise a part."""
    place = {atom: k for k, atom in enumerate(atoms)}
    bounding: list[list[tuple[int, list[tuple[int, int]], int, bool]]] = [[] for _ in atoms]
    for form, is_equality in rows:
        fixed = sum(c * (1 if a == 1 else known(a)) for a, c in form.items() if a not in place)
        terms = sorted((place[a], c) for a, c in form.items() if a in place)
        if terms:
            last, coefficient = terms.pop()
            bounding[last].append((coefficient, terms, fixed, is_equality))
        elif fixed < 0 or (is_equality and fixed):
            return []
    points: list[tuple[int, ...]] = [()]
    for bounds in bounding:
        points = [(*point, value) for point in points for value in _values(bounds, point)]
        if len(points) > MODEL.most_tried_points:
            points = points[:: -(-len(points) // MODEL.most_tried_points)]
    return points


def _values(bounds: Sequence[tuple[int, list[tuple[int, int]], int, bool]], point: Sequence[int]) -> Sequence[int]:
    low: int | None = None
    high: int | None = None
    for coefficient, terms, rest, is_equality in bounds:
        for k, c in terms:
            rest += c * point[k]
        if is_equality and rest % coefficient:
            return ()
        if is_equality or coefficient > 0:
            least = -rest // coefficient if is_equality else -(rest // coefficient)
            low = least if low is None or least > low else low
        if is_equality or coefficient < 0:
            most = -rest // coefficient if is_equality else rest // -coefficient
            high = most if high is None or most < high else high
    if low is None:
        low = 0 if high is None else high - MODEL.most_tried_values + 1
    if high is None:
        high = low + MODEL.most_tried_values - 1
    if high - low < MODEL.most_tried_values:
        return range(low, high + 1)
    return (*range(low, low + MODEL.most_tried_values // 2), *range(high - MODEL.most_tried_values // 2 + 1, high + 1))
