"""The settings of a run, from flags and ini options."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from pytest_adalloc.integration.flags import DEFAULTS, FLAGS
from pytest_adalloc.report.formats import FORMATS, Flag, asked_for
from pytest_adalloc.session import Settings

OF_REPORTS = frozenset(flag.name for each in FORMATS for flag in each.flags)


def settings_of(config: pytest.Config) -> Settings:
    """The settings of a run; a flag goes before its ini option. Raises pytest.UsageError for what makes no sense."""
    given = {flag.name: value for flag in FLAGS if (value := _given(config, flag)) is not None}
    reports = {name: value for name, value in given.items() if name in OF_REPORTS}
    values = {name or "policy": value for name, value in given.items() if name not in OF_REPORTS}
    settings = Settings(
        **values, reports=reports, defaults=_defaults(config), properties=bool(config.getoption("xmlpath", None))
    )
    if settings.calls < 1:
        raise pytest.UsageError("--adalloc-calls: at least one call has to be counted")
    if settings.seed < 0:
        raise pytest.UsageError("--adalloc-seed: seeds are not negative")
    for each in asked_for(reports):
        if complaint := each.load().complaint(reports):
            raise pytest.UsageError(complaint)
    return settings


def _given(config: pytest.Config, flag: Flag) -> Any:
    """What the run says about a flag; None where it says nothing."""
    given, base = config.getoption(flag.ini), config.invocation_params.dir
    if given is None:
        given, base = config.getini(flag.ini), config.rootpath
    return None if given is None or given == "" else _value(flag, given, base)


def _value(flag: Flag, given: Any, base: Path) -> Any:
    if flag.kind == "int":
        try:
            return int(given)
        except ValueError:
            raise pytest.UsageError(f"{flag.option}: {given!r} is no whole number") from None
    if flag.kind == "choice" and given not in flag.values:
        raise pytest.UsageError(f"{flag.option}: {given!r} is none of {', '.join(flag.values)}")
    return str(base / given) if flag.kind == "path" else given


def _defaults(config: pytest.Config) -> dict[str, Any]:
    """The options of checks that ini options give: as Python spells them, or as plain text."""
    texts = {name: str(text) for name in DEFAULTS if (text := config.getini(f"adalloc_{name}"))}
    found = {name: _literal(text.strip()) for name, text in texts.items()}
    if found:
        from pytest_adalloc.checks.task import options_of

        try:
            options_of(found)
        except (TypeError, ValueError) as problem:
            raise pytest.UsageError(f"ini option adalloc_{problem}") from None
    return found


def _literal(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def defaults_of(item: pytest.Item, settings: Settings) -> dict[str, Any]:
    """The options of a test's checks where it says nothing: its folders' conftest.py, then the project's ini options.

    Raises pytest.UsageError for what is no option."""
    found = dict(settings.defaults)
    for given in reversed(item.ihook.pytest_adalloc_options(item=item)):  # the innermost folder comes first
        found |= given
    if found != settings.defaults:
        from pytest_adalloc.checks.task import options_of

        try:
            options_of(found)
        except (TypeError, ValueError) as problem:
            raise pytest.UsageError(f"pytest_adalloc_options, in a conftest.py: {problem}") from None
    return found
