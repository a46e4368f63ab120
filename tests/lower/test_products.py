"""Native code for products of matrices: every bit where the order is the user's, and nothing else is touched."""

from __future__ import annotations

import ctypes
import mmap
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adcore.analysis.products import product_nests
from adcore.errors import WorkspaceError
from adcore.ir import Function, interpret, verify
from adcore.ir.parser import parse_function
from adcore.lower.instructions import packed_products as blocked
from adcore.lower.objects.certificate import certify
from adcore.lower.vector_math import NO_VECTOR_MATH
from adcore.ops import TABLE
from adcore.transform.optimize.product_instructions import emit_products
from adcore.transform.optimize.product_separation import separate_products
from tests.lower.native import Native
from tests.transform.optimize.test_product_separation import always, memory, random_nests

__all__ = ["always"]  # a fixture

PROGRAM = """
func @f(%a: array<T,2,S>, %b: array<T,2,S>, %c: array<T,2,S>, %s: T) -> () {
  %0: i64 = const [type='i64', value=0]
  %n: i64 = dim %c [axis=0]
  %m: i64 = dim %c [axis=1]
  %d: i64 = dim %a [axis=1]
  for %0, %n [product=True, step=1] {
  (%i: i64):
    for %0, %m [step=1] {
    (%j: i64):
      BODY
      yield
    }
    yield
  }
  return
}"""

TERM = """
        %x: T = load %a, %i, %k
        %y: T = load %b, %k, %j
        %z: T = mul %x, %y"""

UPDATE = f"""for %0, %d [step=1] {{
      (%k: i64):
        %o: T = load %c, %i, %j{TERM.replace("load %a, %i, %k", "load %a, %i, %k%n        %q: T = mul %s, %x")}
        %w: T = sub %o, %z
        store %w, %c, %i, %j
        yield
      }}""".replace("%n        %q", "\n        %q").replace("mul %x, %y", "mul %q, %y")

STORED = f"""%t: T = for %0, %d, %s [step=1] {{
      (%k: i64, %u: T):{TERM}
        %w: T = add %u, %z
        yield %w
      }}
      store %t, %c, %i, %j"""

ADDED = f"""for %0, %d [step=1] {{
      (%k: i64):{TERM}
        accumulate %z, %c, %i, %j
        yield
      }}"""


def function(body: str, element: str = "f64") -> Function:
    text = PROGRAM.replace("BODY", body).replace(": T", f": {element}").replace("<T,", f"<{element},")
    return verify(parse_function(text), TABLE)


def native(body: str, element: str = "f64", **options: Any) -> Native:
    program = function(body, element)
    assert len(product_nests(program, TABLE)) == 1
    made = Native(emit_products(program, TABLE), **options)
    assert f"call void @product.{element}" in made.lowered.text
    return made


def expected(body: str, a: Any, b: Any, c: Any, s: Any) -> Any:
    """Term by term, product and sum rounded each: what the loops mean."""
    total = np.full_like(c, s) if body is STORED else c.copy()
    left = a * s if body is UPDATE else a
    for k in range(a.shape[1]):
        with np.errstate(invalid="ignore"):
            term = left[:, k : k + 1] * b[k]
            total = total - term if body is UPDATE else total + term
    return total


NATIVE: dict[Any, Native] = {}


def made(body: str, element: str) -> Native:
    if (body, element) not in NATIVE:
        NATIVE[body, element] = native(body, element)
    return NATIVE[body, element]


SIZES = (0, 1, 2, 3, 7, 8, 9, 16, 23, 24, 25, 31, 48, 49, 53)
DTYPES = {"f64": np.float64, "f32": np.float32}


def matrices(n: int, d: int, m: int, element: str, seed: int = 0) -> tuple[Any, ...]:
    random = np.random.default_rng(seed)
    arrays = (random.normal(size=size).astype(DTYPES[element]) for size in ((n, d), (d, m), (n, m)))
    return (*arrays, DTYPES[element](0.7))


def laid_out(array: Any, how: str) -> Any:
    """The same values in another place: transposed, every second or third element, backwards, not aligned."""
    n, m = array.shape
    if how == "C":
        return array.copy()
    if how == "F":
        return array.copy(order="F")
    if how == "apart":
        room = np.full((2 * n, 3 * m), np.nan, array.dtype)
        view = room[::2, ::3]
    elif how == "backwards":
        view = np.full((n, m), np.nan, array.dtype)[::-1, ::-1]
    else:
        raw = np.zeros(array.nbytes + 1, np.uint8)[1:]
        view = raw.view(array.dtype).reshape(n, m) if array.size else array.copy()
    view[...] = array
    return view


