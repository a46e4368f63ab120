"""How the workspace of a check went over the commits of a baseline file."""

from __future__ import annotations

from html import escape

from pytest_adalloc.report.page.pieces import drawing, figure, numbers
from pytest_adalloc.report.reporting import Finding


def over_commits(found: Finding) -> str:
    """A step line; empty where nothing ever changed."""
    told = [tuple(each) for each in found.get("history", ())]
    if found["workspace_bytes"] is not None and told:
        told.append(("now", found["workspace_bytes"]))
    sizes = [size for _, size in told]
    if len(set(sizes)) < 2:
        return ""
    largest, step = max(sizes) or 1, 320 / len(sizes)
    heights = [20 + 100 * (1 - size / largest) for size in sizes]
    path = f"M10 {heights[0]:.1f}" + "".join(f"V{y:.1f}H{10 + (k + 1) * step:.1f}" for k, y in enumerate(heights))
    colour = "fail" if sizes[-1] > sizes[-2] else "pass" if sizes[-1] < sizes[-2] else "p1"
    said = f"From {told[0][0]} to {told[-1][0]}: {', '.join(f'{size:,}' for size in sizes)} bytes."
    inner = (
        f'<path d="{path}" fill="none" stroke="var(--{colour})" stroke-width="2.5"/><path class="ax" d="M10 122H330"/>'
        f'<text x="10" y="12">up to {largest:,} bytes</text><text x="10" y="137">{escape(told[0][0])}</text>'
        f'<text x="330" y="137" text-anchor="end">{escape(told[-1][0])}</text>'
    )
    data = numbers("Workspace by commit", ("Commit", "Bytes"), [(commit, f"{size:,}") for commit, size in told])
    return figure("Bytes kept, over the baseline's commits", drawing(340, 142, f"Step line. {said}", inner), said, data)
