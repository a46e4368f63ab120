"""What all plots share: a drawing with its text alternative, a sentence, and the numbers as a table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def drawing(width: int, height: int, alternative: str, inner: str) -> str:
    """An SVG that fills its column up to a readable size."""
    label = escape(alternative, quote=True)
    return f'<svg class="p" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{inner}</svg>'


def figure(title: str, picture: str, said: str, data: str = "", wide: bool = False) -> str:
    """A plot with its sentence, and its numbers as a table."""
    more = f'<details class="data"><summary>The same as a table</summary>{data}</details>' if data else ""
    style = ' class="wide"' if wide else ""
    return f"<figure{style}><h4>{escape(title)}</h4>{picture}<figcaption>{escape(said)}</figcaption>{more}</figure>"


def numbers(caption: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table that scrolls by itself where it is wide."""
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in row) + "</tr>" for row in rows)
    said = escape(caption, quote=True)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{said}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def relative(value: float | None) -> str:
    """An error, empty where it is no number."""
    return "" if value is None else "0" if value == 0 else f"{value:.1e}"
