"""Tastes: whole numbers for products, such that products of the same customers have a large inner product.

What customers have in common is counted, divided by what is expected of the products' popularity, and factorised; the
strongest factors of the most bought products are kept. A customer's taste is the mean of what was bought, so the
customer's inner product with a product grows with how much likelier than others the customer is to want it.

Embeddings are rounded to one byte and tastes to two, so that inner products are sums of whole numbers below 2**24:
float32 has them exactly, whatever the order of the sum. So jobs that multiply matrices and a function that
multiplies number by number find the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from candidates import FACTORS, SMOOTHING, Shop
from shop.histories import offsets
from shop.split import before_targets

# So many products, the most bought, have an embedding: beyond them too little is known of each.
EMBEDDED = 2500
# Repetitions of the orthogonal iteration; the factors that matter stand still long before.
ITERATIONS = 30
# Added to the number of products before dividing by it: who bought two has no taste yet.
PRIOR_PRODUCTS = 5
# The largest value of an embedding, and how much finer a customer's taste is.
LARGEST, FINENESS = 127, 16
# How many products that suit a customer's taste become candidates.
SIMILAR = 150
# Customers worked on at a time, and pairs of products counted at a time.
CUSTOMERS, PAIRS = 1024, 4_000_000


class Tastes(NamedTuple):
    """Products with an embedding, ascending; the matrix of these, and how often each product was bought, smoothed."""

    products: np.ndarray
    embeddings: np.ndarray
    purchases: np.ndarray

    @classmethod
    def of_shop(cls, shop: Shop) -> Tastes:
        found = sorted(product_id for product_id, product in shop.products.items() if product.taste)
        return cls(
            np.array(found, np.int64),
            np.array([shop.products[product_id].taste for product_id in found], np.float32).reshape(-1, FACTORS),
            np.array([shop.products[product_id].orders + SMOOTHING for product_id in found], np.float32),
        )

    def of(self, owners: np.ndarray, products: np.ndarray, everyone: int) -> np.ndarray:
        """The tastes of customers, int16; `products` lists what `owners`, of `everyone`, bought, each once."""
        place, has = self._places(products)
        owners, place = owners[has], place[has]
        counts = np.bincount(owners, minlength=everyone)
        sums = np.zeros((everyone, FACTORS))
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        if len(starts):
            sums[owners[starts]] = np.add.reduceat(self.embeddings[place].astype(np.float64), starts)
        return np.rint(sums * FINENESS / (counts + PRIOR_PRODUCTS)[:, None]).astype(np.int16)

    def similar(self, tastes: np.ndarray, owners: np.ndarray, products: np.ndarray) -> np.ndarray:
        """Of the products that customers have not bought, those that suit each best, the best first: a row each.

        Where there are fewer than `SIMILAR`, -1 fills the row.
        """
        place, has = self._places(products)
        owners, place = owners[has], place[has]
        found = np.full((len(tastes), SIMILAR), -1, np.int32)
        most = min(SIMILAR, len(self.products))
        if not most:
            return found
        bounds = np.arange(0, len(tastes) + CUSTOMERS, CUSTOMERS)
        cuts = np.searchsorted(owners, bounds)
        for start, first, end in zip(bounds[:-1], cuts[:-1], cuts[1:], strict=True):
            suits = tastes[start : start + CUSTOMERS].astype(np.float32) @ self.embeddings.T
            suits *= self.purchases
            suits[owners[first:end] - start, place[first:end]] = -np.inf
            best = np.argpartition(-suits, most - 1, axis=1)[:, :most]
            best.sort(axis=1)
            values = np.take_along_axis(suits, best, 1)
            order = np.argsort(-values, axis=1, kind="stable")
            ids = np.where(np.isfinite(values), self.products[best], -1)
            found[start : start + CUSTOMERS, :most] = np.take_along_axis(ids, order, 1)
        return found

    def suits(self, tastes: np.ndarray, owners: np.ndarray, products: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What `Customer.suits` says of each of `products` to its owner, a row of `tastes`."""
        place, has = self._places(products)
        likeness, expected = np.full(len(products), np.nan), np.full(len(products), np.nan)
        place = place[has]
        likeness[has] = np.einsum("ij,ij->i", tastes[owners[has]].astype(np.float32), self.embeddings[place])
        expected[has] = likeness[has] * self.purchases[place]
        return likeness, expected

    def _places(self, products: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows of products in `embeddings`, and which of the products have one."""
        if not len(self.products):
            return np.zeros(len(products), np.int64), np.zeros(len(products), bool)
        place = np.minimum(np.searchsorted(self.products, products), len(self.products) - 1)
        return place, self.products[place] == products


def sample_customers(part: float) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What `part` of the customers bought before their targets, each product once; the customer decides who."""

    def sample(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            users = batch.column("user_id").to_numpy(zero_copy_only=False).astype(np.int64)
            history = before_targets(batch.filter(pa.array(users * 7919 % 10_007 < part * 10_007)))
            pairs = np.unique(history.owners.astype(np.int64) << 32 | history.products)
            _, sizes = np.unique(pairs >> 32, return_counts=True)
            blobs = ((pairs & 0xFFFF_FFFF).astype("<i4").tobytes(), sizes.astype("<i4").tobytes())
            yield pa.RecordBatch.from_pydict({"products": [blobs[0]], "sizes": [blobs[1]]})

    return sample


def embed(products: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most bought products, ascending, and their embeddings: int8, `FACTORS` numbers each.

    `products` is what customers bought, each product once, one customer after the other, and `sizes` how many.
    """
    popularity = np.bincount(products)
    ranked = np.lexsort((np.arange(len(popularity)), -popularity))[:EMBEDDED]
    embedded = np.sort(ranked[popularity[ranked] > 0])
    place = np.full(len(popularity), -1)
    place[embedded] = np.arange(len(embedded))
    owners, places = np.repeat(np.arange(len(sizes)), sizes), place[products]
    owners, places = owners[places >= 0], places[places >= 0]
    together = in_common(places, np.bincount(owners, minlength=len(sizes)), len(embedded))
    scale = 1 / np.sqrt(popularity[embedded] + SMOOTHING)
    together = (together * scale[:, None] * scale).astype(np.float32)
    factors = min(FACTORS, len(embedded) // 2)
    basis = np.random.default_rng(2017).standard_normal((len(embedded), factors)).astype(np.float32)
    for _ in range(ITERATIONS):
        basis, _ = np.linalg.qr(together @ basis)
    found = np.zeros((len(embedded), FACTORS))
    found[:, :factors] = basis * scale[:, None]
    largest = np.quantile(np.abs(found[:, :factors]), 0.999) if factors else 1.0
    return embedded, np.rint(np.clip(found / (largest or 1.0), -1, 1) * LARGEST).astype(np.int8)


def in_common(places: np.ndarray, sizes: np.ndarray, count: int) -> np.ndarray:
    """How much of what customers bought lies with each pair of `count` products; customers weigh about the same."""
    sums = np.zeros(count * count)
    starts = offsets(sizes)
    # Customers whose pairs are counted together, so that no list of all pairs is ever there.
    pairs = np.cumsum(sizes.astype(np.int64) ** 2)
    full = np.arange(0, pairs[-1] if len(pairs) else 0, PAIRS)
    cuts = np.unique(np.append(np.searchsorted(pairs, full), len(sizes)))
    for first, end in pairwise(cuts):
        own = sizes[first:end]
        left = np.repeat(np.arange(starts[first], starts[end], dtype=np.int32), np.repeat(own, own))
        # Each product of a customer in turn beside all of the customer's products.
        right = np.arange(len(left), dtype=np.int32) - np.repeat(offsets(np.repeat(own, own))[:-1], np.repeat(own, own))
        right += np.repeat(starts[first:end], own**2)
        keys = places[left] * count + places[right]
        sums += np.bincount(keys, np.repeat(1 / (own + PRIOR_PRODUCTS), own**2), minlength=len(sums))
    return sums.reshape(count, count)
