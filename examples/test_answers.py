"""Short answers to what people ask who wonder why their gradient allocates; the README has them in words."""

import numpy as np

import adcore as ad


def fill(matrices, vector):
    for i in range(len(vector)):
        matrix = matrices[i]
        a = vector[i]
        column = (a, a, a)
        for j in range(3):
            matrix[j, 0] = column[j]
        matrix[0, 0] = vector[i]


def filled(matrices, vector):
    fill(matrices, vector)
    return matrices[2][0, 0]


def arguments():
    vector = np.array([1.0, 2.0, 3.0])
    matrices = [np.zeros((3, 1)) for _ in vector]
    shadows = [np.zeros((3, 1)) for _ in vector]
    return matrices, shadows, vector, np.zeros(3)


def squares_in_place(x):
    for i in range(len(x)):
        x[i] = x[i] * x[i]
    return np.sum(x)


def add(out, x, y):
    for i in range(len(out)):
        out[i] = x[i] + y[i]


def test_a_list_of_matrices_that_is_written(adalloc):
    """Nothing is kept: no value that is overwritten is needed again."""
    matrices, _, vector, _ = arguments()
    report = adalloc.check(filled, matrices, vector, max_workspace=0)
    assert report.workspace_bytes == 0


def test_where_the_annotations_are_made_does_not_matter(adalloc):
    """Made in the call or outside of it, they are objects of Python: no native memory is asked for."""
    matrices, shadows, vector, shadow = arguments()

    def made_inside():
        ad.autodiff(ad.Reverse, filled, ad.Duplicated(matrices, shadows), ad.Duplicated(vector, shadow))

    both = ad.Duplicated(matrices, shadows), ad.Duplicated(vector, shadow)

    def made_outside():
        ad.autodiff(ad.Reverse, filled, *both)

    for call in (made_inside, made_outside):
        allocations = adalloc.measure(call, warmup=3)
        assert allocations.pattern == "none"
        assert allocations.python["obj"].calls > 0  # a column of its own
    call = ad.compile(filled, *both).bind(matrices, shadows, vector, shadow)
    bound = adalloc.measure(call)
    assert bound.pattern == "none"
    assert not any(column.calls for column in bound.python.values())  # not even an object


def test_an_allowance(adalloc):
    """Fast but allocating is good enough for you: say how much, and more than that still fails."""
    report = adalloc.check(squares_in_place, np.linspace(1.0, 2.0, 4), workspace="heap", max_allocs=1)
    assert set(report.allocs_per_call) == {1}
    assert report.bytes_per_call[0] == 32


def test_a_sum_needs_neither_operand(adalloc):
    """`x + y`: no derivative reads x or y, so even `out` may be `x`."""
    out = np.zeros(4)
    adalloc.check(add, out, np.ones(4), np.ones(4), max_workspace=0)
    same = ad.Duplicated(out, np.ones(4))
    assert ad.compile(add, same, same, ad.Const(np.ones(4))).workspace_bytes == 0


def test_const_says_nothing_about_overlap():
    """`Const` is an argument without derivative. Whether it shares memory with another one is looked up."""
    x, dx = np.array([2.0, 3.0]), np.zeros(2)
    scale = np.array([4.0, 5.0])

    def scaled(x, scale):
        for i in range(len(x)):
            x[i] = x[i] * scale[i]
        return x[0] + x[1]

    ad.autodiff(ad.Reverse, scaled, ad.Duplicated(x, dx), ad.Const(scale))
    assert dx.tolist() == [4.0, 5.0]
    assert ad.compile(scaled, ad.Duplicated(x, dx), ad.Const(scale)).workspace_bytes == 0


def test_the_generated_code_can_be_read():
    x = np.linspace(1.0, 2.0, 4)
    g = ad.compile(squares_in_place, ad.Duplicated(x, np.zeros(4)))
    assert "x[i]" in str(g.explain())  # what is kept, and why
    assert "func" in g.stage("gradient")  # the derivative, in the compiler's small language
    assert "define " in g.llvm_ir
    assert g.assembly


def test_a_split_gradient_keeps_the_same(adalloc):
    """Forward and reverse sweep as two calls: one workspace between them, and nothing else."""
    x, dx = np.linspace(1.0, 2.0, 4), np.zeros(4)
    whole = ad.compile(squares_in_place, ad.Duplicated(x.copy(), dx))
    split = ad.compile(squares_in_place, ad.Duplicated(x.copy(), dx), mode=ad.ReverseSplit)
    assert split.workspace_bytes == whole.workspace_bytes == 32
