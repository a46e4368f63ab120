"""`--adalloc-preload`: a session starts once more under the counting library, and its reports name that witness."""

from __future__ import annotations

import json

import pytest

from pytest_adalloc.hooks import HooksUnavailable
from pytest_adalloc.hooks.witness import preloaded
from tests.samples import sample

from .conftest import Session

pytest_plugins = ["pytester"]

SOURCE = """
    import ctypes
    from pytest_adalloc.hooks.witness import preloaded

    def test_watched(adalloc):
        assert preloaded.active()
        report = adalloc.check(lambda x: x * x, 3.0, grad=lambda x: 2 * x)
        states = {witness.name: witness.state for witness in report.witnesses}
        assert states[preloaded.NAME] == "agrees"

    def test_a_pointer_that_bypasses_the_slots(adalloc):
        libc = ctypes.CDLL(None)
        cached = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)(ctypes.cast(libc.malloc, ctypes.c_void_p).value)
        seen = adalloc.measure(lambda: libc.free(ctypes.c_void_p(cached(77))), calls=3)
        assert seen.by_function == {"malloc": 3}
        assert {w.name: w.state for w in seen.witnesses}[preloaded.NAME] == "agrees"

    def test_a_pointer_from_libcs_own_handle(adalloc):
        libc = ctypes.CDLL("libc.so.6")
        malloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)(ctypes.cast(libc.malloc, ctypes.c_void_p).value)
        seen = adalloc.measure(lambda: libc.free(ctypes.c_void_p(malloc(77))), calls=3)
        assert seen.allocs_per_call == (1, 1, 1)
"""


@pytest.fixture(autouse=True)
def _possible() -> None:
    try:
        preloaded.library()
    except HooksUnavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.slow
@pytest.mark.parametrize("how", sample(["--adalloc-preload -n2", "--adalloc-preload", "-o adalloc_preload=true"], 1))
def test_the_session_runs_again_with_one_more_witness(how: str, session: Session, pytester: pytest.Pytester) -> None:
    result = session(SOURCE, *how.split(), "--adalloc-json=all.json")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["adalloc: preloaded library counts as well"])
    (found,) = json.loads((pytester.path / "all.json").read_text())["checks"]
    assert {"preloaded library": "agrees"}.items() <= {w["name"]: w["state"] for w in found["witnesses"]}.items()


def test_a_process_that_ignores_the_library_is_no_endless_loop(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(preloaded.MARK, "1")
    result = session(SOURCE, "--adalloc-preload")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--adalloc-preload: the counting library was preloaded, but*"])


def test_where_it_cannot_be_made_the_run_says_so(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADALLOC_CACHE", "off")
    result = session(SOURCE, "--adalloc-preload")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--adalloc-preload: strict mode needs a private directory*ADALLOC_CACHE*"])
