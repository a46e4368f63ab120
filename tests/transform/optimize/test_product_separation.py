"""Nests that multiply matrices: what is taken apart, what stays, and that both do the same."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.products import MARK, product_nests
from adcore.ir import Function, interpret, print_function, verify
from adcore.ir.core import walk
from adcore.ir.parser import parse_function
from adcore.machine_model import MODEL
from adcore.ops import TABLE
from adcore.ops.define import Table
from adcore.ops.memory import evaluate_alloc
from adcore.transform.optimize import product_separation as products
from adcore.transform.optimize.product_separation import separate_products
from tests.transform.texts import check_pass, check_unchanged

ENOUGH = MODEL.product_extent

HEAD = """
func @f(%a: array<f64,2,C>, %b: array<f64,2,C>, %c: array<f64,2,C>, %d: array<f64,2,C>, %n: i64, %s: f64) -> (f64) {
  %zero: f64 = const [type='f64', value=0.0]
  %0: i64 = const [type='i64', value=0]
  %1: i64 = const [type='i64', value=1]
"""


def program(body: str, result: str = "%zero") -> Function:
    return verify(parse_function(f"{HEAD}{body}\n  return {result}\n}}"), TABLE)


def nest(before: str = "", inner: str = "", after: str = "", head: str = "", **attrs: str) -> str:
    """Three loops i, j, k; what stands before and after the innermost, and in it."""
    attributes = {loop: attrs.get(loop, "step=1") for loop in "ijk"}
    start = {loop: attrs.get(f"{loop}0", "%0") for loop in "ijk"}
    return f"""
  for {start["i"]}, %n [{attributes["i"]}] {{
  (%i: i64):
    {head}
    for {start["j"]}, %n [{attributes["j"]}] {{
    (%j: i64):
      {before}
      for {start["k"]}, %n [{attributes["k"]}] {{
      (%k: i64):
        {inner}
        yield
      }}
      {after}
      yield
    }}
    yield
  }}"""


def summed(after: str, initial: str = "%zero", flags: str = "", op: str = "add") -> str:
    """Three loops, the innermost with a sum of a[i, k] * b[k, j]."""
    return f"""
  for %0, %n [step=1] {{
  (%i: i64):
    for %0, %n [step=1] {{
    (%j: i64):
      %old: f64 = load %c, %i, %j
      %t: f64 = for %0, %n, {initial} [step=1] {{
      (%k: i64, %u: f64):
        %x: f64 = load %a, %i, %k
        %y: f64 = load %b, %k, %j
        %v: f64 = mul %x, %y
        %w: f64 = {op} %u, %v{flags}
        yield %w
      }}
      {after}
      yield
    }}
    yield
  }}"""


TWO = """
        %x: f64 = load %a, %i, %k
        %y: f64 = load %b, %k, %j
        %v: f64 = mul %x, %e [flags='adjoint']
        %w: f64 = mul %y, %e [flags='adjoint']
        accumulate %v, %c, %k, %j
        accumulate %w, %d, %i, %k"""


def marks(function: Function) -> int:
    return sum(MARK in i.attrs for i in walk(function.region))


def memory(n: int, seed: int = 0, overlapping: bool = False) -> list[Any]:
    """Whole numbers, so that the order of sums cannot show."""
    random = np.random.default_rng(seed)
    arrays = [random.integers(-3, 4, size=(n + 1, n + 1)).astype(float) for _ in range(4)]
    if overlapping:
        arrays[2] = arrays[0]
    return [*arrays, n, 2.0]


def agree(before: Function, after: Function, overlapping: bool = False) -> None:
    """Both do the same, whichever way the loops go."""
    verify(after, TABLE)
    for n in (0, 1, 3, ENOUGH, ENOUGH + 2):
        found = []
        for function in (before, after):
            given = memory(n, overlapping=overlapping)
            found.append((interpret(function, TABLE, given), *given[:4]))
        for x, y in zip(*found, strict=True):
            np.testing.assert_array_equal(x, y)


PRODUCTS = {
    "accumulated": nest(
        inner="""%x: f64 = load %a, %i, %k
        %y: f64 = load %b, %j, %k
        %v: f64 = mul %x, %y
        accumulate %v, %c, %i, %j"""
    ),
    "a sum that is stored": summed("store %t, %c, %i, %j"),
    "a difference that is stored": summed("store %t, %c, %i, %j", op="sub"),
    "a sum from an element on": summed("store %t, %c, %i, %j", initial="%old"),
    "a sum that starts with a scalar": summed("store %t, %c, %i, %j", initial="%s"),
    "a free sum that is accumulated": summed("accumulate %t, %c, %i, %j", flags=" [flags='sum']"),
    "a free sum that is added": summed(
        "%p: f64 = add %t, %old [flags='sum']\nstore %p, %c, %i, %j", flags=" [flags='sum']"
    ),
    "a sum in the user's order that is added": summed("%p: f64 = add %t, %old\nstore %p, %c, %i, %j"),
    "in memory": nest(
        inner="""%x: f64 = load %a, %i, %j
        %y: f64 = load %b, %j, %k
        %o: f64 = load %c, %i, %k
        %z: f64 = mul %s, %x
        %v: f64 = mul %z, %y
        %w: f64 = sub %o, %v
        store %w, %c, %i, %k"""
    ),
    "of one array with itself": nest(
        inner="""%x: f64 = load %a, %i, %k
        %y: f64 = load %a, %j, %k
        %v: f64 = mul %x, %y
        accumulate %v, %c, %i, %j"""
    ),
    "shifted": nest(
        inner="""%i1: i64 = add %i, %1 [exact=True]
        %x: f64 = load %a, %i1, %k
        %y: f64 = load %b, %j, %k
        %v: f64 = mul %x, %y
        accumulate %v, %c, %j, %i1"""
    ),
    "backwards, in no order": nest(
        i="reverse=True, step=1",
        k="reverse=True, step=1",
        inner="""%x: f64 = load %a, %i, %k
        %y: f64 = load %b, %j, %k
        %v: f64 = mul %x, %y
        accumulate %v, %c, %j, %i""",
    ),
    "of a row": nest(
        head="%row: array<f64,1,C> = view %a, %i, %0, %n, %1 [axes='is', whole=True]",
        inner="""%x: f64 = load %row, %k
        %y: f64 = load %b, %j, %k
        %v: f64 = mul %x, %y
        accumulate %v, %c, %j, %i""",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_seen(name: str) -> None:
    before = program(PRODUCTS[name])
    after = separate_products(before, TABLE)
    assert marks(after) == 1
    assert len(product_nests(after, TABLE)) == 1
    agree(before, after)


INNER = """%x: f64 = load %a, %i, %k
        %y: f64 = load %b, %j, %k
        %v: f64 = mul %x, %y
        """
NO_PRODUCTS = {
    "a sum that starts with something else": summed("accumulate %t, %c, %i, %j", "%s", " [flags='sum']"),
    "two elements of the target in one place": nest(
        inner=INNER + "%at: i64 = add %i, %j [exact=True]\naccumulate %v, %c, %0, %at"
    ),
    "the target is an operand": nest(inner=INNER + "accumulate %v, %a, %i, %j"),
    "the terms are in the target": nest(inner=INNER + "accumulate %v, %c, %i, %k"),
    "three operands": nest(inner=INNER + "%z: f64 = load %d, %i, %j\n%w: f64 = mul %v, %z\naccumulate %w, %c, %i, %j"),
    "a step of two": nest(k="step=2", inner=INNER + "accumulate %v, %c, %i, %j"),
    "backwards, in the user's order": nest(
        k="reverse=True, step=1",
        inner=INNER + "%o: f64 = load %c, %i, %j\n%w: f64 = add %o, %v\nstore %w, %c, %i, %j",
    ),
    "the old value is used again": nest(
        inner=INNER + "%o: f64 = load %c, %i, %j\n%w: f64 = add %o, %v\nstore %w, %c, %i, %j\nstore %o, %d, %i, %j"
    ),
    "the old value is a factor": nest(
        inner=INNER.replace("%v: f64 = mul %x, %y", "%o: f64 = load %c, %i, %j\n%v: f64 = mul %x, %o")
        + "%w: f64 = add %o, %v\nstore %w, %c, %i, %j"
    ),
    "a scalar that is rounded last": nest(
        inner=INNER + "%o: f64 = load %c, %i, %j\n%z: f64 = mul %s, %v\n%w: f64 = add %o, %z\nstore %w, %c, %i, %j"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_PRODUCTS)
def test_what_is_no_product_stays(name: str) -> None:
    before = program(NO_PRODUCTS[name])
    assert separate_products(before, TABLE) is before


def test_triangles_stay() -> None:
    body = nest(inner=INNER + "accumulate %v, %c, %i, %j").replace(
        "for %0, %n [step=1] {\n    (%j", "for %0, %i [step=1] {\n    (%j"
    )
    before = program(body)
    assert separate_products(before, TABLE) is before


def test_a_target_that_may_be_an_operand_stays() -> None:
    before = program(PRODUCTS["accumulated"])
    assert separate_products(before, TABLE, [(0, 2)]) is before
    assert separate_products(before, TABLE, [(1, 2)]) is before
    assert separate_products(before, TABLE, [(2,)]) is before  # elements of the target may lie on each other
    assert marks(separate_products(before, TABLE, [(0, 1)])) == 1


CLEARED = nest(before="%e: f64 = load %d, %i, %j\nstore %zero, %d, %i, %j", inner=TWO.replace("%d", "%c"))


def test_two_products_and_a_clear() -> None:
    before = program(CLEARED)
    after = separate_products(before, TABLE)
    assert marks(after) == 2
    (choice,) = (i for i in after.region.body if i.op == "if")
    effects = [
        [i.op for i in walk(loop.regions[0]) if i.op in ("store", "accumulate")] for loop in choice.regions[0].body
    ]
    assert effects == [["accumulate"], ["accumulate"], ["store"]]
    agree(before, after)
    assert separate_products(before, TABLE, [(2, 3)]) is before
    assert marks(separate_products(before, TABLE, [(0, 1)])) == 2
    assert separate_products(before, TABLE, [(0, 1, 3)]) is before  # what is cleared may be read in the next turn


def test_what_has_to_stay_together_does() -> None:
    before = program(nest(before="%e: f64 = load %a, %j, %i\nstore %zero, %b, %j, %i", inner=TWO))
    after = separate_products(before, TABLE)
    assert marks(after) == 1  # the other one takes what is cleared in some turns
    agree(before, after)


def arrays(function: Function) -> int:
    return sum(i.op == "alloc" for i in walk(function.region))


def test_what_goes_from_part_to_part_goes_through_memory() -> None:
    for after, new in (
        ("store %t, %d, %i, %j\n%q: f64 = mul %t, %s\naccumulate %q, %c, %j, %i", 0),
        ("%q: f64 = mul %t, %s\naccumulate %q, %c, %j, %i", 1),
        ("%q: f64 = mul %t, %old\nstore %q, %d, %j, %i\nstore %t, %c, %i, %j", 1),
    ):
        before = program(summed(after))
        found = separate_products(before, TABLE)
        assert (marks(found), arrays(found)) == (1, new)
        agree(before, found)


ROWS = """
  %m: i64 = dim %a [axis=1]
  for LO, %n [step=1] {
  (%i: i64):
    %row: array<f64,1,C> = alloc %m [element='f64', zero=ZERO]
    for %0, %n [step=1] {
    (%j: i64):
      %e: f64 = load %b, %i, %j
      %f: f64 = add %e, %s
      for %0, %n [step=1] {
      (%k: i64):
        %o: f64 = load %row, %k
        %x: f64 = load %a, %j, %k
        %z: f64 = mul %f, %x
        %w: f64 = add %o, %z
        store %w, %row, %k
        yield
      }
      yield
    }
    for %0, %m [step=1] {
    (%k.1: i64):
      %r: f64 = load %row, %k.1
      store %r, %c, %i, %k.1
      yield
    }
    yield
  }"""


@pytest.mark.parametrize("lo", ["%0", "%1"])
def test_an_array_of_each_turn_becomes_part_of_one(lo: str) -> None:
    before = program(ROWS.replace("LO", lo).replace("ZERO", "True"))
    after = separate_products(before, TABLE)
    assert (marks(after), arrays(after)) == (1, 3)  # the row and %f of all turns; the row of a turn of the old nest
    agree(before, after)


def test_new_arrays_are_small_and_there_only_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = program(ROWS.replace("LO", "%0").replace("ZERO", "True"))
    monkeypatch.setattr(products, "MODEL", replace(MODEL, largest_new_array=ENOUGH * (ENOUGH + 1)))
    after = separate_products(before, TABLE)
    assert marks(after) == 1
    agree(before, after)  # the smallest size that is long enough, and one that would be too large
    for n, used in ((0, False), (ENOUGH - 1, False), (ENOUGH, True), (ENOUGH + 1, False)):
        sizes = []

        def alloc(*shape: int, sizes: list[int] = sizes, **how: Any) -> Any:
            sizes.append(len(shape) > 1 and shape[0] > 0)
            return evaluate_alloc(*shape, **how)

        ops = Table({**TABLE, "alloc": replace(TABLE["alloc"], evaluate=alloc)})
        interpret(after, ops, memory(n))
        assert any(sizes) == used, n


def test_an_array_whose_size_may_be_negative_stays() -> None:
    """Who asks for it gets an error, and the nest may not even run."""
    for size in ("%n", "%most"):
        body = ROWS.replace("LO", "%0").replace("ZERO", "True").replace("alloc %m", f"alloc {size}")
        before = program("%most: i64 = maximum %n, %n\n" + body)
        assert separate_products(before, TABLE) is before


def test_an_array_whose_size_the_nest_computes_stays() -> None:
    body = ROWS.replace("LO", "%0").replace("ZERO", "True").replace("alloc %m", "alloc %size")
    before = program(body.replace("%row: array", "%size: i64 = add %i, %m [exact=True]\n%row: array"))
    assert separate_products(before, TABLE) is before


def test_what_the_nest_carries_stays_in_registers() -> None:
    body = f"""
  %all: f64 = for %0, %n, %s [step=1] {{
  (%i: i64, %p: f64):
    %part: f64 = for %0, %n, %p [step=1] {{
    (%j: i64, %q: f64):
      %e: f64 = load %a, %i, %j
      %more: f64 = add %q, %e
      for %0, %n [step=1] {{
      (%k: i64):
        {INNER}accumulate %v, %c, %i, %j
        yield
      }}
      yield %more
    }}
    yield %part
  }}"""
    before = program(body, "%all")
    after = separate_products(before, TABLE)
    assert (marks(after), arrays(after)) == (1, 0)
    agree(before, after)


def test_values_of_loops_that_are_no_rectangle_stay() -> None:
    """How many of them there will be is not known before the nest."""
    triangle = """for %0, %i [step=1] {
    (%g: i64):
      %f: f64 = load %b, %i, %g
      %e: f64 = add %f, %s
      for %0, %n [step=1] {
      (%h: i64):
        %r: f64 = load %a, %g, %h
        %t: f64 = mul %r, %e
        accumulate %t, %d, %i, %h
        yield
      }
      yield
    }"""
    before = program(nest(head=triangle, inner=INNER + "accumulate %v, %c, %i, %j"))
    after = separate_products(before, TABLE)
    assert (marks(after), arrays(after)) == (1, 0)
    agree(before, after)


def test_a_branch_that_does_something_and_gives_a_value() -> None:
    branch = """%q: bool = lt %i, %j
      %e: f64 = if %q {
      ():
        store %s, %d, %j, %i
        yield %s
      } {
      ():
        yield %zero
      }"""
    before = program(nest(before=branch, inner=TWO.split("%w:")[0] + "accumulate %v, %c, %k, %j"))
    assert separate_products(before, TABLE) is before
    silent = program(nest(before=branch.replace("store %s, %d, %j, %i", "%z: f64 = load %b, %j, %i").replace(
        "yield %s", "yield %z"), inner=TWO.split("%w:")[0] + "accumulate %v, %c, %k, %j"))  # fmt: skip
    after = separate_products(silent, TABLE)
    assert (marks(after), arrays(after)) == (1, 1)
    agree(silent, after)
    without = branch.replace("%e: f64 = if", "if").replace("yield %s", "yield").replace("yield %zero", "yield")
    acting = program(nest(before=without, inner=INNER + "accumulate %v, %c, %i, %j"))
    after = separate_products(acting, TABLE)
    assert marks(after) == 1
    agree(acting, after)


def test_operands_that_are_computed_are_stored() -> None:
    inner = "%x: f64 = load %a, %i, %k\n%v: f64 = mul %x, %e [flags='adjoint']\naccumulate %v, %c, %j, %k"
    for computed, new in (
        ("%f: f64 = load %b, %j, %i\n%e: f64 = exp %f", 1),
        ("%f: f64 = load %b, %j, %i\n%e: f64 = add %f, %s", 1),
        ("%f: f64 = load %b, %j, %i\n%g: f64 = mul %f, %s\n%e: f64 = add %g, %g", 0),
    ):
        before = program(nest(before=computed, inner=inner))
        after = separate_products(before, TABLE)
        assert (marks(after), arrays(after)) == (1, new)
        verify(after, TABLE)
        results = []
        for function in (before, after):
            given = memory(ENOUGH + 1)
            interpret(function, TABLE, given)
            results.append(given[2])
        np.testing.assert_allclose(*results, rtol=1e-12)


def test_sums_of_the_whole_nest() -> None:
    body = f"""
  %all: f64 = for %0, %n, %s [step=1] {{
  (%i: i64, %p: f64):
    %part: f64 = for %0, %n, %p [step=1] {{
    (%j: i64, %q: f64):
      %e: f64 = load %a, %i, %j
      %more: f64 = add %q, %e
      for %0, %n [step=1] {{
      (%k: i64):
        {TWO.replace("load %a, %i, %k", "load %b, %i, %k")}
        yield
      }}
      yield %more
    }}
    yield %part
  }}"""
    before = program(body, "%all")
    after = separate_products(before, TABLE)
    assert marks(after) == 2
    agree(before, after)


def test_short_loops_are_left_alone() -> None:
    known = "  %few: i64 = const [type='i64', value=4]\n" + PRODUCTS["accumulated"].replace("%n", "%few")
    before = program(known)
    assert separate_products(before, TABLE) is before
    known = known.replace("value=4", f"value={ENOUGH}")
    after = separate_products(program(known), TABLE)
    assert marks(after) == 1
    assert not any(i.op == "if" for i in after.region.body)


def test_each_product_has_loops_of_its_own() -> None:
    """One that is too short for it does not keep another from its faster code."""
    inner = """%y: f64 = load %b, %k, %j
        %v: f64 = mul %y, %e
        accumulate %v, %c, %i, %k"""
    second = """
    for %0, %n [step=1] {
    (%p: i64):
      for %0, %m [step=1] {
      (%q: i64):
        %g: f64 = load %b, %q, %p
        %h: f64 = load %a, %i, %p
        %t: f64 = mul %g, %h
        accumulate %t, %d, %i, %q
        yield
      }
      yield
    }"""
    body = nest(head=second, before="%e: f64 = load %a, %i, %j", inner=inner)
    text = HEAD.replace("%n: i64,", "%n: i64, %m: i64,") + body + "\n  return %zero\n}"
    before = verify(parse_function(text), TABLE)
    after = verify(separate_products(before, TABLE), TABLE)
    assert marks(after) == 2
    (outer,) = (i for i in after.region.body if i.op == "if")
    choices = [i for i in outer.regions[0].body if i.op == "if"]
    assert [sum(MARK in i.attrs for i in walk(r)) for c in choices for r in c.regions] == [1, 0, 1, 0]
    for n, m in ((ENOUGH, 3), (3, 3), (ENOUGH, ENOUGH), (4, ENOUGH)):
        found = []
        for function in (before, after):
            given = memory(max(n, m))
            given[4:5] = [n, m]
            interpret(function, TABLE, given)
            found.append(given[2:4])
        np.testing.assert_array_equal(*found)


def test_the_mark_alone_makes_no_product() -> None:
    marked = program(
        NO_PRODUCTS["the target is an operand"].replace(
            "for %0, %n [step=1] {\n  (%i", "for %0, %n [product=True, step=1] {\n  (%i"
        )
    )
    assert marks(marked) == 1
    assert product_nests(marked, TABLE) == {}
    clear = program(
        PRODUCTS["accumulated"].replace("for %0, %n [step=1] {\n  (%i", "for %0, %n [product=True, step=1] {\n  (%i")
    )
    assert len(product_nests(clear, TABLE)) == 1
    assert product_nests(clear, TABLE, AliasClasses(((0, 2),))) == {}


PLACES = ("%i, %j", "%i, %k", "%k, %j", "%j, %i", "%k, %i", "%j, %k", "%i, %0", "%n, %j", "%i1, %j", "%j, %i1")


@st.composite
def random_nests(draw: st.DrawFn) -> Function:
    """A nest whose loops load, store and accumulate, at places that often meet."""
    count = 0
    texts: dict[str, list[str]] = {"head": [], "before": [], "inner": [], "after": []}
    known: dict[str, list[str]] = {"head": ["%s"], "before": ["%s"], "inner": ["%s"], "after": ["%s"]}
    visible = {"head": "i", "before": "ij", "inner": "ijk", "after": "ij"}
    for _ in range(draw(st.integers(2, 7))):
        where = draw(st.sampled_from(("before", "inner", "inner", "inner", "after", "head")))
        places = [p for p in PLACES if set("ijk") & set(re.findall(r"%([ijk])", p)) <= set(visible[where])]
        place, array = draw(st.sampled_from(places)), draw(st.sampled_from("abcd"))
        kind = draw(st.sampled_from(("load", "load", "accumulate", "accumulate", "store", "product")))
        values, scope = known[where], [where, *(("inner",) if where == "before" else ())]
        scope += ["before", "inner", "after"] if where == "head" else ["after"] if where == "before" else []
        if kind == "load":
            texts[where].append(f"%v{count}: f64 = load %{array}, {place}")
        elif kind == "product":
            first, second = draw(st.sampled_from(values)), draw(st.sampled_from(values))
            texts[where].append(f"%v{count}: f64 = {draw(st.sampled_from(('mul', 'add')))} {first}, {second}")
        else:
            texts[where].append(f"{kind} {draw(st.sampled_from(values))}, %{array}, {place}")
            continue
        for each in dict.fromkeys(scope):
            known[each].append(f"%v{count}")
        count += 1
    step = "%i1: i64 = add %i, %1 [exact=True]"
    reverse = {loop: f"reverse={draw(st.booleans())}, step=1" for loop in "ijk"}
    inner = INNER.replace("%x", "%x_").replace("%y", "%y_").replace("%v", "%v_")
    target = draw(st.sampled_from(("accumulate %v_, %c, %i, %j", "accumulate %v_, %d, %j, %i")))
    parts = {where: "\n".join(lines) for where, lines in texts.items()}
    parts["inner"] = "\n".join([parts["inner"], inner, target])
    parts["head"] = step + "\n" + parts["head"]
    starts = {f"{loop}0": draw(st.sampled_from(("%0", "%0", "%1"))) for loop in "ijk"}
    return program(nest(**parts, **reverse, **starts))


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short the loops."""
    monkeypatch.setattr(products, "MODEL", replace(MODEL, product_extent=0))


@pytest.mark.slow
@pytest.mark.usefixtures("always")
def test_random_nests() -> None:
    """The order of what a nest does is kept wherever it shows. Some of the nests have to be taken apart."""
    separated = 0

    @settings(max_examples=300, deadline=None)
    @given(random_nests(), st.integers(0, 3), st.integers(0, 5), st.booleans())
    def compare(before: Function, n: int, seed: int, overlapping: bool) -> None:
        nonlocal separated
        after = separate_products(before, TABLE, [(0, 2)] if overlapping else ())
        if after is before:
            return
        separated += 1
        found = []
        for function in (before, verify(after, TABLE)):
            given = memory(n, seed, overlapping)
            with np.errstate(all="ignore"):
                interpret(function, TABLE, given)
            found.append(given[:4])
        assume(all(np.all(np.abs(x) < 2**50) for x in found[0]))
        for x, y in zip(*found, strict=True):
            np.testing.assert_array_equal(x, y, err_msg=print_function(before))

    compare()
    assert separated > 30


def run(function: Function) -> Function:
    return separate_products(function, TABLE)


def test_two_products_of_one_nest_stand_alone() -> None:
    check_pass(
        run,
        """
        func @f(%a: array<f64,2,C>, %b: array<f64,2,C>, %c: array<f64,2,C>,
                %da: array<f64,2,C>, %db: array<f64,2,C>) -> () {
        for 0, 12 [step=1] {
        (%i: i64):
          for 0, 12 [step=1] {
          (%j: i64):
            %e: f64 = load %c, %i, %j
            for 0, 12 [step=1] {
            (%h: i64):
              %v: f64 = load %a, %i, %h
              %w: f64 = mul %v, %e
              accumulate %w, %db, %h, %j
              %y: f64 = load %b, %h, %j
              %z: f64 = mul %y, %e
              accumulate %z, %da, %i, %h
              yield
            }
            yield
          }
          yield
        }
        return
        }
        """,
        """
        func @f(%a: array<f64,2,C>, %b: array<f64,2,C>, %c: array<f64,2,C>,
                %da: array<f64,2,C>, %db: array<f64,2,C>) -> () {
          for 0, 12 [product=True, step=1] {
          (%i: i64):
            for 0, 12 [step=1] {
            (%j: i64):
              %e: f64 = load %c, %i, %j
              for 0, 12 [step=1] {
              (%h: i64):
                %v: f64 = load %a, %i, %h
                %w: f64 = mul %v, %e
                accumulate %w, %db, %h, %j
                yield
              }
              yield
            }
            yield
          }
          for 0, 12 [product=True, step=1] {
          (%i.1: i64):
            for 0, 12 [step=1] {
            (%j.1: i64):
              %e.1: f64 = load %c, %i.1, %j.1
              for 0, 12 [step=1] {
              (%h.1: i64):
                %y: f64 = load %b, %h.1, %j.1
                %z: f64 = mul %y, %e.1
                accumulate %z, %da, %i.1, %h.1
                yield
              }
              yield
            }
            yield
          }
          return
        }
        """,
    )


def test_loops_that_are_known_to_be_short_stay() -> None:
    check_unchanged(
        run,
        """
        for 0, 8 [step=1] {
        (%i: i64):
          for 0, 8 [step=1] {
          (%j: i64):
            %e: f64 = load %c, %i, %j
            for 0, 8 [step=1] {
            (%h: i64):
              %v: f64 = load %a, %i, %h
              %w: f64 = mul %v, %e
              accumulate %w, %b, %h, %j
              yield
            }
            yield
          }
          yield
        }
        """,
    )
