"""The decision that maximises expected F1, against every subset and every truth."""

from __future__ import annotations

import itertools
import math
import random
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "src" / "local" / "python"))

from lakegen_local.expected_f1 import best_sets

NONE = "None"


def expected(chosen: frozenset[object], probabilities: list[float]) -> float:
    """Over all that can come true: its probability by the F1 of `chosen`."""
    total = 0.0
    for outcome in itertools.product([False, True], repeat=len(probabilities)):
        weight = math.prod(p if true else 1 - p for p, true in zip(probabilities, outcome, strict=True))
        truth = {item for item, true in enumerate(outcome) if true} or {NONE}
        total += weight * 2 * len(chosen & truth) / (len(chosen) + len(truth))
    return total


def best_by_force(probabilities: list[float]) -> float:
    words = [*range(len(probabilities)), NONE]
    subsets = itertools.chain.from_iterable(itertools.combinations(words, size) for size in range(1, len(words) + 1))
    return max(expected(frozenset(subset), probabilities) for subset in subsets)


def flat(groups: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return numbers, np.array([p for group in groups for p in sorted(group, reverse=True)])


def test_the_best_set_is_the_best_of_all_subsets() -> None:
    rng = random.Random(2017)
    groups = [[rng.random() ** rng.choice([1, 3, 9]) for _ in range(rng.randint(0, 6))] for _ in range(60)]
    groups += [[0.0], [1.0], [0.5, 0.5], [1.0, 0.0, 0.0], [0.01] * 6, [0.99] * 6]
    best = best_sets(*flat(groups), len(groups))
    for group, size, none, value in zip(groups, best.sizes, best.none, best.expected, strict=True):
        chosen = frozenset([*range(size), *([NONE] if none else [])])
        assert value == pytest.approx(expected(chosen, sorted(group, reverse=True)), abs=1e-12)
        assert value == pytest.approx(best_by_force(group), abs=1e-12)


def slowly(p: list[float]) -> float:
    """The best expected F1 by the definition, with the exact distribution of every prefix and rest."""

    def distribution(items: list[float]) -> list[float]:
        counts = [1.0]
        for item in items:
            counts = [
                (counts[at] * (1 - item) if at < len(counts) else 0) + (counts[at - 1] * item if at else 0)
                for at in range(len(counts) + 1)
            ]
        return counts

    nothing = math.prod(1 - item for item in p)
    best = nothing
    for k in range(1, len(p) + 1):
        hits, rest = distribution(p[:k]), distribution(p[k:])
        for said in (k, k + 1):
            value = sum(
                h * r * 2 * right / (said + right + other)
                for right, h in enumerate(hits)
                for other, r in enumerate(rest)
            )
            best = max(best, value + (nothing * 2 / (k + 2) if said > k else 0))
    return best


@pytest.mark.parametrize(("length", "power"), [(15, 1), (40, 1), (40, 6), (90, 3)])
def test_long_groups_are_as_good_as_the_definition(length: int, power: int) -> None:
    rng = random.Random(length * power)
    groups = [sorted((rng.random() ** power for _ in range(length)), reverse=True) for _ in range(4)]
    groups.append([0.95] * length)
    best = best_sets(*flat(groups), len(groups))
    for group, value in zip(groups, best.expected, strict=True):
        assert value == pytest.approx(slowly(group), abs=1e-10)


def test_groups_without_items_foretell_none() -> None:
    best = best_sets(np.array([1, 1]), np.array([0.9, 0.1]), 3)
    assert best.sizes.tolist() == [0, 1, 0]
    assert best.none.tolist() == [True, False, True]
    assert best.expected[[0, 2]].tolist() == [1, 1]