LAYOUTS = ("C", "F", "apart", "backwards", "unaligned")


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_every_bit_in_the_users_order(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from((UPDATE, STORED)))
    element = data.draw(st.sampled_from(("f64", "f32")))
    n, d, m = (data.draw(st.sampled_from(SIZES)) for _ in range(3))
    a, b, c, s = matrices(n, d, m, element, data.draw(st.integers(0, 9)))
    given_ = [laid_out(x, data.draw(st.sampled_from(LAYOUTS))) for x in (a, b, c)]
    made(body, element)(*given_, s)
    np.testing.assert_array_equal(given_[2], expected(body, a, b, c, s))
    np.testing.assert_array_equal(given_[0], a)
    np.testing.assert_array_equal(given_[1], b)


@pytest.mark.parametrize("body", [UPDATE, STORED], ids=["update", "stored"])
@pytest.mark.parametrize("element", ["f64", "f32"])
@pytest.mark.parametrize("shape", [(4, 257, 5), (3, 700, 30), (193, 5, 26), (401, 3, 7), (200, 300, 50)])
def test_blocks_of_terms_and_rows(body: str, element: str, shape: tuple[int, int, int]) -> None:
    a, b, c, s = matrices(*shape, element)
    wanted = expected(body, a, b, c, s)
    made(body, element)(a, b, c, s)
    np.testing.assert_array_equal(c, wanted)


@pytest.mark.parametrize("body", [UPDATE, STORED, ADDED], ids=["update", "stored", "added"])
def test_interpreter_plain_loops_and_product_agree(body: str) -> None:
    for n, d, m in ((1, 1, 1), (3, 4, 5), (9, 10, 11), (2, 0, 3), (0, 4, 4)):
        a, b, c, s = matrices(n, d, m, "f64")
        program, meant, plain = function(body), c.copy(), c.copy()
        interpret(program, TABLE, [a, b, meant, float(s)])
        Native(program)(a, b, plain, s)
        made(body, "f64")(a, b, c, s)
        if body is ADDED:
            np.testing.assert_allclose(c, meant, rtol=1e-13, atol=1e-14)
        else:
            np.testing.assert_array_equal(c, meant)
        np.testing.assert_allclose(plain, meant, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("element", ["f64", "f32"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (13, 29, 50), (64, 64, 64), (70, 300, 33)])
def test_free_sums(element: str, shape: tuple[int, int, int]) -> None:
    a, b, c, s = matrices(*shape, element)
    exact = c.astype(float) + a.astype(float) @ b.astype(float)
    made(ADDED, element)(a, b, c, s)
    bound = shape[1] * np.finfo(DTYPES[element]).eps * (np.abs(a).astype(float) @ np.abs(b).astype(float) + 1.0)
    assert np.all(np.abs(c - exact) <= bound)


def test_fastmath_frees_the_users_sums() -> None:
    a, b, c, s = matrices(20, 30, 40, "f64")
    wanted = expected(STORED, a, b, c, s)
    fast = native(STORED, fastmath=True)
    fast(a, b, c, s)
    np.testing.assert_allclose(c, wanted, rtol=1e-12, atol=1e-13)
    assert re_free(fast) == "true"
    assert re_free(made(STORED, "f64")) == "false"
    assert re_free(made(ADDED, "f64")) == "true"


def re_free(made: Native) -> str:
    """The argument of the call that says whether the sum is free."""
    (call,) = (line for line in made.lowered.text.splitlines() if "call void @product.f64" in line)
    return call.rsplit("i1 ", 1)[1].split(",")[0]


def test_narrower_vectors() -> None:
    a, b, c, s = matrices(37, 41, 43, "f64")
    wanted = expected(STORED, a, b, c, s)
    narrow = native(STORED, vector_math=NO_VECTOR_MATH)
    narrow(a, b, c, s)
    np.testing.assert_array_equal(c, wanted)
    assert "<4 x double>" in narrow.lowered.ready[0]
    assert "<8 x double>" not in narrow.lowered.ready[0]


@pytest.mark.parametrize("bits", [256, 512])
@pytest.mark.parametrize("value", [np.nan, np.inf, -0.0])
def test_what_is_special_stays_so(value: float, bits: int) -> None:
    a, b, c, s = matrices(11, 9, 10, "f64")
    a[4, 3], b[3, 7], c[0] = value, value, -0.0
    b[:, 0] = 0.0
    wanted = expected(UPDATE, a, b, c, s)
    options = {"vector_math": NO_VECTOR_MATH} if bits == 256 else {}
    native(UPDATE, **options)(a, b, c, s)
    np.testing.assert_array_equal(c, wanted)
    number = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(c[number]), np.signbit(wanted[number]))


