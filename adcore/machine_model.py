"""The machine model: every number that decides between correct forms, with the reason for it.

Nothing here can make a result wrong; it makes code slower, memory larger, or a compilation longer. The unit of work is
one addition of doubles, as in the `cost` of ops. The numbers were found by measuring on a few x86-64 processors; what a
processor could be asked for (registers, caches, width of vectors) is a field like any other until it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


def number(value: Any, reason: str) -> Any:
    """A number of the model, with what it stands for and why it is as large as it is."""
    return field(default=value, metadata={"reason": reason})


@dataclass(frozen=True)
class MachineModel:
    """One machine, and how much a compilation for it may try."""

    # What keeping a value costs

    byte_price: float = number(1.0, "How dear bytes are compared to operations; limits in bytes raise it.")
    byte_cost: float = number(
        2.0,
        "Cost of a kept byte, written once and read once, in additions: a double costs as much as a "
        "transcendental function, so storing never beats a legal load, and one log of overwritten memory "
        "beats two kept values.",
    )
    row_share: float = number(
        0.25, "Cost of putting a value down in a row that is reused, as a share of keeping it for good."
    )
    store_and_load: int = number(
        3, "Cost of the instructions that keeping any value takes: a stored bit is not cheaper than a compare."
    )
    guessed_trips: int = number(
        100, "Trips assumed for a loop whose count is unknown while compiling: only ratios of costs matter."
    )

    # What may be computed more than once

    most_recomputed: float = number(
        100.0, "What may be computed again for an element, in additions, to do without an array."
    )
    dear: float = number(
        4.0, "Nothing that costs as much as this (a division, a root, a power) is computed more often than before."
    )
    fewest_gathered: int = number(
        3, "Neighbours from which gathering wins: the sum that two leave to the next iteration vectorises as it is."
    )
    most_gathered_work: float = number(
        2.0, "How much more the gathered terms may cost than computing them once: what they share is computed for each."
    )
    most_in_vain: int = number(4, "Instructions that may be computed in vain.")

    # Registers, vectors, caches

    widest_chain: int = number(
        5, "Neighbours that one loop may touch in one array; each one more is a register carried."
    )
    bit_tile: int = number(512, "Iterations of a tile: long enough for vectors, short enough to stay in the cache.")
    short_bit_loop: int = number(32, "Iterations below which a loop writes its bits one by one.")
    most_bit_tiles: int = number(8, "Packed arrays that one loop may have in tiles: those are on the stack.")
    product_extent: int = number(10, "Iterations of each loop from which on the faster code is faster.")
    largest_new_array: int = number(
        1 << 24,
        "Elements that a new array may have: the nest as it was needs none, and may run where there is not so "
        "much memory.",
    )
    most_lanes: int = number(
        8, "Tangents that one sweep carries at once: two vectors of four doubles; more spill registers."
    )
    most_root_factors: int = number(
        8,
        "Factors of a product among which two equal roots are looked for: people write few, and products can be long.",
    )
    largest_batched_body: int = number(
        4000, "Instructions that a sweep may have with all its lanes: beyond, compiling takes longer than sweeping."
    )

    # How much a compilation may try

    most_summands: int = number(100_000, "A sum without a closed form is not computed over more iterations than this.")
    most_plans: int = number(300, "Plans tried beyond the convex hull: a large function is planned but once.")
    most_plan_nodes: int = number(30_000, "Nodes that the plans tried beyond the convex hull may have in all.")
    sample_sizes: tuple[int, ...] = number(
        (7, 16), "What dimensions and other sizes are taken to be, when a pair is tried on examples."
    )
    most_compared_loops: int = number(
        2,
        "Inside more common loops than this, accesses are taken to look alike only if they have the same "
        "subscripts in one nest: few pairs share so many loops, and finding out more would take a shape for "
        "each of them.",
    )
    most_rows: int = number(
        400, "Fourier-Motzkin gives up (answers that there may be a solution) above this many rows."
    )
    most_new_rows: int = number(
        6, "Removing an unknown that multiplies the rows by more is left to the test that needs it."
    )
    most_tried_values: int = number(6, "Values tried for one unknown: the first and the last of its range.")
    most_tried_points: int = number(
        64, "Points tried for one pair of accesses: what is left after that many, Fourier-Motzkin decides."
    )
    most_parallel_accesses: int = number(32, "Accesses that a loop may have: every pair of them is tested.")
    most_distributed_accesses: int = number(48, "Loads and stores that a nest may have: every pair of them is tested.")
    many_facts: int = number(
        40,
        "With more facts than this, only those that say something about a form directly are used to prove "
        "something of it: a proof must not take the longer, the more checks stand before it.",
    )
    most_steps: int = number(
        10_000,
        "Of loops with more steps only the first and the last are looked at; the limit holds at run time all the same.",
    )
    state_shares: tuple[float, ...] = number(
        (1.0, 0.5, 0.25, 0.1, 0.03, 0.0),
        "Parts of what a loop may keep beyond the least that are tried for its own states; steps get the rest.",
    )
    deep_nest: int = number(
        3, "Loops around a kept value from which on running its outermost loop's steps again is considered."
    )
    probe_size: int = number(64, "Every quantity's value when two formulas are compared, to see which is smaller.")
    most_selection_paths: int = number(
        64,
        "Ways through the choices of one iteration: beyond that, it is not a running maximum, and code would explode.",
    )
    most_selection_saved: int = number(8, "Integers that may be remembered beside the iteration.")
    simplify_rounds: int = number(
        4, "What a round takes out of a loop may let the next one do more; more than this has not been seen to pay."
    )
    range_folding_rounds: int = number(
        4, "A bound that is clamped twice takes two rounds: the second proof is one about the result of the first."
    )
    joint_fusion_trials: int = number(
        8,
        "Trials of joining the loops of many arrays at once, each without the arrays that stood in the way before.",
    )
    joint_fusion_rounds: int = number(4, "A round takes one level of loops from arrays; few have more dimensions.")
    assumption_rounds: int = number(
        3, "What a check in an inner loop says reaches the function's own region in as many steps as there are loops."
    )
    piece_lines: int = number(
        600,
        "The least lines of a piece that is outlined for LLVM, if loops are in it: its passes grow with a function.",
    )
    most_scheduled_lines: int = number(
        5000,
        "The longest text whose machine instructions LLVM may put into another order: short kernels run up to 9 % "
        "faster for it (logsumexp), straight code of 3,000 statements 6 % slower, and it takes long there.",
    )
    piece_lines_without_loops: int = number(6000, "The same of a piece without: plain code costs LLVM little as it is.")

    def reasons(self) -> dict[str, str]:
        """Why each number is what it is."""
        return {number.name: number.metadata["reason"] for number in fields(self)}


MODEL = MachineModel()
