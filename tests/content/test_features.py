"""Features against an independent oracle, and against the future."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Callable
from operator import mul
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from candidates import FACTORS, TRY
from shop.features import TASKS
from shop.tastes import embed, in_common

ORACLE = (Path(__file__).parent / "oracle.sql").read_text()
ROLES = ("train", "validation", "test")
TARGETS = 3


def role(user_id: int) -> str:
    percent = zlib.crc32(str(user_id).encode()) % 100
    return "test" if percent < 15 else "validation" if percent < 30 else "train"


def database(shop: Any) -> duckdb.DuckDBPyConnection:
    """The shop's tables, and views of what is known: orders, what was in them, and each customer's last one."""
    found = duckdb.connect()
    for name, table in shop.tables.items():
        found.register(name, table)
    found.execute("create table known_orders as from order_timeline where eval_set <> 'test'")
    found.execute("create table known as from order_products_prior union all from order_products_train")
    found.execute("create table ends as select user_id, max(order_number) as last from known_orders group by user_id")
    targets = {row[0]: min(TARGETS, row[1] - 1) if role(row[0]) == "train" else 1 for row in ends(found)}
    found.register("target_counts", pa.table({"user_id": list(targets), "targets": list(targets.values())}))
    found.execute(
        "create view product_history as select known.* from known join ends using (user_id) "
        "join target_counts using (user_id) where order_number <= last - targets"
    )
    return found


def ends(found: duckdb.DuckDBPyConnection) -> list[tuple[int, int]]:
    return found.sql("select user_id, last from ends").fetchall()


def oracle(shop: Any, ago: int | None) -> list[dict[str, Any]]:
    """What `oracle.sql` says just before the target `ago` orders before the last one; at the end when that is None."""
    found = database(shop)
    which = "last + 1 as target_order" if ago is None else f"last - {ago} as target_order where targets > {ago}"
    found.execute(f"create table targets as from ends join target_counts using (user_id) select user_id, {which}")
    for view, table in (("history_orders", "known_orders"), ("history", "known")):
        columns = f"select {table}.* from {table} join targets using (user_id)"
        found.execute(f"create view {view} as {columns} where order_number < target_order")
    rows = f"select * from ({ORACLE}) join targets using (user_id)"
    return found.sql(f"{rows} order by user_id, product_id").to_arrow_table().to_pylist()


def read(lake: Path, task: str, where: str = "true") -> list[dict[str, Any]]:
    tables = " union all by name ".join(f"from '{lake}/{task}_{each}/*.parquet'" for each in ROLES)
    query = f"select * from ({tables}) where {where} order by user_id, product_id"
    return duckdb.sql(query).to_arrow_table().to_pylist()


@pytest.mark.parametrize("ago", range(TARGETS))
def test_features_equal_those_of_an_independent_query(lake: Path, shop: Any, ago: int) -> None:
    expected = oracle(shop, ago)
    wanted = {(row["user_id"], row["target_order"]) for row in expected}
    found = [row for row in read(lake, "buy_again") if (row["user_id"], row["target_order"]) in wanted]
    assert_same(found, expected, TASKS["buy_again"])


def test_the_oracle_covers_the_hard_cases(shop: Any) -> None:
    rows = oracle(shop, 0)
    assert max(row["user_orders"] for row in rows) == 99
    assert max(row["up_streak"] for row in rows) > 5
    assert any(row["up_mean_days_between"] is None for row in rows)
    assert any(row["up_mean_days_between"] == 0 for row in rows)


def test_what_a_history_says_about_new_products_equals_an_independent_query(lake: Path, shop: Any) -> None:
    pairs = oracle(shop, 0)
    found = duckdb.connect()
    found.register("pairs", pa.Table.from_pylist(pairs))
    found.execute(f"create view near as from '{lake}/product_neighbours/*.parquet'")
    found.execute(f"create view catalog as from read_json('{lake}/product_catalog/*.json')")
    found.execute(f"create view rows as from '{lake}/try_next_test/*.parquet'")
    query = """
    with weighted as (select *, up_decayed_orders / sum(up_decayed_orders) over (partition by user_id) as share
                      from pairs join catalog using (product_id)),
    drawn as (select w.user_id, n.neighbour_id as product_id, sum(share * strength) as try_together,
                     max(share * strength) as try_best, count(*) as try_supporters
              from weighted w join near n using (product_id) group by all),
    aisles as (select user_id, aisle, sum(share) as try_aisle_share, count(*) as try_aisle_products
               from weighted group by all),
    departments as (select user_id, department, sum(share) as try_department_share from weighted group by all)
    select r.user_id, r.product_id, s.likeness as try_likeness, s.likeness * (r.prod_orders + 10) as try_taste,
           coalesce(d.try_together, 0) as try_together, coalesce(d.try_best, 0) as try_best,
           coalesce(d.try_supporters, 0) as try_supporters, coalesce(a.try_aisle_share, 0) as try_aisle_share,
           coalesce(a.try_aisle_products, 0) as try_aisle_products,
           coalesce(e.try_department_share, 0) as try_department_share
    from rows r join catalog c using (product_id) left join suited s using (user_id, product_id)
    left join drawn d using (user_id, product_id)
    left join aisles a using (user_id, aisle) left join departments e using (user_id, department)
    order by user_id, product_id
    """
    found.register("suited", pa.Table.from_pylist(likeness(lake, pairs)))
    expected = found.sql(query).to_arrow_table().to_pylist()
    rows = found.sql("select * from rows order by user_id, product_id").to_arrow_table().to_pylist()
    assert len(rows) > 100 and any(row["try_supporters"] > 2 for row in rows)
    # Histories reach this through float32, as they do when they are served.
    assert_same(rows, expected, dict.fromkeys(TRY, "double"), tolerance=1e-6)


def likeness(lake: Path, pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The inner products of customers' tastes with all products, number by number."""
    query = f"select product_id, taste from read_json('{lake}/product_serving/*.json') where taste is not null"
    embeddings = {
        product: [byte - 256 if byte > 127 else byte for byte in base64.b64decode(text)]
        for product, text in duckdb.sql(query).fetchall()
    }
    bought: dict[int, list[int]] = {}
    for row in pairs:
        bought.setdefault(row["user_id"], []).append(row["product_id"])
    found = []
    for user_id, products in bought.items():
        sums = [sum(factor) for factor in zip(*(embeddings[product] for product in products), strict=True)]
        taste = [round(16 * value / (len(products) + 5)) for value in sums]
        found += [
            {"user_id": user_id, "product_id": product, "likeness": sum(map(mul, taste, embedding))}
            for product, embedding in embeddings.items()
        ]
    return found


