"""The set of items with the highest expected F1, for many groups at once.

Every item comes true by itself with its probability. When none does, the truth is the one word None, which can be
foretold as well, alone or beside items. Of all sets of one size that of the most probable items is the best, so that
only the size is to be found.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

BLOCK = 512
"""Groups that are worked on together."""


class Best(NamedTuple):
    """Of each group: how many of its most probable items, whether None beside them, and the F1 to be expected."""

    sizes: np.ndarray
    none: np.ndarray
    expected: np.ndarray


def best_sets(groups: np.ndarray, probabilities: np.ndarray, count: int) -> Best:
    """The best set of each of `count` groups.

    `groups` numbers them from 0 and ascends, with the group's probabilities descending. A group without items foretells
    None.
    """
    lengths = np.bincount(groups, minlength=count)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    best = Best(np.zeros(count, np.int64), np.ones(count, bool), np.ones(count))
    # Groups of about the same length go together, so that little is filled up.
    by_length = np.argsort(lengths, kind="stable")
    by_length = by_length[np.searchsorted(lengths[by_length], 1) :]
    for begin in range(0, len(by_length), BLOCK):
        block = by_length[begin : begin + BLOCK]
        width = lengths[block].max()
        columns = np.arange(width)
        inside = columns < lengths[block][:, None]
        filled = np.where(inside, probabilities[np.minimum(starts[block][:, None] + columns, len(groups) - 1)], 0.0)
        for whole, part in zip(best, _block(filled.astype(np.float64)), strict=True):
            whole[block] = part
    return best


def _block(p: np.ndarray) -> Best:
    """`p` has a row per group, descending."""
    nothing = np.prod(1 - p, axis=1)
    best = Best(np.zeros(len(p), np.int64), np.ones(len(p), bool), nothing.copy())
    open_rows, done, limit = np.arange(len(p)), 0, min(16, p.shape[1])
    while len(open_rows):
        plain, with_none = _expected(p[open_rows], nothing[open_rows], done, limit)
        values = np.stack([plain, with_none], axis=2).reshape(len(open_rows), -1)
        at = values.argmax(axis=1)
        found = values[np.arange(len(at)), at]
        better = found > best.expected[open_rows]
        rows = open_rows[better]
        best.expected[rows] = found[better]
        best.sizes[rows] = done + 1 + at[better] // 2
        best.none[rows] = at[better] % 2 == 1
        if limit == p.shape[1]:
            break
        # A set of k items expects at most 2 * (their sum) / (k + 1), and None adds at most 2 * nothing / (k + 2).
        bound = 2 * p[open_rows].sum(axis=1) / (limit + 2) + 2 * nothing[open_rows] / (limit + 3)
        open_rows = open_rows[bound > best.expected[open_rows]]
        done, limit = limit, min(2 * limit, p.shape[1])
    return best


def _expected(p: np.ndarray, nothing: np.ndarray, done: int, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Expected F1 of the first k items, and of these with None, for k from `done` + 1 to `limit`: a column per k."""
    rows = len(p)
    # Beyond `most` the number of items that come true has a probability below 1e-13 (Bernstein's inequality).
    mean = float(p.sum(axis=1).max())
    most = min(p.shape[1], math.ceil(mean + 10 + math.sqrt(100 + 60 * mean)))
    rest = np.zeros((rows, most + 1))
    rest[:, 0] = 1
    for item in range(p.shape[1] - 1, limit - 1, -1):
        _add(rest, p[:, item])
    rests = [rest]
    for item in range(limit - 1, done, -1):
        rest = rest.copy()
        _add(rest, p[:, item])
        rests.append(rest)
    rests.reverse()
    hits = np.zeros((rows, limit + 1))
    hits[:, 0] = 1
    for item in range(done):
        _add(hits, p[:, item])
    plain, with_none = np.empty((rows, limit - done)), np.empty((rows, limit - done))
    others = np.arange(most + 1)
    for column, k in enumerate(range(done + 1, limit + 1)):
        _add(hits, p[:, k - 1])
        right = np.arange(k + 1)[:, None]
        for out, said in ((plain, k), (with_none, k + 1)):
            gain = 2 * right / (said + right + others)
            out[:, column] = ((hits[:, : k + 1] @ gain) * rests[column]).sum(axis=1)
        with_none[:, column] += nothing * 2 / (k + 2)
    return plain, with_none


def _add(counts: np.ndarray, p: np.ndarray) -> None:
    """One more item, in place: `counts` has the probability of each number of items that come true."""
    p = p[:, None]
    shifted = counts[:, :-1] * p
    counts *= 1 - p
    counts[:, 1:] += shifted
