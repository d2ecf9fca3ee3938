"""Who teaches, who measures, and which of their orders are to be foreseen.

Customers are split by their id alone, so that a split stays as data grows, and so that the habits of one never sit on
both sides. The customers who measure have their last known order as target, those who teach up to `targets` last ones.
"""

from __future__ import annotations

import zlib

import numpy as np
import pyarrow as pa

from shop.histories import Histories

TEST_PERCENT, VALIDATION_PERCENT = 15, 15
TARGETS = 3


def roles(users: np.ndarray, orders: np.ndarray, part: float) -> tuple[list[str | None], np.ndarray]:
    """The role of each customer and the number of target orders, for `part` (0 to 1) of all customers.

    The others have none. `orders` is how many known orders each of `users` has: one at least is known before a target.
    """
    found: list[str | None] = []
    targets = np.zeros(len(users), np.int32)
    for index, (user, count) in enumerate(zip(users.tolist(), orders.tolist(), strict=True)):
        digest = zlib.crc32(str(user).encode())
        percent, draw = digest % 100, digest // 100 % 10_000
        if count < 2 or draw >= part * 10_000:
            found.append(None)
        elif percent < TEST_PERCENT + VALIDATION_PERCENT:
            found.append("test" if percent < TEST_PERCENT else "validation")
            targets[index] = 1
        else:
            found.append("train")
            targets[index] = min(TARGETS, count - 1)
    return found, targets


def before_targets(batch: pa.RecordBatch) -> Histories:
    """What happened before each customer's first target, from rows of `histories`."""
    everyone = Histories.read(batch)
    return everyone.before(everyone.order_counts - batch.column("targets").to_numpy() + 1)