def test_embeddings_span_the_strongest_eigenvectors_of_what_customers_have_in_common() -> None:
    rng = np.random.default_rng(7)
    # Four groups of three products; customers buy most of one group, and one product of any other.
    groups = np.arange(100, 112).reshape(4, 3)
    customers = [
        np.union1d(
            rng.permutation(groups[rng.choice(4, p=[0.4, 0.3, 0.2, 0.1])])[: rng.integers(2, 4)],
            rng.choice(groups.ravel(), 1),
        )
        for _ in range(400)
    ]
    sizes = np.array([len(each) for each in customers])
    products, embeddings = embed(np.concatenate(customers), sizes)
    assert products.tolist() == groups.ravel().tolist()
    # Counted otherwise: customer by customer.
    counted = np.zeros((12, 12))
    for each in customers:
        counted[np.ix_(each - 100, each - 100)] += 1 / (len(each) + 5)
    np.testing.assert_allclose(in_common(np.concatenate(customers) - 100, sizes, 12), counted, rtol=1e-12)
    scale = np.sqrt(np.bincount(np.concatenate(customers))[100:] + 10)
    _, vectors = np.linalg.eigh(counted / scale[:, None] / scale)
    # Six factors, half as many as there are products; the first four are the groups.
    found, _ = np.linalg.qr(embeddings[:, :6] * scale[:, None])
    assert not embeddings[:, 6:].any()
    for vector in vectors.T[-4:]:
        assert np.linalg.norm(found.T @ vector) == pytest.approx(1, abs=0.01)


