"""One check on the page: a card for what is not met, a row in the list, and the evidence behind both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from pytest_adalloc.report.findings import QUIET, many
from pytest_adalloc.report.page.pieces import relative
from pytest_adalloc.report.page.plots import plots
from pytest_adalloc.report.page.source import source_view
from pytest_adalloc.report.reporting import Finding

SHAPES = {"pass": "✓", "fail": "✗", "expected": "○"}
WORST = ("fail", "expected", "pass")

MOST_FIGURES = 4  # lines of a message that a card repeats; the whole of it is in the list
_DRAWN = re.compile(r"\s*(\d+ +)?\||\s*(= |-->|\^)")

TO_DO = {
    "gradient wrong": "look at the term that belongs to the component that is named",
    "allocates": "write into arrays that the caller provides, or allow it with max_allocs=",
    "workspace too large": "change the line that destroys the value, or allow it with max_workspace=",
    "not deterministic": "pass what changes as an argument, or seed it in the call",
    "kink": "move the point: there is no gradient there",
    "edge of the domain": "move the point, or say where the domain ends with domain=",
    "cannot compile": "write it as the message says, or pass grad= to check a gradient made elsewhere",
    "too slow": "see what is kept and computed again, or raise max_ratio=",
    "not proven": 'prove="report" accepts it and says so',
}


def state(found: Finding, expected: bool) -> str:
    """Met, not met, or not met as the test expects."""
    return "pass" if found["verdict"] in QUIET else "expected" if expected else "fail"


def card(number: int, found: Finding, how: str) -> str:
    """A check that is not met: the answers first, then the lines, then the plots."""
    what, *rest = (found["message"] or found["headline"]).splitlines() or [""]
    figures = [line.strip() for line in rest if line.strip() and not _DRAWN.match(line)][:MOST_FIGURES]
    reasons = [line.partition("= note: ")[2] for line in rest if "= note: " in line][:MOST_FIGURES]
    advice = re.findall(r"^\s*= help: (.*)$", found["message"], re.MULTILINE)
    answers = {
        "What": "<br>".join(map(escape, [what, *figures])),
        **({"Why": "<br>".join(map(escape, reasons))} if reasons else {}),
        "Where": f"<code>{escape(_place(found))}</code>",
        "What to do": escape("; ".join(advice) or TO_DO.get(found["verdict"], "read the message below")),
    }
    listed = "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>" for name, text in answers.items())
    return (
        f'<article class="card" id="failure-{number}"><h3><span class="fail">{SHAPES[how]} '
        f'{escape(found["verdict"])}</span> <a href="#check-{number}">{escape(found["test"])}</a></h3>'
        f'<dl class="answers">{listed}</dl>{source_view(found)}{plots(found)}</article>'
    )


def row(number: int, found: Finding, how: str, brief: bool) -> str:
    """A check as an item of the list, which opens on its evidence."""
    return (
        f'<li data-t="{escape(found["test"].lower(), quote=True)}" data-v="{how}" '
        f'data-bytes="{found["workspace_bytes"] or 0}" data-allocs="{found["allocs"] or 0}" '
        f'data-seconds="{found.get("seconds") or 0:.4f}"><details id="check-{number}"><summary>'
        f"{_summary(found, how)}</summary>{_body(found, how, brief)}</details></li>"
    )


def group(name: str, members: Sequence[tuple[int, Finding, str]], brief: bool) -> str:
    """All cases of one parametrised test in one item."""
    hows = [how for _, _, how in members]
    worst = next(how for how in WORST if how in hows)
    counts = ", ".join(f"{hows.count(how)} {text}" for how, text in _WORDS.items() if how in hows)
    inner = "".join(row(number, found, how, brief) for number, found, how in members)
    every = [found for _, found, _ in members]
    largest = max((found["workspace_bytes"] or 0 for found in every), default=0)
    allocs = sum(found["allocs"] or 0 for found in every)
    seconds = sum(found.get("seconds") or 0 for found in every)
    texts = " ".join(found["test"].lower() for found in every)
    return (
        f'<li data-t="{escape(texts, quote=True)}" data-v="{" ".join(dict.fromkeys(hows))}" data-bytes="{largest}" '
        f'data-allocs="{allocs}" data-seconds="{seconds:.4f}"><details><summary><span class="row">'
        f'<span class="{_colour(worst)}">{SHAPES[worst]} {many(len(members), "case")}</span>'
        f'<span class="code">{escape(name)}</span><span class="small muted" style="grid-column:span 4">{counts}</span>'
        f'</span></summary><div class="body"><ul class="list">{inner}</ul></div></details></li>'
    )


_WORDS = {"pass": "met", "fail": "not met", "expected": "not met as expected"}


def _colour(how: str) -> str:
    return {"pass": "pass", "fail": "fail", "expected": "muted"}[how]


def _summary(found: Finding, how: str) -> str:
    expected = " (expected)" if how == "expected" else ""
    allocs = "" if found["allocs_per_call"] is None else f"{found['allocs_per_call']:,}"
    kept = "" if found["workspace_bytes"] is None else f"{found['workspace_bytes']:,}"
    error = relative(found["max_error"])
    took = f"{1e3 * found['seconds']:.0f} ms" if found.get("seconds") else ""
    cells = (("allocations a call", allocs), ("bytes kept", kept), ("error", error), ("time", took))
    numbers = "".join(
        f'<span class="n"><span class="words">{words}: </span>{escape(value)}</span>' if value else "<span></span>"
        for words, value in cells
    )
    return (
        f'<span class="row"><span class="{_colour(how)}">{SHAPES[how]} {escape(found["verdict"])}{expected}</span>'
        f'<span class="code">{escape(found["test"])}</span><span class="numbers">{numbers}</span></span>'
    )


def _body(found: Finding, how: str, brief: bool) -> str:
    if brief and how == "pass":
        return f'<div class="body small">{escape(found["headline"])}</div>'
    text = "\n".join([found["message"] or found["headline"], *found["details"]])
    evidence = "" if how == "fail" else source_view(found) + plots(found)
    whole = f'<pre class="text" tabindex="0">{escape(text)}</pre>'
    if found["explanation"]:
        whole += f'<h4>What it keeps, and why</h4><pre class="text" tabindex="0">{escape(found["explanation"])}</pre>'
    return f'<div class="body">{evidence}{whole}{_sites(found)}{_witnesses(found)}</div>'


def _place(found: Finding) -> str:
    name = found["file"].rpartition("/")[2]
    return f"{name}:{found['line']} ({found['function']})" if name else found["function"]


def _sites(found: Finding) -> str:
    """Who allocated, the most frequent first; nothing where nobody did."""
    if not found["sites"]:
        return ""
    more = f" and {found['more_sites']} more" if found["more_sites"] else ""
    rows = [
        (
            site["function"],
            site["count"],
            site["bytes"],
            " in ".join(filter(None, (site["symbol"], site["library"]))),
            f"{site['file']}:{site['line']}" if site["file"] else "",
            site["phase"] or "",
        )
        for site in found["sites"]
    ]
    head = ("Function", "Calls", "Bytes in all", "Code", "Line", "Phase")
    return table(f"Who allocates ({found['pattern']}): top places{more}", head, rows)


def _witnesses(found: Finding) -> str:
    """Who counted, and what nobody could see."""
    if not found["witnesses"]:
        return ""
    rows = [(witness["name"], witness["state"], witness["detail"]) for witness in found["witnesses"]]
    rows += [("nobody", "not watched", spot) for spot in found["blind_spots"]]
    verdict = f"they disagree: {found['disagreement']}" if found["disagreement"] else "none disagrees"
    return table(f"Who counted: {verdict}", ("Witness", "Says", "Detail"), rows)


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table with heads for its columns, which scrolls by itself where it is too wide."""
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "\n".join("<tr>" + "".join(_cell(value) for value in each) + "</tr>" for each in rows)
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(caption, quote=True)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{cells}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
    )


def _cell(value: object) -> str:
    return f'<td class="number">{value:,}</td>' if isinstance(value, int) else f"<td>{escape(str(value))}</td>"
