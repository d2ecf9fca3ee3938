"""The one definition of the features that follow from a customer's history.

Training and serving call the same functions with histories that end where they have to: just before the order that is
to be foreseen, or now. The features of carts and of products never bought, which need the request, are defined in
`candidates.py`, which the function behind the API and the jobs share as well.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from candidates import CART, TRY
from shop.histories import Histories

# An order so many orders ago counts one half.
HALF_LIFE = 5.0
RECENT_DAYS = 60

# Name and type of every feature, in the order in which models read them.
USER: dict[str, str] = {
    "user_orders": "int",
    "user_period": "int",
    "user_mean_days_since_prior": "double",
    "user_last_days_since_prior": "double",
    "user_total_products": "int",
    "user_distinct_products": "int",
    "user_reorder_ratio": "double",
    "user_average_basket": "double",
    "user_last_basket": "int",
}
PAIR: dict[str, str] = {
    "up_orders": "int",
    "up_first_order": "int",
    "up_last_order": "int",
    "up_average_cart_position": "double",
    "up_order_rate": "double",
    "up_orders_since_last_order": "int",
    "up_order_rate_since_first_order": "double",
    "up_orders_last_3": "int",
    "up_orders_last_5": "int",
    "up_orders_last_60_days": "int",
    "up_decayed_orders": "double",
    "up_streak": "int",
    "up_days_since_last_order": "int",
    "up_mean_days_between": "double",
    "up_overdue": "double",
}
PRODUCT: dict[str, str] = {
    "prod_orders": "int",
    "prod_reorders": "int",
    "prod_first_orders": "int",
    "prod_second_orders": "int",
    "prod_reorder_probability": "double",
    "prod_reorder_times": "double",
    "prod_reorder_ratio": "double",
    "prod_average_cart_position": "double",
}

# What each model reads.
TASKS: dict[str, dict[str, str]] = {
    "buy_again": USER | PAIR | PRODUCT,
    "try_next": USER | dict.fromkeys(TRY, "double") | PRODUCT,
    "cart_next": USER | PAIR | dict.fromkeys(CART, "double") | PRODUCT,
}


def fingerprint(names: dict[str, str]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the names, joined by newlines."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


class Pairs(NamedTuple):
    """Products that customers have bought: indices of customers, products, and the columns of `PAIR`."""

    owners: np.ndarray
    products: np.ndarray
    features: dict[str, np.ndarray]


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """`numerator / denominator`, NaN where the denominator is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.nan, numerator / denominator)


def user_features(known: Histories, pairs: Pairs) -> dict[str, np.ndarray]:
    """The columns of `USER`; everyone must have made an order."""
    everyone, orders = len(known.users), known.order_counts
    customers = np.arange(everyone)
    first, last = known.days_of(customers, np.ones_like(orders)), known.days_of(customers, orders)
    before_last = known.days_of(customers, np.maximum(orders - 1, 1))
    total = np.diff(known.starts)
    distinct = np.bincount(pairs.owners, minlength=everyone)
    owners = known.owners
    return {
        "user_orders": orders,
        "user_period": last,
        "user_mean_days_since_prior": ratio(last - first, orders - 1),
        "user_last_days_since_prior": np.where(orders > 1, last - before_last, np.nan),
        "user_total_products": total,
        "user_distinct_products": distinct,
        "user_reorder_ratio": ratio(
            total - distinct, total - np.bincount(owners[known.orders == 1], minlength=everyone)
        ),
        "user_average_basket": ratio(total, orders),
        "user_last_basket": np.bincount(owners[known.orders == orders[owners]], minlength=everyone),
    }


def pair_features(known: Histories) -> Pairs:
    """A row for each customer and product bought, sorted by these."""
    owners = known.owners
    keys = owners.astype(np.int64) << 32 | known.products
    # Purchases are sorted by order, and stay so within each pair.
    order = np.argsort(keys, kind="stable")
    keys, owners, numbers = keys[order], owners[order], known.orders[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    if not len(starts):
        return Pairs(owners, known.products, {name: np.empty(0) for name in PAIR})
    ends = np.append(starts[1:], len(keys)) - 1
    times = ends - starts + 1
    whose = owners[starts]
    orders = known.order_counts
    days = known.days_of(owners, numbers)
    today = known.days_of(np.arange(len(orders)), np.maximum(orders, 1))
    ago = orders[owners] - numbers
    first, last = numbers[starts], numbers[ends]
    # How many purchases of the pair came later: as many as orders since, as long as the streak lasts.
    later = np.repeat(ends, times) - np.arange(len(keys))

    def total(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, starts)

    span, since = days[ends] - days[starts], today[whose] - days[ends]
    rhythm = ratio(today - known.days_of(np.arange(len(orders)), np.ones_like(orders)), orders - 1)
    return Pairs(
        whose,
        known.products[order][starts],
        {
            "up_orders": times,
            "up_first_order": first,
            "up_last_order": last,
            "up_average_cart_position": total(known.positions[order]) / times,
            "up_order_rate": times / orders[whose],
            "up_orders_since_last_order": orders[whose] - last,
            "up_order_rate_since_first_order": times / (orders[whose] - first + 1),
            "up_orders_last_3": total((ago < 3).astype(np.int64)),
            "up_orders_last_5": total((ago < 5).astype(np.int64)),
            "up_orders_last_60_days": total((today[owners] - days <= RECENT_DAYS).astype(np.int64)),
            "up_decayed_orders": total(0.5 ** (ago / HALF_LIFE)),
            "up_streak": total((ago == later).astype(np.int64)),
            "up_days_since_last_order": since,
            "up_mean_days_between": ratio(span, times - 1),
            # Days without the product when the next order comes, if it comes as usual, in units of its own rhythm.
            "up_overdue": ratio((since + rhythm[whose]) * (times - 1), span),
        },
    )
