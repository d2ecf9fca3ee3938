"""What lies in the same baskets: for each product the others, the strongest first.

A sample of baskets is taken, as large as it is asked to be, and given to every worker; each then finds the neighbours
of its share of the products. So the work is divided without a shuffle, and all pairs of products are never anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from shop.histories import offsets
from shop.split import before_targets

NEIGHBOUR = pa.schema(
    [
        ("product_id", pa.int32()),
        ("neighbour_id", pa.int32()),
        ("rank", pa.int32()),
        ("baskets", pa.int64()),
        ("strength", pa.float32()),
    ]
)
# So many places of a basket are looked at: what a party buys says little of what goes together.
PLACES = 40
# Added to the number of baskets before dividing by it: what was seen twice proves little.
PRIOR_BASKETS = 10.0
# How much its own popularity counts against a neighbour: between the chance that it comes along (0), which favours what
# everybody buys, and the lift (1), which favours what hardly anybody does.
DAMPING = 0.3


class Baskets(NamedTuple):
    """A sample of baskets: their products one after the other, and where each basket begins and the last one ends."""

    products: np.ndarray
    starts: np.ndarray


def sample_baskets(part: float) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The baskets of `part` of the orders, those of some customers in a row. Customer and number decide which ones."""

    def sample(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            history = before_targets(batch)
            owners, orders = history.owners, history.orders
            draw = (history.users[owners].astype(np.int64) * 7919 + orders * 104_729) % 10_007
            chosen = (draw < part * 10_007) & (history.positions <= PLACES)
            _, sizes = np.unique((owners << 16 | orders)[chosen], return_counts=True)
            blobs = (history.products[chosen].astype("<i4").tobytes(), sizes.astype("<i4").tobytes())
            yield pa.RecordBatch.from_pydict({"products": [blobs[0]], "sizes": [blobs[1]]})

    return sample


def neighbours(sample: Any, most: int) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The `most` strongest neighbours of the products whose ids come in; `sample` is a broadcast of Baskets.

    A product's baskets are found and their products counted: nothing of the size of all pairs is ever there.
    """

    def find(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        products, starts = sample.value
        sizes = np.diff(starts)
        owners = np.repeat(np.arange(len(sizes)), sizes)
        popularity = np.bincount(products)
        by_product, first = np.argsort(products, kind="stable"), offsets(popularity)
        for batch in batches:
            found = []
            for product in batch.column("product_id").to_pylist():
                if product >= len(popularity) or not popularity[product]:
                    continue
                own = owners[by_product[first[product] : first[product + 1]]]
                # The places of everything in these baskets.
                within = np.arange(sizes[own].sum()) - np.repeat(offsets(sizes[own])[:-1], sizes[own])
                near, counts = np.unique(products[np.repeat(starts[own], sizes[own]) + within], return_counts=True)
                # Two that met once met by chance.
                kept = (near != product) & (counts > 1)
                near, counts = near[kept], counts[kept]
                strength = counts / (len(own) + PRIOR_BASKETS) / (popularity[near] + PRIOR_BASKETS) ** DAMPING
                order = np.lexsort((near, -strength.astype("<f4")))[:most]
                ranks = np.arange(1, len(order) + 1)
                found.append((np.full(len(order), product), near[order], ranks, counts[order], strength[order]))
            columns = [np.concatenate(each) for each in zip(*found, strict=True)] or [np.empty(0)] * len(NEIGHBOUR)
            yield pa.RecordBatch.from_arrays(
                [
                    pa.array(column.astype(field.type.to_pandas_dtype()))
                    for column, field in zip(columns, NEIGHBOUR, strict=True)
                ],
                schema=NEIGHBOUR,
            )

    return find
