"""Findings as one page that needs nothing else: readable in any browser, with a keyboard, by a screen reader, in
print.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from pytest_adalloc.report.reporting import Document, Finding, ReportedRun

_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid #8886; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid #8886; white-space: pre-wrap; }
.failed { font-weight: 700; }
"""

_COLUMNS = (
    "Test", "Function", "Verdict", "Allocations per call", "Pattern", "Calls", "Workspace, bytes", "Max gradient error",
)  # fmt: skip


class Page(Document):
    """The findings for a reader."""

    name = "html"

    def text(self, findings: Sequence[Finding], run: ReportedRun) -> str:
        """See `page`."""
        return page(findings)


def page(findings: Sequence[Finding]) -> str:
    """The report of a run."""
    failed = [found for found in findings if found["verdict"] not in ("passed", "not checked")]
    title = f"adalloc: {len(findings)} checks, {len(failed)} not met"
    rows = "\n".join(_row(number, found) for number, found in enumerate(findings))
    details = "\n".join(_details(number, found) for number, found in enumerate(findings))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in _COLUMNS)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
<table>
<caption>Checks, in the order in which they ran</caption>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<h2>Details</h2>
{details}
</main>
</body>
</html>
"""


def _row(number: int, found: Finding) -> str:
    style = "passed" if found["verdict"] in ("passed", "not checked") else "failed"
    error = "" if found["max_error"] is None else f"{found['max_error']:.1e}"
    numbers = (found["allocs_per_call"], found["pattern"], found["calls"], found["workspace_bytes"], error)
    cells = "".join(f'<td class="number">{"" if n is None else escape(str(n))}</td>' for n in numbers)
    return (
        f'<tr><th scope="row"><a href="#check-{number}">{escape(found["test"])}</a></th>'
        f"<td>{escape(found['function'])}</td>"
        f'<td class="{style}">{escape(found["verdict"])}</td>{cells}</tr>'
    )


def _details(number: int, found: Finding) -> str:
    text = "\n".join([found["message"] or found["headline"], *found["details"]])
    if found["explanation"]:
        text += "\n\n" + found["explanation"]
    return (
        f'<section id="check-{number}"><h3>{escape(found["test"])}</h3><pre tabindex="0">{escape(text)}</pre>'
        f"{_sites(found)}{_witnesses(found)}</section>"
    )


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
    return _table(f"Who allocates ({found['pattern']}): top places{more}", head, rows)


def _witnesses(found: Finding) -> str:
    """Who counted, and what nobody could see."""
    if not found["witnesses"]:
        return ""
    rows = [(witness["name"], witness["state"], witness["detail"]) for witness in found["witnesses"]]
    rows += [("nobody", "not watched", spot) for spot in found["blind_spots"]]
    verdict = f"they disagree: {found['disagreement']}" if found["disagreement"] else "none disagrees"
    return _table(f"Who counted: {verdict}", ("Witness", "Says", "Detail"), rows)


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "\n".join("<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in rows)
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{cells}</tr></thead><tbody>\n{body}\n</tbody></table>"
    )


def _cell(value: object) -> str:
    return f'<td class="number">{value}</td>' if isinstance(value, int) else f"<td>{escape(str(value))}</td>"


REPORT = Page()