def fenced(array: Any, after: bool) -> Any:
    """A copy whose last element is the last before a page that nobody may touch, or whose first the first after one."""
    page = mmap.PAGESIZE
    room = -(-max(array.nbytes, 1) // page) * page
    memory = mmap.mmap(-1, room + 2 * page)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protect = ctypes.CDLL(None).mprotect
    protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    assert protect(base, page, 0) == 0
    assert protect(base + page + room, page, 0) == 0
    start = page if after else page + room - array.nbytes
    copy = np.frombuffer(memory, array.dtype, array.size, start).reshape(array.shape)
    copy[...] = array
    return copy


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("element", ["f64", "f32"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (9, 10, 11), (17, 9, 25), (8, 8, 24), (30, 260, 31)])
def test_nothing_outside_is_touched(shape: tuple[int, int, int], element: str, after: bool) -> None:
    for order in ("C", "F"):
        a, b, c, s = matrices(*shape, element)
        wanted = expected(STORED, a, b, c, s)
        if order == "C":
            given_ = [fenced(x, after) for x in (a, b, c)]
        else:
            given_ = [fenced(np.ascontiguousarray(x.T), after).T for x in (a, b, c)]
        made(STORED, element)(*given_, s)
        np.testing.assert_array_equal(given_[2], wanted)


def test_packed_operands_are_scratch() -> None:
    """They are given back, count as nothing kept, and what is missing is said."""
    a, b, c, s = matrices(40, 50, 60, "f64")
    program = made(STORED, "f64")
    program(a, b, c, s)
    assert program.workspace_used == 0
    with pytest.raises(WorkspaceError, match="the workspace needs at least") as caught:
        program(a, b, c, s, workspace=1000)
    needed = int(str(caught.value).split("at least ")[1].split()[0])
    shape = blocked.shape(
        program.function.params[0].type.element, 512 if "<8 x double>" in program.lowered.ready[0] else 256
    )
    assert needed <= (40 + shape.rows + shape.columns) * 50 * 8 + 64
    program(a, b, c, s, workspace=needed)
    np.testing.assert_array_equal(c, expected(STORED, a, b, c, s))


@pytest.mark.usefixtures("always")
def test_random_nests() -> None:
    """Whatever is taken for a product does what its loops say: with offsets, factors, in any direction."""
    calls = 0

    @settings(max_examples=40, deadline=None)
    @given(random_nests(), st.integers(0, 9))
    def compare(before: Function, seed: int) -> None:
        nonlocal calls
        after = separate_products(before, TABLE)
        products = product_nests(after, TABLE)
        if not products:
            return
        calls += len(products)
        compiled = Native(emit_products(after, TABLE))
        for n in (0, 1, 5):
            found = []
            for run in (lambda x: interpret(after, TABLE, x), lambda x: compiled(*x)):
                given = memory(n, seed)
                with np.errstate(all="ignore"):
                    run(given)
                found.append(given[:4])
            assume(all(np.all(np.abs(x) < 2**50) for x in found[0]))
            for x, y in zip(*found, strict=True):
                np.testing.assert_array_equal(x, y)

    compare()
    assert calls > 10


TWICE = PROGRAM.replace("  return\n", """
  for %0, %n [product=True, step=1] {
  (%p: i64):
    for %0, %m [step=1] {
    (%q: i64):
      for %0, %d [step=1] {
      (%r: i64):
        %g: T = load %a, %p, %r
        %h: T = load %b, %r, %q
        %l: T = mul %g, %h
        accumulate %l, %c, %p, %q
        yield
      }
      yield
    }
    yield
  }
  return
""")  # fmt: skip


def test_two_products_share_code_and_memory() -> None:
    text = TWICE.replace("BODY", STORED).replace(": T", ": f64").replace("<T,", "<f64,")
    program = verify(parse_function(text), TABLE)
    twice = Native(emit_products(program, TABLE))
    assert twice.lowered.text.count("call void @product.f64") == 2
    assert len(twice.lowered.ready) == 1
    a, b, c, s = matrices(12, 13, 14, "f64")
    wanted = expected(STORED, a, b, c, s) + a @ b
    with pytest.raises(WorkspaceError) as caught:
        twice(a, b, c, s, workspace=64)
    twice(a, b, c, s, workspace=int(str(caught.value).split("at least ")[1].split()[0]))
    np.testing.assert_allclose(c, wanted, rtol=1e-13)


@pytest.mark.parametrize("element", ["f64", "f32"])
def test_the_code_is_the_objects_own(element: str) -> None:
    program = made(STORED, element)
    certificate = certify(program.artifact.object_code, program.artifact.llvm_ir)
    assert certificate.proven
    assert certificate.external_symbols == ()
    assert list(program.artifact.symbols) == ["kernel"]
    assert f"@product.ordered.{element}" in program.artifact.llvm_ir
