"""The findings of a run as one page: `--adalloc-html=FILE`. What is on it is made in `pytest_adalloc.report.page`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from pytest_adalloc.checks.verdict.grad_report import GradReport
from pytest_adalloc.report.environment import environment
from pytest_adalloc.report.findings import expected, many
from pytest_adalloc.report.page.checks import card, group, row, state
from pytest_adalloc.report.page.figures import error_figures
from pytest_adalloc.report.page.history import Past, at_commits, commit
from pytest_adalloc.report.page.style import SCRIPT, STYLE
from pytest_adalloc.report.reporting import Document, Finding, ReportedRun
from pytest_adalloc.session import Recorder, Settings

MOST_BODIES = 400
"""More checks than this, and those that are met open on one line: the page stays small."""


HEADS = (
    '<div class="row heads" aria-hidden="true"><span>Verdict</span><span>Test</span><span class="n">Allocations a call'
    '</span><span class="n">Bytes kept</span><span class="n">Error</span><span class="n">Time</span></div>'
)
"""What the columns are, for the eye; each cell says it in words as well."""


class Page(Document):
    """The findings for a reader."""

    name = "html"

    def text(self, findings: Sequence[Finding], run: ReportedRun) -> str:
        """See `page`."""
        baseline = run.settings.reports.get("baseline")
        past = at_commits(Path(baseline).absolute()) if baseline else []
        return page(_with_past(findings, past), run.settings, {**environment(), **commit(run.root)})

    def after_check(self, recorder: Recorder, report: GradReport, found: Finding) -> None:
        """Adds what plots of the error are drawn from: it is measured where the check ran."""
        found["errors"] = error_figures(report)


def _with_past(findings: Sequence[Finding], past: Past) -> list[Finding]:
    """Each check with what the baseline allowed it to keep at each of its commits."""
    told = []
    for found in findings:
        entries = [(commit, tests.get(found["test"], {}).get("workspace_bytes")) for commit, tests in past]
        told.append({**found, "history": [each for each in entries if each[1] is not None]})
    return told


def page(findings: Sequence[Finding], settings: Settings | None = None, where: Mapping[str, str] | None = None) -> str:
    """The report of a run."""
    chosen = settings or Settings()
    states = [state(found, settings is not None and expected(found, chosen)) for found in findings]
    counts = Counter(states)
    failed = [(k, found) for k, (found, how) in enumerate(zip(findings, states, strict=True)) if how == "fail"]
    title = f"adalloc: {many(len(findings), 'check')}, {len(failed)} not met"
    cards = "".join(card(k, found, "fail") for k, found in failed)
    failures = f'<section aria-labelledby="failures"><h2 id="failures">Failures</h2>{cards}</section>' if cards else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<header>
<h1>{escape(_sentence(len(findings), counts))}</h1>
{_bar(counts)}
{_facts(findings)}
{_environment(where or {})}
</header>
{failures}
{_every(findings, states)}
</main>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _sentence(total: int, counts: Mapping[str, int]) -> str:
    if not total:
        return "No gradient was checked: name one in a mark, @pytest.mark.no_alloc_grad(f, x)"
    failed, foreseen = counts.get("fail", 0), counts.get("expected", 0)
    rest = f", {foreseen} {'is' if foreseen == 1 else 'are'} not met as their tests expect" if foreseen else ""
    if failed:
        return f"{failed} of {many(total, 'check')} {'is' if failed == 1 else 'are'} not met{rest}"
    if foreseen:
        return f"{total - foreseen} of {many(total, 'check')} are met{rest}"
    return f"All {total} checks are met" if total > 1 else "The check is met"


def _bar(counts: Mapping[str, int]) -> str:
    """The counts as a bar, and in words."""
    words = {"fail": "not met", "expected": "not met as expected", "pass": "met"}
    parts = "".join(f'<span class="b-{how}" style="flex:{counts[how]}"></span>' for how in words if counts.get(how))
    said = ", ".join(f"{counts[how]} {text}" for how, text in words.items() if counts.get(how))
    return f'<div class="bar" role="img" aria-label="{said}">{parts}</div><p class="small muted">{said}</p>'


def _facts(findings: Sequence[Finding]) -> str:
    calls = sum(found["calls"] for found in findings)
    allocs = sum(found["allocs"] or 0 for found in findings)
    largest = max((found["workspace_bytes"] or 0 for found in findings), default=0)
    known = any(found["workspace_bytes"] is not None for found in findings)
    slowest = max((found.get("seconds") or 0 for found in findings), default=0)
    facts = [
        f"<strong>{allocs:,}</strong> {'allocation' if allocs == 1 else 'allocations'} in {calls:,} counted calls",
        f"largest workspace <strong>{largest:,}</strong> bytes" if known else "",
        f"slowest check <strong>{slowest:.2f}</strong> s" if slowest else "",
    ]
    return f'<ul class="facts">{"".join(f"<li>{fact}</li>" for fact in facts if fact)}</ul>'


def _environment(where: Mapping[str, str]) -> str:
    if not where:
        return ""
    rows = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in where.items())
    return f'<details><summary>Where this was run</summary><dl class="answers body">{rows}</dl></details>'


def _every(findings: Sequence[Finding], states: Sequence[str]) -> str:
    if not findings:
        return ""
    brief = len(findings) > MOST_BODIES
    together: dict[str, list[tuple[int, Finding, str]]] = {}
    for k, (found, how) in enumerate(zip(findings, states, strict=True)):
        together.setdefault(found["test"].partition("[")[0], []).append((k, found, how))
    items = [row(*members[0], brief) if len(members) == 1 else group(name, members, brief)
             for name, members in together.items()]  # fmt: skip
    return f"""<section aria-labelledby="all"><h2 id="all">All checks</h2>
<div class="tools"><label>Find <input id="find" type="search" placeholder="test name"></label>
<label>Verdict <select id="verdict"><option value="">all</option><option value="fail">not met</option>
<option value="expected">not met as expected</option><option value="pass">met</option></select></label>
<label>Sort by <select id="sort"><option value="">order of the run</option><option value="test">name</option>
<option value="bytes">bytes kept</option><option value="allocs">allocations</option>
<option value="seconds">time</option></select></label><span id="shown" class="muted" aria-live="polite"></span></div>
{HEADS}
<ul class="list" id="checks">
{chr(10).join(items)}
</ul></section>"""


REPORT = Page()
