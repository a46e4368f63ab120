"""Each case of the soak once; `python -m tests.hooks.soak` runs them again and again."""

from __future__ import annotations

import shutil

import pytest

from tests.hooks import soak
from tests.samples import sample


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> soak.Bench:
    if shutil.which("gcc") is None and shutil.which("cc") is None:
        pytest.skip("no compiler")
    return soak.Bench.built(tmp_path_factory.mktemp("soak"))


@pytest.mark.parametrize("name", sample(list(soak.OWN), quick=3))
def test_case(name: str, bench: soak.Bench) -> None:
    case = soak.OWN[name]
    reason = soak.obstacle(case)
    if reason:
        pytest.skip(reason)
    assert soak.run(name, case, bench) == ""


def test_a_wrong_count_fails(bench: soak.Bench) -> None:
    wrong = soak.Case("""
with record() as allocations:
    library.p_malloc(None)
assert allocations.by_function == {"malloc": 2}, allocations
""")
    assert "AssertionError" in soak.run("wrong", wrong, bench)
    assert "exit code -6" in soak.run("crash", soak.Case("os.abort()"), bench)


def test_every_case_runs_at_least_once() -> None:
    assert list(soak.rounds(["a", "b"], 0.0)) == ["a", "b"]
    assert soak.main(["--list"]) == 0
