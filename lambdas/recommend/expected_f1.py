"""The set of products that can be expected to score best by F1, from the probability of each to be bought.

An order is scored by the F1 of the predicted and the true set, where an empty set is written as the one element "None".
For independent products the best set of any size holds the most probable ones; which size is best, and whether "None"
belongs to it, follows from two distributions: how many of the chosen are bought, and how many of the others. Both come
by dynamic programming, in time quadratic in the number of products (Ye et al., "Optimizing F-measure", ICML 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

# More products than these are as good as never bought: the others beside them decide.
CONSIDERED = 120
# A set is not made larger than this.
LARGEST = 60


class BestSet(NamedTuple):
    """Indices into the probabilities, the most probable first; whether "None" is predicted; the F1 to be expected."""

    chosen: list[int]
    none: bool
    expected_f1: float


def best_set(probabilities: Sequence[float]) -> BestSet:
    """The set with the largest expected F1; the smaller one of two that are equally good."""
    order = sorted(range(len(probabilities)), key=lambda index: (-probabilities[index], index))[:CONSIDERED]
    chances = [min(max(float(probabilities[index]), 0.0), 1.0) for index in order]
    nothing = 1.0
    for chance in chances:
        nothing *= 1.0 - chance
    # Predicting "None" alone is right when nothing is bought.
    best = BestSet([], True, nothing)
    most = min(len(chances), LARGEST)
    inverses = _inverse_sizes(chances, most)
    hits = [1.0]  # hits[h]: the chance that exactly h of the first `size` products are bought
    for size in range(1, most + 1):
        chance = chances[size - 1]
        hits = [
            stays * (1.0 - chance) + comes * chance for stays, comes in zip([*hits, 0.0], [0.0, *hits], strict=True)
        ]
        # F1 = 2 h / (predicted + bought); bought = h + the number among the others.
        plain = sum(2.0 * h * hit * inverse for h, (hit, inverse) in enumerate(zip(hits, inverses[size], strict=False)))
        with_none = 2.0 * nothing / (size + 2.0) + sum(
            2.0 * h * hit * inverse for h, (hit, inverse) in enumerate(zip(hits, inverses[size][1:], strict=False))
        )
        for none, expected in ((False, plain), (True, with_none)):
            if expected > best.expected_f1 + 1e-12:
                best = BestSet(order[:size], none, expected)
    return best


def _inverse_sizes(chances: list[float], most: int) -> list[list[float]]:
    """`[size][h]`: the mean of 1 / (size + h + number bought of those after the first `size`), for h to `size` + 1."""
    count = len(chances)
    row = [1.0 / max(total, 1) for total in range(count + most + 3)]  # nothing is left: 1 / total
    kept: list[list[float]] = [[]] * (most + 1)
    for size in range(count, -1, -1):
        if size < count:
            chance = chances[size]
            row = [stays * (1.0 - chance) + comes * chance for stays, comes in pairwise(row)]
        if size <= most:
            kept[size] = row[size : 2 * size + 2]
    return kept
