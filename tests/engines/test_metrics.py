"""Measures of rankings: small cases by hand, and a slow independent count of the same."""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "src" / "local" / "python"))

from lakegen_local.bootstrap import Ratios
from lakegen_local.metrics import MISSING, Targets, auc, f1_per_group, logloss, per_group, ranks_within


def one(metric: str, ranks: list[int]) -> float:
    """The metric of a single group whose targets have these ranks."""
    return float(per_group(metric, Targets(np.zeros(len(ranks), int), 1), np.array(ranks))[0])


def test_by_hand() -> None:
    # Three targets: first, third, and not a candidate.
    ranks = [0, 2, MISSING]
    assert one("recall@1", ranks) == pytest.approx(1 / 3)
    assert one("recall@10", ranks) == pytest.approx(2 / 3)
    assert one("candidate_recall", ranks) == pytest.approx(2 / 3)
    assert one("hit@10", ranks) == 1
    assert one("mrr@10", ranks) == 1
    assert one("map", ranks) == pytest.approx((1 / 1 + 2 / 3) / 3)
    # log2(2) = 1, log2(4) = 2; the best ranking has the three at the top.
    assert one("ndcg@10", ranks) == pytest.approx((1 + 1 / 2) / (1 + 1 / math.log2(3) + 1 / 2))
    # The best ranking of two places has two items.
    assert one("ndcg@2", ranks) == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert one("mrr@10", [4, 7]) == pytest.approx(1 / 5)
    assert one("mrr@10", [10]) == 0
    assert one("hit@10", [10]) == 0
    assert one("hit@11", [10]) == 1


def test_a_group_without_targets_has_no_value() -> None:
    values = per_group("recall@10", Targets(np.array([0, 2]), 3), np.array([0, 50]))
    assert values[0] == 1
    assert math.isnan(values[1])
    assert values[2] == 0


def test_equal_scores_keep_their_order_and_no_score_comes_last() -> None:
    groups = np.array([0, 0, 0, 0, 1, 1])
    scores = np.array([0.5, 0.7, 0.5, np.nan, np.nan, 0.1])
    assert ranks_within(groups, scores).tolist() == [1, 0, 2, 3, 1, 0]


def slowly(metric: str, wanted: set[int], ranking: list[int]) -> float:
    """A metric of one group straight from its definition."""
    name, _, number = metric.partition("@")
    k = int(number) if number else len(ranking)
    top = ranking[:k]
    hits = [item in wanted for item in top]
    if name == "recall":
        return sum(hits) / len(wanted)
    if name == "hit":
        return float(any(hits))
    if name == "mrr":
        return next((1 / place for place, hit in enumerate(hits, 1) if hit), 0.0)
    if name == "map":
        return sum(sum(hits[:place]) / place for place, hit in enumerate(hits, 1) if hit) / len(wanted)
    gain = sum(1 / math.log2(place + 1) for place, hit in enumerate(hits, 1) if hit)
    return gain / sum(1 / math.log2(place + 1) for place in range(1, min(k, len(wanted)) + 1))


@pytest.mark.parametrize("metric", ["recall@3", "recall@10", "ndcg@3", "ndcg@10", "hit@3", "mrr@3", "mrr@10", "map"])
def test_against_the_definition(metric: str) -> None:
    rng = random.Random(metric)
    group, ranks, expected = [], [], []
    for number in range(200):
        ranking = rng.sample(range(40), rng.randint(1, 30))
        wanted = set(rng.sample(range(40), rng.randint(1, 15)))
        expected.append(slowly(metric, wanted, ranking))
        for item in wanted:
            group.append(number)
            ranks.append(ranking.index(item) if item in ranking else MISSING)
    values = per_group(metric, Targets(np.array(group), 200), np.array(ranks))
    assert values == pytest.approx(expected, abs=1e-12)


def test_auc_is_the_part_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(1)
    scores, labels = rng.integers(0, 8, 120) / 8, rng.integers(0, 2, 120)
    pairs = [(t > f) + 0.5 * (t == f) for t in scores[labels == 1] for f in scores[labels == 0]]
    halves = auc(scores, labels)
    assert halves.value() == pytest.approx(np.mean(pairs))
    assert halves.of_false.mean() == pytest.approx(np.mean(pairs))
    assert math.isnan(auc(scores, np.zeros(120)).value())


def test_logloss() -> None:
    assert logloss(np.array([0.8, 0.2, 0.0]), np.array([1, 0, 0])) == pytest.approx(
        [-math.log(0.8), -math.log(0.8), 0], abs=1e-6
    )
    assert math.isfinite(logloss(np.array([0.0]), np.array([1]))[0])


def test_f1_counts_none() -> None:
    # Groups: two targets; none; none; one.
    targets = Targets(np.array([0, 0, 3]), 4)
    ranks = np.array([0, 5, MISSING])
    sizes, none = np.array([2, 0, 1, 2]), np.array([False, True, True, False])
    assert f1_per_group(targets, ranks, sizes, none).tolist() == pytest.approx([2 * 1 / (2 + 2), 1, 2 / 3, 0])
    assert f1_per_group(targets, ranks, sizes, np.zeros(4, bool)).tolist()[1:3] == [0, 0]


def test_users_are_drawn_with_all_that_is_theirs() -> None:
    """Every user has ten equal values: the interval is that of 200 values, not of 2,000."""
    rng = np.random.default_rng(3)
    mean_of_user = rng.normal(5, 1, 200)
    ratios = Ratios(200)
    ratios.add(("a",), np.repeat(np.arange(200), 10), np.repeat(mean_of_user, 10))
    ratios.add(("b",), np.repeat(np.arange(200), 10), np.repeat(mean_of_user, 10) - 0.1)
    drawn = ratios.draw(2000, 7)
    value, low, high = drawn.interval("a")
    assert value == pytest.approx(mean_of_user.mean())
    standard_error = mean_of_user.std() / math.sqrt(200)
    assert (high - low) / 2 == pytest.approx(1.96 * standard_error, rel=0.1)
    assert drawn.difference(("a",), ("b",)) == pytest.approx((0.1, 0.1, 0.1))
    assert ratios.draw(2000, 7).interval("a") == drawn.interval("a")


def test_the_interval_of_an_area_is_that_of_the_whole_bootstrap() -> None:
    """The draws of the two halves are as wide as areas that are computed anew in each draw."""
    rng = np.random.default_rng(5)
    users = np.repeat(np.arange(150), 8)
    labels = rng.random(1200) < 0.3
    scores = labels * 0.7 + rng.normal(0, 1, 1200) + np.repeat(rng.normal(0, 0.7, 150), 8)
    halves = auc(scores, labels)
    ratios = Ratios(150)
    ratios.add(("true",), users[labels], halves.of_true)
    ratios.add(("false",), users[~labels], halves.of_false)
    value, low, high = ratios.draw(1000, 1).auc(("true",), ("false",))
    again = []
    for _ in range(1000):
        rows = (rng.integers(0, 150, 150)[:, None] * 8 + np.arange(8)).ravel()
        again.append(auc(scores[rows], labels[rows]).value())
    assert value == pytest.approx(halves.value())
    assert high - low == pytest.approx(np.quantile(again, 0.975) - np.quantile(again, 0.025), rel=0.12)


def test_a_value_of_nobody_is_no_number() -> None:
    ratios = Ratios(3)
    ratios.add(("nobody",), np.array([0, 1]), np.array([np.nan, np.nan]))
    assert all(math.isnan(value) for value in ratios.draw(10, 0).interval("nobody"))
