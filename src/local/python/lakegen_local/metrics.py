"""Measures of rankings and of probabilities, for many groups at once.

A ranking is judged by the ranks that it gives to the targets alone, 0 for the best and `MISSING` for a target that it
does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

MISSING = np.iinfo(np.int64).max


class Targets(NamedTuple):
    """What should have been at the top: the number of its group, from 0 to `groups` - 1, of each."""

    group: np.ndarray
    groups: int

    def sizes(self) -> np.ndarray:
        return np.bincount(self.group, minlength=self.groups)


def ranks_within(groups: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The rank of each row among those of its group, the highest score first; of equals the earlier, NaN last."""
    order = np.lexsort((-scores, groups))
    sorted_groups = groups[order]
    starts = np.flatnonzero(np.diff(sorted_groups, prepend=sorted_groups[:1] - 1))
    lengths = np.diff(np.append(starts, len(groups)))
    ranks = np.empty(len(groups), np.int64)
    ranks[order] = np.arange(len(groups)) - np.repeat(starts, lengths)
    return ranks


def per_group(name: str, targets: Targets, ranks: np.ndarray) -> np.ndarray:
    """A measure like `ndcg@10` of every group; NaN of a group without targets."""
    measure, _, k = name.partition("@")
    values = _MEASURES[measure](targets, ranks, int(k) if k else 0)
    return np.where(targets.sizes() > 0, values, np.nan)


def _recall(targets: Targets, ranks: np.ndarray, k: int) -> np.ndarray:
    return _per_target(targets, (ranks < k).astype(float))


def _candidate_recall(targets: Targets, ranks: np.ndarray, _k: int) -> np.ndarray:
    return _per_target(targets, (ranks != MISSING).astype(float))


def _ndcg(targets: Targets, ranks: np.ndarray, k: int) -> np.ndarray:
    gains = 1 / np.log2(np.arange(k) + 2)
    inside = ranks < k
    gained = np.bincount(targets.group[inside], gains[ranks[inside]], targets.groups)
    # The best ranking has no more than k items either.
    return gained / np.cumsum(gains)[np.clip(targets.sizes(), 1, k) - 1]


def _hit(targets: Targets, ranks: np.ndarray, k: int) -> np.ndarray:
    return (_best_rank(targets, ranks) < k).astype(float)


def _mrr(targets: Targets, ranks: np.ndarray, k: int) -> np.ndarray:
    best = _best_rank(targets, ranks)
    return np.where(best < k, 1 / (np.minimum(best, k) + 1), 0.0)


def _map(targets: Targets, ranks: np.ndarray, _k: int) -> np.ndarray:
    order = np.lexsort((ranks, targets.group))
    group, rank = targets.group[order], ranks[order]
    starts = np.cumsum(targets.sizes()) - targets.sizes()
    found = np.arange(len(group)) - starts[group] + 1
    precision = np.zeros(len(ranks))
    precision[order] = np.where(rank == MISSING, 0.0, found / (rank.astype(float) + 1))
    return _per_target(targets, precision)


def _per_target(targets: Targets, values: np.ndarray) -> np.ndarray:
    return np.bincount(targets.group, values, targets.groups) / np.maximum(targets.sizes(), 1)


def _best_rank(targets: Targets, ranks: np.ndarray) -> np.ndarray:
    best = np.full(targets.groups, MISSING)
    np.minimum.at(best, targets.group, ranks)
    return best


_MEASURES: dict[str, Callable[[Targets, np.ndarray, int], np.ndarray]] = {
    "recall": _recall,
    "candidate_recall": _candidate_recall,
    "ndcg": _ndcg,
    "hit": _hit,
    "mrr": _mrr,
    "map": _map,
}


def logloss(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Of each row: the negative logarithm of the probability that was given to what happened."""
    p = np.clip(probabilities.astype(float), 1e-7, 1 - 1e-7)
    return -np.log(np.where(labels > 0, p, 1 - p))


class Auc(NamedTuple):
    """Of each row that came true, the part of the others with a lower score; of each other, of those with a higher."""

    of_true: np.ndarray
    of_false: np.ndarray

    def value(self) -> float:
        return float(self.of_true.mean()) if len(self.of_true) and len(self.of_false) else float("nan")


def auc(scores: np.ndarray, labels: np.ndarray) -> Auc:
    """The two halves of the area under the ROC curve, in the order of the rows; equal scores count one half."""
    true, false = scores[labels > 0], scores[labels <= 0]

    def below(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
        others = np.sort(others)
        return (np.searchsorted(others, ones) + np.searchsorted(others, ones, side="right")) / (2 * max(len(others), 1))

    return Auc(below(true, false), 1 - below(false, true))


def f1_per_group(targets: Targets, ranks: np.ndarray, sizes: np.ndarray, none: np.ndarray) -> np.ndarray:
    """F1 of each group for the first `sizes` items, with None where `none`; without targets the truth is None."""
    right = np.bincount(targets.group[ranks < sizes[targets.group]], minlength=targets.groups)
    truth = targets.sizes()
    said = sizes + none
    return np.where(truth > 0, 2 * right / np.maximum(said + truth, 1), np.where(none, 2 / (said + 1), 0.0))
