"""Features against an independent oracle, and against the future."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from buy_again.features import FEATURES

ORACLE = (Path(__file__).parent / "oracle.sql").read_text()
VIEWS = {"training": ["prior"], "serving": ["prior", "train"]}


def read(lake: Path, table: str, where: str = "true") -> list[dict[str, Any]]:
    query = f"select * from '{lake}/{table}/*.parquet' where {where} order by user_id, product_id"
    return duckdb.sql(query).to_arrow_table().to_pylist()


def oracle(shop: Any, as_of: str) -> list[dict[str, Any]]:
    """What `oracle.sql` says, for the customers that the view has."""
    database = duckdb.connect()
    for name, table in shop.tables.items():
        database.register(name, table)
    sets = ", ".join(f"'{name}'" for name in VIEWS[as_of])
    baskets = " union all ".join(f"select * from order_products_{name}" for name in VIEWS[as_of])
    database.execute(f"create view history_orders as select * from order_timeline where eval_set in ({sets})")
    database.execute(f"create view history as {baskets}")
    rows = database.sql(ORACLE).to_arrow_table().to_pylist()
    labelled = {row["user_id"] for row in shop.rows("order_timeline") if row["eval_set"] == "train"}
    return [row for row in rows if as_of == "serving" or row["user_id"] in labelled]


@pytest.mark.parametrize("as_of", VIEWS)
def test_features_equal_those_of_an_independent_query(lake: Path, shop: Any, as_of: str) -> None:
    found, expected = read(lake, "buy_again_features", f"as_of = '{as_of}'"), oracle(shop, as_of)
    assert_same(found, expected, list(FEATURES))


def test_the_oracle_covers_the_hard_cases(shop: Any) -> None:
    rows = oracle(shop, "training")
    assert max(row["user_orders"] for row in rows) == 99
    assert max(row["up_streak"] for row in rows) > 5
    assert any(row["up_mean_days_between"] is None for row in rows)
    assert any(row["up_mean_days_between"] == 0 for row in rows)


def without_last_orders(shop: Any, users: list[int]) -> dict[str, pa.Table]:
    """The shop's tables as they were before the last order of `users`."""
    orders, train = shop.tables["order_timeline"], shop.tables["order_products_train"]
    chosen = pa.array(users, pa.int32())
    gone = pc.and_(pc.is_in(orders["user_id"], chosen), pc.not_equal(orders["eval_set"], "prior"))
    return shop.tables | {
        "order_timeline": orders.filter(pc.invert(gone)),
        "order_products_train": train.filter(pc.invert(pc.is_in(train["user_id"], chosen))),
    }


def test_training_sees_what_serving_saw_before_the_last_order(
    lake: Path, shop: Any, build_features: Callable[[dict[str, pa.Table]], Path]
) -> None:
    everyone = sorted({row["user_id"] for row in shop.rows("order_timeline")})
    labelled = {row["user_id"] for row in shop.rows("order_products_train")}
    past = read(build_features(without_last_orders(shop, everyone)), "buy_again_features", "as_of = 'serving'")
    training = read(lake, "buy_again_features", "as_of = 'training'")
    assert {row["user_id"] for row in past} == set(everyone)
    assert {row["user_id"] for row in training} == labelled
    assert_same(training, [row for row in past if row["user_id"] in labelled], list(FEATURES))


def test_one_customers_last_order_moves_nobodys_training_features(
    lake: Path, shop: Any, build_features: Callable[[dict[str, pa.Table]], Path]
) -> None:
    user_id = 7
    past = build_features(without_last_orders(shop, [user_id]))
    before = read(lake, "buy_again_features", "as_of = 'training'")
    after = read(past, "buy_again_features", "as_of = 'training'")
    assert_same([row for row in before if row["user_id"] != user_id], after, list(FEATURES))

    own = [name for name in FEATURES if not name.startswith("prod_")]
    served = read(past, "buy_again_features", f"as_of = 'serving' and user_id = {user_id}")
    assert_same([row for row in before if row["user_id"] == user_id], served, own)


def assert_same(found: list[dict[str, Any]], expected: list[dict[str, Any]], names: list[str]) -> None:
    """The same customers, products and values; means may differ by the order in which they were summed."""
    keys = ["user_id", "product_id"]
    assert [[row[name] for name in keys] for row in found] == [[row[name] for name in keys] for row in expected]
    for name in names:
        values, wanted = ([math.nan if row[name] is None else row[name] for row in rows] for rows in (found, expected))
        tolerance = 0 if FEATURES[name] == "int" else 1e-9
        assert values == pytest.approx(wanted, rel=tolerance, abs=tolerance, nan_ok=True), name
