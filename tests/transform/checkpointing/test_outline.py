"""The body of a loop as a function of its own."""

from __future__ import annotations

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.structure import structure_of
from adcore.ir import Builder, Function, Value
from adcore.ops import TABLE
from adcore.transform.checkpointing import outline as module
from adcore.transform.checkpointing.outline import Outlined, aliases_of, call_inline, outline
from tests.transform.texts import check_text, docstring_texts, parse


def outlined(program: str) -> tuple[Function, Outlined]:
    """A program and the body of its first loop."""
    function = parse(program)
    loop = next(i for i in function.region.body if i.op == "for")
    return function, outline(structure_of(function, TABLE), loop)


def test_a_step_takes_what_the_body_takes_from_outside() -> None:
    before, after = docstring_texts(module)
    check_text(outlined(before)[1].function, after)


def test_arrays_that_may_overlap_outside_may_overlap_in_the_step() -> None:
    before, _ = docstring_texts(module)
    function, step = outlined(before)
    assert [v.hint for v in step.inputs] == ["x", "s"]
    assert aliases_of(step, AliasClasses(((0,),)), function.params).groups == ((2,),)


def test_a_call_is_the_body_with_other_names() -> None:
    _, step = outlined(docstring_texts(module)[0])
    params = [Value(p.type, p.hint) for p in step.function.params]
    b = Builder(TABLE)
    region = b.finish(params, call_inline(b, step.function, params))
    check_text(Function("f_step", region), docstring_texts(module)[1])
