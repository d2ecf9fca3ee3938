"""The training sets are honest: all candidates, true labels, no customer on both sides, nothing of the future."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from conftest import load
from test_features import ROLES, TARGETS, role

from shop.histories import Histories

TASKS = ("buy_again", "try_next", "cart_next")


def rows(lake: Path, table: str, columns: str) -> list[tuple[Any, ...]]:
    return duckdb.sql(f"select {columns} from '{lake}/{table}/*.parquet'").fetchall()


class Truth:
    """What customers really did."""

    def __init__(self, shop: Any) -> None:
        found: dict[tuple[int, int], dict[int, int]] = {}
        for row in shop.rows("order_products_prior") + shop.rows("order_products_train"):
            basket = found.setdefault((row["user_id"], row["order_number"]), {})
            basket[row["add_to_cart_order"]] = row["product_id"]
        # The products of every known order, in the order of the cart, by customer and number.
        self.orders = {key: [basket[place] for place in sorted(basket)] for key, basket in sorted(found.items())}
        last = dict(self.orders.keys())
        # The role of every target, by customer and number.
        self.targets = {
            (user_id, end - ago): role(user_id)
            for user_id, end in last.items()
            for ago in range(min(TARGETS, end - 1) if role(user_id) == "train" else 1)
        }
        # What was bought before each target.
        self.known = {
            (user_id, target): {product for number in range(1, target) for product in self.orders[user_id, number]}
            for user_id, target in self.targets
        }


@pytest.fixture(scope="module")
def truth(shop: Any) -> Truth:
    return Truth(shop)


def test_buy_again_has_every_product_bought_before_each_target(lake: Path, truth: Truth) -> None:
    for part in ROLES:
        expected = [
            (user_id, order, product, int(product in truth.orders[user_id, order]))
            for (user_id, order), whose in truth.targets.items()
            if whose == part
            for product in truth.known[user_id, order]
        ]
        assert expected
        assert sorted(rows(lake, f"buy_again_{part}", "user_id, target_order, product_id, label")) == sorted(expected)


def test_try_next_offers_nothing_bought_before(lake: Path, truth: Truth) -> None:
    for part in ROLES:
        labels: Counter[tuple[int, int]] = Counter()
        for user_id, order, product, label in rows(
            lake, f"try_next_{part}", "user_id, target_order, product_id, label"
        ):
            assert product not in truth.known[user_id, order]
            assert label == (product in truth.orders[user_id, order])
            labels[user_id, order] += label
        assert set(labels) <= {key for key, whose in truth.targets.items() if whose == part}
        if part == "train":
            assert min(labels.values()) > 0, "an order without a right answer teaches nothing"


def test_few_wrong_candidates_teach_and_all_of_them_measure(lake: Path) -> None:
    sizes = {
        part: np.mean([count for (count,) in rows_by_group(lake, f"try_next_{part}")]) for part in ("train", "test")
    }
    assert sizes["test"] > 20 > sizes["train"] > 4


def rows_by_group(lake: Path, table: str) -> list[tuple[int]]:
    return duckdb.sql(
        f"select count(*) filter (where label = 0) from '{lake}/{table}/*.parquet' group by user_id, target_order"
    ).fetchall()


def test_carts_are_what_was_in_before_and_the_label_is_what_came_next(lake: Path, truth: Truth) -> None:
    for part in ROLES:
        columns = "user_id, target_order, position, product_id, label, cart_items"
        found = rows(lake, f"cart_next_{part}", columns)
        assert found
        for user_id, order, position, product, label, cart_items in found:
            basket = truth.orders[user_id, order]
            assert truth.targets[user_id, order] == part
            assert cart_items == position - 1
            assert product not in basket[: position - 1]
            assert label == (product == basket[position - 1])
            assert position >= (1 if part == "train" else 4)


def test_customers_are_split_by_their_id_alone(lake: Path) -> None:
    for task in TASKS:
        users = {part: {user for (user,) in rows(lake, f"{task}_{part}", "distinct user_id")} for part in ROLES}
        for part, whose in users.items():
            assert whose and {role(user_id) for user_id in whose} == {part}


@pytest.mark.parametrize("task", ["buy_again", "try_next"])
def test_targets_are_the_whole_orders_of_those_who_measure(lake: Path, truth: Truth, task: str) -> None:
    expected = [
        (whose, user_id, order, product, int(product in truth.known[user_id, order]))
        for (user_id, order), whose in truth.targets.items()
        if whose != "train"
        for product in truth.orders[user_id, order]
    ]
    assert sorted(rows(lake, f"{task}_targets", "split, user_id, target_order, product_id, repeat")) == sorted(expected)


def test_the_target_of_a_cart_is_the_product_added_next(lake: Path, truth: Truth) -> None:
    found = rows(lake, "cart_next_targets", "user_id, target_order, position, product_id, repeat")
    assert len({row[:3] for row in found}) == len(found)
    for user_id, order, position, product, repeat in found:
        assert truth.orders[user_id, order][position - 1] == product
        assert repeat == (product in truth.known[user_id, order])


def test_features_know_the_order_just_before_the_target_and_none_later(lake: Path) -> None:
    for task in TASKS:
        for part in ROLES:
            assert rows(lake, f"{task}_{part}", "distinct target_order - known_orders") == [(1,)]


def test_a_history_that_reaches_into_the_target_is_refused() -> None:
    job = load("glue-jobs/training_set.py")
    numbers = {"days": [0, 7, 9], "products": [5, 6, 5], "orders": [1, 2, 3], "positions": [1, 1, 1]}
    columns = {
        name: pa.array([np.array(values, kind).tobytes()])
        for (name, values), kind in zip(numbers.items(), ("<i4", "<i4", "<i2", "<i2"), strict=True)
    }
    history = Histories.read(pa.RecordBatch.from_pydict({"user_id": [9], **columns}))
    target = np.array([3])
    honest = job.Target(history.before(target), history.between(target, target + 1), target)
    assert job.latest_known(honest).tolist() == [2]
    with pytest.raises(ValueError, match="a leak: for customer 9, features know order 3"):
        job.latest_known(honest._replace(known=history))


def test_no_customer_is_lost_where_some_are_worked_on_after_others() -> None:
    job = load("glue-jobs/training_set.py")
    job.CUSTOMERS = 3
    kinds = {"days": "<i4", "products": "<i4", "orders": "<i2", "positions": "<i2"}
    numbers = {
        name: [np.arange(1, user + 1).astype(kind).tobytes() for user in range(2, 10)] for name, kind in kinds.items()
    }
    batch = pa.RecordBatch.from_pydict({"user_id": range(2, 10), "targets": [1, 2] * 4, **numbers})
    found = [
        (user, order, product)
        for target in job.targets([batch], 2)
        for user, order, product in zip(
            target.known.users.tolist(), target.orders.tolist(), target.basket.products.tolist(), strict=True
        )
    ]
    # Whoever is numbered n bought product k in order k, up to n; odd ones have a second target.
    assert sorted(found) == sorted(
        (user, user - ago, user - ago) for user in range(2, 10) for ago in range(1 + user % 2)
    )
