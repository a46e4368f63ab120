"""Plots of a gradient's error: against the step of a difference, and by component."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from pytest_adalloc.report.page.pieces import drawing, figure, numbers, relative
from pytest_adalloc.report.reporting import Finding

NOISE = 1e-12  # smaller errors are rounding, and a picture of it says nothing
LEAST = 1e-16  # of a relative error, as it is drawn
WRONG = 1e-6  # errors above it are marked in the map, unless the check passed


def step_curve(found: Finding) -> str:
    """Error of a central difference over its step, with the gradient's own error as a line."""
    curve = found.get("errors", {}).get("curve")
    if not curve or len(curve["steps"]) < 3:
        return ""
    if max(each or 0.0 for each in curve["errors"]) <= LEAST:
        return ""  # exact with any step: there is nothing to see
    steps, errors = curve["steps"], [max(each or 0.0, LEAST) for each in curve["errors"]]
    off, sure = curve["off"], curve["sure"]
    decades = [math.log10(each) for each in (*errors, max(off or LEAST, LEAST))]
    low, high = math.floor(min(decades)), max(math.ceil(max(decades)), math.floor(min(decades)) + 1)
    left, right = math.log10(min(steps)), math.log10(max(steps))

    def x(step: float) -> float:
        return 46 + 284 * (math.log10(step) - left) / (right - left)

    def y(value: float) -> float:
        return 14 + 170 * (high - math.log10(max(value, LEAST))) / (high - low)

    inner = "".join(
        f'<path class="gr" d="M46 {y(10.0**k):.1f}H330"/><text x="41" y="{y(10.0**k) + 4:.1f}" text-anchor="end" '
        f'class="sm">1e{k}</text>'
        for k in range(low, high + 1, max(1, (high - low) // 5))
    )
    points = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in zip(steps, errors, strict=True))
    inner += f'<polyline points="{points}" fill="none" stroke="var(--p1)" stroke-width="2"/>'
    inner += "".join(
        f'<circle cx="{x(step):.1f}" cy="{y(value):.1f}" r="3" fill="var(--p1)"/>'
        for step, value in zip(steps, errors, strict=True)
    )
    wrong = found["verdict"] == "gradient wrong"
    colour, at = "fail" if wrong else "pass", y(off if off is not None else LEAST)
    label = f"the gradient: {relative(off)}"
    inner += (
        f'<path d="M46 {at:.1f}H330" stroke="var(--{colour})" stroke-width="2" stroke-dasharray="6 3"/>'
        f'<path d="m330 {at - 6:.1f} 6 6-6 6-6-6z" fill="var(--{colour})"/>'
        f'<text x="52" y="{at - 5 if at > 30 else at + 15:.1f}" style="fill:var(--{colour})">{label}</text>'
        f'<path class="ax" d="M46 14V184H330"/>{_step_labels(left, right)}'
        '<text x="330" y="216" text-anchor="end" class="sm">step size</text>'
    )
    best = min(zip(errors, steps, strict=True))
    says = (
        f"At {curve['component']}: differences come as near as {best[0]:.0e} with a step of {best[1]:.0e}; the "
        f"gradient is off by {relative(off)}. It is {curve['got']:.6g}, the reference {curve['expected']:.6g}"
    )
    says += f" (sure to {sure:.0e})." if sure else "."
    head = ("Step", "Error of the difference")
    data = numbers(
        "Error by step", head, [(f"{s:.1e}", relative(e)) for s, e in zip(steps, curve["errors"], strict=True)]
    )
    title = "Error of a difference against its step"
    return figure(title, drawing(340, 220, f"Curve in logarithmic axes. {says}", inner), says, data)


def _step_labels(left: float, right: float) -> str:
    first, last = math.ceil(left), math.floor(right)
    every = max(1, (last - first) // 4)
    return "".join(
        f'<text x="{46 + 284 * (k - left) / (right - left):.1f}" y="200" '
        f'text-anchor="{"end" if k > right - 0.3 else "middle"}">1e{k}</text>'
        for k in range(first, last + 1, every)
    )


def error_maps(found: Finding) -> str:
    """A map for each array whose errors vary."""
    maps = found.get("errors", {}).get("maps", ())
    return "".join(_map(each, found["verdict"] == "gradient wrong") for each in maps if _varies(each))


def _varies(each: dict[str, Any]) -> bool:
    cells = [cell for row in each["cells"] for cell in row]
    return len(cells) > 1 and len(set(cells)) > 1 and any(cell is None or cell > NOISE for cell in cells)


def _map(each: dict[str, Any], accused: bool) -> str:
    rows = each["cells"]
    if len(rows) == 1 and len(rows[0]) > 16:  # a long vector: in lines of sixteen
        rows = [rows[0][k : k + 16] for k in range(0, len(rows[0]), 16)]
    columns = max(map(len, rows))
    side = min(300 / columns, 300 / len(rows), 40)
    inner, bad = "", 0
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            value = math.inf if cell is None else cell
            wrong = accused and value > WRONG
            bad += wrong
            x, y = 30 + j * side, 18 + i * side
            gap = side * 0.06
            inner += (
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{side - gap:.1f}" height="{side - gap:.1f}" '
                f"{_shade(value, wrong)}><title>{relative(cell) or 'not finite'}</title></rect>"
            )
            if wrong and side > 6:
                a, b = side * 0.3, side * 0.35
                inner += (
                    f'<path d="M{x + a:.1f} {y + a:.1f}l{b:.1f} {b:.1f}m0-{b:.1f}l-{b:.1f} {b:.1f}" '
                    'stroke="var(--surface)" stroke-width="1.6" fill="none"/>'
                )
    inner += f'<text x="30" y="12" class="sm">{escape(each["argument"])}, shape {tuple(each["shape"])}</text>'
    worst = max((math.inf if cell is None else cell) for row in rows for cell in row)
    block = each["block"]
    cell = f"blocks of {block[0]} x {block[1]} components" if block != [1, 1] else "components"
    says = f"Errors over the largest slope, {cell}; the largest is {worst:.1e}. "
    says += f"{bad} of {sum(map(len, rows))} are above {WRONG:.0e}, with a cross." if accused else "Darker is larger."
    head = ("Row", *(str(j) for j in range(columns)))
    data = numbers("Errors", head, [(i, *map(relative, row)) for i, row in enumerate(rows)]) if columns <= 16 else ""
    title = f"Error of each component of {each['argument']}"
    height = int(24 + side * len(rows))
    return figure(title, drawing(340, height, f"Heat map. {says}", inner), says, data)


def _shade(value: float, wrong: bool) -> str:
    if wrong:
        return 'fill="var(--fail)"'
    depth = 0.12 if value <= 0 else min(0.9, max(0.15, 1.0 + math.log10(value) / 18))
    return f'fill="var(--p1)" fill-opacity="{depth:.2f}"'
