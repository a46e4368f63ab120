"""The site: `python -m sphinx -W docs build/site`, with the optional dependencies `docs`."""

from __future__ import annotations

from importlib.metadata import version as installed

project = "pytest-adalloc"
version = release = installed(project)
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = project
exclude_patterns = ["build"]
myst_heading_anchors = 4
myst_fence_as_directive: list[str] = []
autodoc_typehints = "none"
default_role = "code"
suppress_warnings = [
    "myst.xref_missing",  # links into the repository: tests/docs/test_docs.py follows them
    "misc.highlighting_failure",  # programs in the compiler's own language
]
