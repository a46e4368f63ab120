"""The pytest plugin: hooks translate between pytest and the checks, and do nothing else.

This module is loaded in every pytest run. It imports pytest and the table of flags alone; all else is imported by the
first test that needs it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_adalloc.integration.flags import DEFAULTS, FLAGS
from pytest_adalloc.report.formats import FORMATS

if TYPE_CHECKING:
    from pytest_adalloc.integration.fixture import Adalloc
    from pytest_adalloc.session import Recorder, Settings

MARK = "no_alloc_grad"
PROPERTY = "adalloc"

_SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()
_RECORDER: pytest.StashKey[Recorder] = pytest.StashKey()
_BY_MARK: pytest.StashKey[bool] = pytest.StashKey()
_running: list[pytest.Item] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("adalloc", "gradients that never allocate")
    for flag in FLAGS:
        text = f"{flag.help} [ini: {flag.ini}]"
        if flag.kind == "bool":
            parser.addini(flag.ini, flag.help, type="bool", default=None)
        else:
            parser.addini(flag.ini, flag.help, type="string", default=None)
        if flag.kind == "bool":
            group.addoption(flag.option, dest=flag.ini, action="store_const", const=True, default=None, help=text)
        elif flag.kind == "choice":
            group.addoption(flag.option, dest=flag.ini, choices=flag.values, default=None, help=text)
        else:
            number = {"type": int} if flag.kind == "int" else {}
            group.addoption(flag.option, dest=flag.ini, metavar=flag.values, default=None, help=text, **number)

    for name in DEFAULTS:
        parser.addini(f"adalloc_{name}", f"`{name}` of each check that does not say otherwise", default=None)


class OptionHooks:
    """What a conftest.py can say about the checks of its folder."""

    @pytest.hookspec
    def pytest_adalloc_options(self, item: pytest.Item) -> dict[str, object] | None:
        """Options of the checks of a test, by name, where the test does not say otherwise. The innermost folder's go
        first.
        """


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(OptionHooks)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    # The first moment at which options are known, and the last one at which nothing is captured yet.
    if _preloads(early_config):
        from pytest_adalloc.integration.preload import run_again

        run_again()
    return (yield)


def _preloads(config: pytest.Config) -> bool:
    return bool(getattr(config.known_args_namespace, "adalloc_preload", None) or config.getini("adalloc_preload"))


def pytest_report_header(config: pytest.Config) -> str | None:
    if not _preloads(config):
        return None
    from pytest_adalloc.integration.preload import header

    return header()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARK}(function, *args, **options): the gradient of the function (without one: of the test's body) is right "
        "and allocates nothing; with a function named, the body runs afterwards.",
    )
    asked = (config.getoption(flag.ini) is not None or config.getini(flag.ini) for flag in FLAGS)
    if any(asked) or any(config.getini(f"adalloc_{name}") for name in DEFAULTS):
        settings(config)  # what makes no sense ends the run before its first test
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_FindingsCollector(config), "adalloc-gathering")


def settings(config: pytest.Config) -> Settings:
    """The settings of the run. Raises pytest.UsageError for values that make no sense."""
    if _SETTINGS not in config.stash:
        from pytest_adalloc.integration.settings import settings_of

        config.stash[_SETTINGS] = settings_of(config)
    return config.stash[_SETTINGS]


def recorder_of(item: pytest.Item) -> Recorder:
    """The recorder of a test, made on first use."""
    if _RECORDER not in item.stash:
        from pytest_adalloc.integration.recording import recorder_for

        item.stash[_RECORDER] = recorder_for(item, settings(item.config))
    return item.stash[_RECORDER]


def current_recorder() -> Recorder | None:
    """The recorder of the test that runs now in this process, if one does."""
    return recorder_of(_running[-1]) if _running else None


@pytest.fixture
def adalloc(request: pytest.FixtureRequest) -> Adalloc:
    """Check gradients (check, check_gradient) and count native allocations (measure, forbid, record)."""
    from pytest_adalloc.integration.fixture import Adalloc

    return Adalloc(recorder_of(request.node))


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    mark = metafunc.definition.get_closest_marker(MARK)
    if mark is not None:
        from pytest_adalloc.integration.marks import supply

        supply(metafunc, mark)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    _running.append(item)
    try:
        return (yield)
    finally:
        _running.pop()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # A test that runs once more begins anew.
    if _RECORDER in item.stash:
        del item.stash[_RECORDER]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    __tracebackhide__ = True
    marks = list(item.iter_markers(MARK))
    if marks:
        from pytest_adalloc.integration.marks import check_named, refuse_unittest

        item.stash[_BY_MARK] = True
        if any(not mark.args for mark in marks):
            refuse_unittest(item)
        for mark in reversed([mark for mark in marks if mark.args]):
            check_named(item, mark, recorder_of(item))
        item.stash[_BY_MARK] = not marks[0].args
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    __tracebackhide__ = True
    mark = pyfuncitem.get_closest_marker(MARK)
    if mark is None or mark.args:
        return None
    from pytest_adalloc.integration.marks import check_body

    check_body(pyfuncitem, mark, recorder_of(pyfuncitem))
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if _RECORDER in item.stash:
        from pytest_adalloc.integration.recording import attach

        attach(report, call, item.stash[_RECORDER], by_mark=item.stash.get(_BY_MARK, False))
    return report


class _FindingsCollector:
    """Collects what the reports of all processes carry, in the process that writes files and the summary."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._texts: list[str] = []
        self._lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._texts += [str(value) for name, value in report.user_properties if name == PROPERTY]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        asked = [each.flags[0].ini for each in FORMATS if each.always]
        files = any(self._config.getoption(name) or self._config.getini(name) for name in asked)
        if self._texts or (files and not self._config.option.collectonly):
            from pytest_adalloc.report.outputs import write

            status, self._lines = write(self._texts, settings(self._config), self._config.rootpath)
            if status == pytest.ExitCode.INTERNAL_ERROR or (status and session.exitstatus == pytest.ExitCode.OK):
                session.exitstatus = pytest.ExitCode(status)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._lines:
            terminalreporter.section("adalloc")
            for line in self._lines:
                terminalreporter.write_line(line)
