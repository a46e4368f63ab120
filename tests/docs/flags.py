"""docs/reference/flags.md is made from the table of flags: `python -m tests.docs.flags` writes it, a test compares."""

from __future__ import annotations

from pathlib import Path

from pytest_adalloc.integration.flags import FLAGS
from pytest_adalloc.report.formats import Flag

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "flags.md"

HEAD = """# Flags and ini options

Written by `python -m tests.docs.flags` from the table in `pytest_adalloc/integration/flags.py`; a test keeps it so.
A flag goes before the ini option. Paths of flags are relative to where pytest was started, those of ini options to
pytest's root directory. Everything works without any of them.

| flag | ini option | meaning |
|---|---|---|
"""


def row(flag: Flag) -> str:
    """One line of the table."""
    spelled = {"bool": "", "choice": "=" + "\\|".join(flag.values or ())}.get(flag.kind, f"={flag.values}")
    return f"| `{flag.option}{spelled}` | `{flag.ini}` | {flag.help} |\n"


def page() -> str:
    """The whole page."""
    return HEAD + "".join(map(row, FLAGS))


if __name__ == "__main__":
    PAGE.write_text(page())
