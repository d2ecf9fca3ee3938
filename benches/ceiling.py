"""What a model that knew the customers' hidden tastes would score: the ceiling for models of made-up customers.

`ceiling.py ORACLE PROJECT`: ORACLE is the `oracle.csv` of `lakegen sample --oracle`, PROJECT a folder whose local lake
was run on the same customers. The oracle ranks the same targets as `lakegen evaluate`, with the same code. Run it with
the local environment's Python: it needs duckdb and numpy.

For the next product in a cart the oracle ranks what is not in the cart yet by its chance before the visit. What the
cart says of the visit's occasion and of where in the shop the customer is, it leaves out: the ceiling is at least as
high.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "src" / "local" / "python"))

from lakegen_local.bootstrap import Ratios
from lakegen_local.expected_f1 import best_sets
from lakegen_local.metrics import MISSING, Targets, f1_per_group, per_group

TASKS = {
    # Task: what the oracle ranks, which targets count, the measures. A group of `cart_next` is a place in a cart.
    "buy_again": ("known = 1", "true", ["ndcg@10", "recall@10", "hit@10", "map", "f1"]),
    "try_next": ("known = 0", "repeat = 0", ["recall@10", "recall@20", "recall@50", "recall@100", "ndcg@10"]),
    "cart_next": ("true", "true", ["mrr@10", "hit@10"]),
}


def measure(oracle: str, project: Path, task: str) -> list[str]:
    ranked, asked, metrics = TASKS[task]
    buckets = project / ".lakegen" / "local" / "buckets"
    baskets = [f"{buckets}/instacart-local-curated/order_products_{part}/*.parquet" for part in ("prior", "train")]
    place = "position" if task == "cart_next" else "0"
    database = duckdb.connect()
    database.execute(
        f"""CREATE TABLE targets AS
        SELECT dense_rank() OVER (ORDER BY user_id, {place}) - 1 AS grp, {place} AS cart_place, *
        FROM '{buckets}/instacart-local-features/{task}_targets/*.parquet' WHERE split = 'test'"""
    )
    database.execute(
        f"""CREATE TABLE carts AS
        SELECT grp, b.product_id FROM targets t JOIN read_parquet({baskets}, union_by_name = true) b
        ON b.user_id = t.user_id AND b.order_number = t.target_order AND b.add_to_cart_order < t.cart_place"""
    )
    database.execute(
        f"""CREATE TABLE oracle AS
        SELECT grp, product_id, probability,
               row_number() OVER (PARTITION BY grp ORDER BY probability DESC, product_id) - 1 AS place
        FROM '{oracle}' JOIN (SELECT DISTINCT grp, user_id, target_order FROM targets) USING (user_id)
        ANTI JOIN carts USING (grp, product_id)
        WHERE order_number = target_order AND {ranked}"""
    )
    owners = database.execute("SELECT DISTINCT grp, user_id FROM targets ORDER BY grp").fetchnumpy()["user_id"]
    count = database.execute("SELECT count(DISTINCT grp) FROM targets").fetchall()[0][0]
    found = database.execute(
        f"""SELECT grp, coalesce(place, {MISSING}) AS place, repeat FROM targets
        LEFT JOIN oracle USING (grp, product_id) WHERE {asked} ORDER BY grp"""
    ).fetchnumpy()
    chances = database.execute("SELECT grp, probability FROM oracle ORDER BY grp, place").fetchnumpy()
    group, places = found["grp"].astype(np.int64), found["place"].astype(np.int64)
    people, users = np.unique(owners, return_inverse=True)
    ratios = Ratios(len(people))
    for metric in metrics:
        if metric == "f1":
            repeats = found["repeat"] == 1
            best = best_sets(chances["grp"].astype(np.int64), chances["probability"].astype(float), count)
            values = f1_per_group(Targets(group[repeats], count), places[repeats], best.sizes, best.none)
        else:
            values = per_group(metric, Targets(group, count), places)
        ratios.add((metric,), users, values)
    drawn = ratios.draw(1000, 2017)
    rows = []
    for metric in metrics:
        value, low, high = drawn.interval(metric)
        rows.append(f"| {task} | {metric} | {value:.4f} ({low:.4f}–{high:.4f}) |")
    return rows


def main() -> None:
    oracle, project = sys.argv[1], Path(sys.argv[2])
    print("| task | metric | ceiling |\n|---|---|---|")
    for task in TASKS:
        print("\n".join(measure(oracle, project, task)), flush=True)


if __name__ == "__main__":
    main()
