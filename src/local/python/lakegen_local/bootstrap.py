"""How sure a mean is: what it would have been for other users like these.

Users are drawn again with replacement; a user's groups, and the rows in them, come together. All numbers are taken from
the same draws, so that the difference of two is as sure as it really is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

CHUNK = 50
"""Draws that are in memory at a time."""


class Interval(NamedTuple):
    """A value, and between which values 95 % of the draws lie."""

    value: float
    low: float
    high: float


@dataclass
class Ratios:
    """Numbers that are a sum over users by another, by key."""

    users: int
    keys: list[tuple[str, ...]] = field(default_factory=list)
    _sums: list[np.ndarray] = field(default_factory=list)

    def add(self, key: tuple[str, ...], user: np.ndarray, values: np.ndarray) -> None:
        """The mean of `values`, each of the user with that number; those that are NaN do not count."""
        counted = ~np.isnan(values)
        user = user[counted]
        self.keys.append(key)
        self._sums.append(np.bincount(user, values[counted], self.users))
        self._sums.append(np.bincount(user, minlength=self.users).astype(float))

    def draw(self, draws: int, seed: int) -> Drawn:
        """All means, as they are and as they come out of the draws."""
        sums = np.stack(self._sums, axis=1) if self._sums else np.zeros((self.users, 0))
        random = np.random.default_rng(seed)
        results = []
        for begin in range(0, draws, CHUNK):
            rows = min(CHUNK, draws - begin)
            drawn = random.integers(0, self.users, (rows, self.users)) + np.arange(rows)[:, None] * self.users
            times = np.bincount(drawn.ravel(), minlength=rows * self.users).reshape(rows, self.users)
            results.append(times.astype(float) @ sums)
        places = {key: at for at, key in enumerate(self.keys)}
        return Drawn(places, _ratio(sums.sum(axis=0)[None])[0], _ratio(np.concatenate(results)))


def _ratio(sums: np.ndarray) -> np.ndarray:
    above, below = sums[:, 0::2], sums[:, 1::2]
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


class Drawn(NamedTuple):
    """Means by key, and a row of them for each draw."""

    places: dict[tuple[str, ...], int]
    means: np.ndarray
    drawn: np.ndarray

    def interval(self, *key: str) -> Interval:
        at = self.places[key]
        return _interval(self.means[at], self.drawn[:, at])

    def difference(self, key: tuple[str, ...], other: tuple[str, ...]) -> Interval:
        """How much the mean of `key` is above that of `other`."""
        at, off = self.places[key], self.places[other]
        return _interval(self.means[at] - self.means[off], self.drawn[:, at] - self.drawn[:, off])

    def auc(self, true: tuple[str, ...], false: tuple[str, ...]) -> Interval:
        """The area from its two halves; its draws are those of the halves, to first order."""
        at, off = self.places[true], self.places[false]
        return _interval(self.means[at], self.drawn[:, at] + self.drawn[:, off] - self.means[off])


def _interval(value: float, drawn: np.ndarray) -> Interval:
    drawn = drawn[~np.isnan(drawn)]
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
    return Interval(float(value), float(low), float(high))
