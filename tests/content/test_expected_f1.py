"""The set with the largest expected F1, against the definition: every outcome, every set."""

from __future__ import annotations

import random
from itertools import combinations, product

import pytest

from expected_f1 import best_set


def f1(predicted: set[object], true: set[object]) -> float:
    return 2 * len(predicted & true) / (len(predicted) + len(true))


def expected(predicted: set[object], chances: list[float]) -> float:
    total = 0.0
    for outcome in product((0, 1), repeat=len(chances)):
        weight = 1.0
        for bought, chance in zip(outcome, chances, strict=True):
            weight *= chance if bought else 1 - chance
        true: set[object] = {index for index, bought in enumerate(outcome) if bought} or {"None"}
        total += weight * f1(predicted, true)
    return total


@pytest.mark.parametrize("seed", range(25))
def test_no_set_is_better(seed: int) -> None:
    rng = random.Random(seed)
    scale = rng.choice([0.05, 0.3, 1.0])
    chances = [round(scale * rng.random(), 3) for _ in range(rng.randint(1, 6))]
    found = best_set(chances)
    chosen: set[object] = set(found.chosen) | ({"None"} if found.none else set())
    assert found.expected_f1 == pytest.approx(expected(chosen, chances))
    everything: list[object] = [*range(len(chances)), "None"]
    sets = (set(each) for size in range(1, len(everything) + 1) for each in combinations(everything, size))
    assert found.expected_f1 == pytest.approx(max(expected(each, chances) for each in sets))


def test_none_is_predicted_when_nothing_is_likely() -> None:
    assert best_set([]) == ([], True, 1.0)
    found = best_set([0.01, 0.02])
    assert (found.chosen, found.none) == ([], True)
    assert found.expected_f1 == pytest.approx(0.99 * 0.98)


def test_certain_products_are_all_chosen() -> None:
    assert best_set([0.0, 1.0, 1.0, 1.0]) == ([1, 2, 3], False, pytest.approx(1.0))


def test_thousands_of_products_do_not_matter_when_few_are_likely() -> None:
    likely = [0.9, 0.8, 0.7]
    found = best_set([0.0] * 5000 + likely)
    assert found.chosen == [5000, 5001, 5002]
    assert found.expected_f1 == pytest.approx(best_set(likely).expected_f1)
