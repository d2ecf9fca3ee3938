"""The training set is honest: all candidates, true labels, and no customer on both sides."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import duckdb


def pairs(lake: Path, table: str, columns: str = "user_id, product_id") -> list[tuple[Any, ...]]:
    return duckdb.sql(f"select {columns} from '{lake}/{table}/*.parquet'").fetchall()


def test_candidates_are_all_products_bought_before_the_last_order(lake: Path, shop: Any) -> None:
    target = {(row["user_id"], row["product_id"]) for row in shop.rows("order_products_train")}
    labelled = {user_id for user_id, _ in target}
    bought = {(row["user_id"], row["product_id"]) for row in shop.rows("order_products_prior")}
    expected = sorted((*pair, int(pair in target)) for pair in bought if pair[0] in labelled)
    columns = "user_id, product_id, label"
    found = [*pairs(lake, "buy_again_train", columns), *pairs(lake, "buy_again_validation", columns)]
    assert sorted(found) == expected
    assert 0 < sum(label for _, _, label in found) < len(target), "first-time products are in the target, not here"


def test_customers_are_split_by_their_id_alone(lake: Path, shop: Any) -> None:
    labelled = {row["user_id"] for row in shop.rows("order_products_train")}
    held_out = {user_id for user_id in labelled if zlib.crc32(str(user_id).encode()) % 100 < 30}
    assert {user_id for user_id, _ in pairs(lake, "buy_again_validation")} == held_out
    assert {user_id for user_id, _ in pairs(lake, "buy_again_train")} == labelled - held_out
    assert held_out and labelled - held_out


def test_targets_are_the_whole_last_orders_of_held_out_customers(lake: Path, shop: Any) -> None:
    held_out = {user_id for user_id, _ in pairs(lake, "buy_again_validation")}
    rows = shop.rows("order_products_train")
    expected = sorted((row["user_id"], row["product_id"]) for row in rows if row["user_id"] in held_out)
    assert sorted(pairs(lake, "buy_again_targets")) == expected
