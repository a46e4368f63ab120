"""Which carried values are told to be selections, and from what they are chosen."""

from __future__ import annotations

from adcore.analysis.activity import activity_of
from adcore.analysis.affine.dependence import AliasClasses, dependence_of
from adcore.ops import TABLE
from adcore.transform.diff.selection_search import SelectionSearch
from tests.transform.derivative_texts import kinds_of
from tests.transform.texts import parse


def families(program: str) -> list[tuple[list[str], bool, list[list[str]]]]:
    """Of the first loop: the members by name, whether they are chosen together, and what may be chosen."""
    function = parse(program)
    dependence = dependence_of(function, TABLE)
    active = activity_of(function, TABLE, AliasClasses(), kinds_of(function), (True,) * len(function.results))
    loop = next(i for i in function.region.body if i.op in ("for", "while"))
    params = loop.regions[-1].params[1:]
    return [
        ([params[k].hint for k in f.members], f.together, [[v.hint for v in source.values] for source in f.sources])
        for f in SelectionSearch(dependence, active, TABLE, loop).families()
    ]


LARGEST = """
func @f(%x: array<f64,1,C>, %n: i64, %s: f64, %t: f64) -> (f64, f64) {
  %m: f64, %l: f64 = for 0, %n, %s, %t [step=1] {
  (%i: i64, %first: f64, %second: f64):
    %v: f64 = load %x, %i
    %c: bool = gt %v, %first
    %a: f64 = select %c, %v, %first
    %b: f64 = select %c, OTHER, %second
    yield %a, %b
  }
  return %m, %l
}
"""


def test_values_that_are_chosen_together_share_a_record() -> None:
    found = families(LARGEST.replace("OTHER", "%v"))
    assert found == [(["first", "second"], True, [["s", "t"], ["v", "v"]])]


def test_a_value_may_pass_to_another() -> None:
    ((members, together, sources),) = families(LARGEST.replace("OTHER", "%first"))
    assert (members, together) == (["first", "second"], False)
    assert sources == [["s"], ["t"], ["v"]]


def test_a_value_that_is_computed_with_is_none() -> None:
    added = LARGEST.replace("select %c, OTHER, %second", "add %second, %v")
    assert [members for members, _, _ in families(added)] == [["first"]]


def test_what_the_loop_stores_to_is_no_source() -> None:
    assert families(LARGEST.replace("OTHER", "%v").replace("yield %a", "store %a, %x, %i\n    yield %a")) == []