def test_too_little_to_have_anything_in_common() -> None:
    nothing = np.empty(0, np.int32)
    assert in_common(nothing, nothing, 0).shape == (0, 0)
    assert embed(nothing, nothing)[1].shape == (0, FACTORS)
    # Of one product there is nothing to be told.
    assert not embed(np.array([4]), np.array([1]))[1].any()


def test_neighbours_equal_an_independent_count(lake: Path, shop: Any) -> None:
    found = database(shop)
    expected = found.sql(
        """
        select a.product_id, b.product_id as neighbour_id, count(*) as baskets
        from product_history a join product_history b using (user_id, order_number)
        where a.product_id <> b.product_id and a.add_to_cart_order <= 40 and b.add_to_cart_order <= 40
        group by all having count(*) > 1
        """
    ).fetchall()
    expected = {(product, neighbour): baskets for product, neighbour, baskets in expected}
    rows = duckdb.sql(f"from '{lake}/product_neighbours/*.parquet'")
    kept = {row[:2]: row[2] for row in rows.select("product_id, neighbour_id, baskets").fetchall()}
    assert len(kept) > 100
    assert kept == {key: expected[key] for key in kept}
    ranks = duckdb.sql("select product_id, list(rank order by strength desc, neighbour_id) from rows group by all")
    assert all(order == sorted(order) and len(order) <= 5 for _, order in ranks.fetchall())


def without_targets(shop: Any, ago: int) -> dict[str, pa.Table]:
    """The shop's tables as they were before the target `ago` orders before the last one, of customers who have one."""
    last = {user_id: end - ago for user_id, end in ends(database(shop))}
    tables = {}
    for name, table in shop.tables.items():
        limit = pa.array([last[user_id] for user_id in table["user_id"].to_pylist()])
        tables[name] = table.filter(pc.less(table["order_number"], limit))
    return tables


def test_training_sees_what_serving_saw_before_the_target(
    lake: Path, shop: Any, build_lake: Callable[[dict[str, pa.Table]], Path], run_job: Callable[..., None]
) -> None:
    """The customers' own features; those of products follow from other orders when the past has other targets."""
    past = pq.read_table(build_lake(without_targets(shop, 0)) / "histories")
    now = pq.read_table(lake / "histories")
    from shop.features import PAIR, pair_features, user_features
    from shop.histories import Histories

    served = Histories.read(past.sort_by("user_id").combine_chunks().to_batches()[0])
    pairs = pair_features(served)
    users = user_features(served, pairs)
    assert sorted(past["user_id"].to_pylist()) == sorted(now["user_id"].to_pylist())
    expected = {}
    for index, (owner, product) in enumerate(zip(pairs.owners, pairs.products, strict=True)):
        own = {name: float(column[owner]) for name, column in users.items()}
        own |= {name: float(pairs.features[name][index]) for name in PAIR}
        expected[int(served.users[owner]), int(product)] = own
    last = dict(ends(database(shop)))
    rows = [row for row in read(lake, "buy_again") if row["target_order"] == last[row["user_id"]]]
    assert len(rows) == len(expected)
    for row in rows:
        for name, value in expected[row["user_id"], row["product_id"]].items():
            assert row[name] == value or (row[name] is None and math.isnan(value)), name


def assert_same(
    found: list[dict[str, Any]], expected: list[dict[str, Any]], names: dict[str, str], tolerance: float = 1e-9
) -> None:
    """The same customers, products and values; means may differ by the order in which they were summed."""
    keys = ["user_id", "product_id"]
    assert [[row[name] for name in keys] for row in found] == [[row[name] for name in keys] for row in expected]
    for name, kind in names.items():
        values, wanted = ([math.nan if row[name] is None else row[name] for row in rows] for rows in (found, expected))
        within = 0 if kind == "int" else tolerance
        assert values == pytest.approx(wanted, rel=within, abs=within, nan_ok=True), name
