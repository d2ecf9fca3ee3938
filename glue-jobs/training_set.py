"""Glue job: the honest training set of one model.

A group is an order to be foreseen (for carts: one place in it); its rows are the candidates that serving would have
offered just before, with the features that serving would have had, and a label that says whether the order has them.
`known_orders`, the latest order that the features know, is read off the data that they were computed from, and has to
lie before `target_order`.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from awsglue.utils import getResolvedOptions
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from candidates import CART, TRY, Customer, Shop, cart_next, try_next
from shop.features import PRODUCT, TASKS, USER, Pairs, pair_features, user_features
from shop.histories import Histories
from shop.tastes import Tastes

# The first place in a cart that is measured: what comes earlier says little of a session.
FIRST_MEASURED = 4
# A customer who measures has so many times the places in a cart of one who teaches.
MEASURED_PLACES = 2

# The features that `Customer.suits` finds.
SUITS = {"try_next": ("try_likeness", "try_taste"), "cart_next": ("cart_likeness", "cart_taste")}
# Customers worked on at a time: their candidates, some hundreds each, are Python's numbers before they are arrays.
CUSTOMERS = 500

KEYS = {"user_id": "int", "target_order": "int", "position": "int", "product_id": "int"}
ROW = KEYS | {"label": "int", "known_orders": "int"}


class Settings(NamedTuple):
    """What a training set is for, and how large it becomes."""

    task: str
    role: str
    # Target orders per customer.
    targets: int
    # Candidates with label 0 per group who teach; 0 for all of them.
    negatives: int
    # Places per cart that teach.
    places: int

    def columns(self, names: dict[str, str]) -> dict[str, str]:
        """Without the place in the cart for models that know no cart."""
        return {name: kind for name, kind in names.items() if name != "position" or self.task == "cart_next"}


class Target(NamedTuple):
    """Some customers just before one of their orders, and that order."""

    known: Histories
    basket: Histories
    orders: np.ndarray


class Rows(NamedTuple):
    """Candidates: for each the customer (an index), the place in the cart, the product, and what the request adds."""

    owners: np.ndarray
    places: np.ndarray
    products: np.ndarray
    features: dict[str, np.ndarray]


def targets(batches: Iterable[pa.RecordBatch], most: int) -> Iterator[Target]:
    """Of some customers after others the last target, then the one before of those who have another, and so on."""
    for piece in (batch.slice(start, CUSTOMERS) for batch in batches for start in range(0, len(batch), CUSTOMERS)):
        everyone, counts = Histories.read(piece), piece.column("targets").to_numpy()
        for ago in range(most):
            chosen = everyone.where(counts > ago)
            orders = chosen.order_counts - ago
            if len(orders):
                yield Target(chosen.before(orders), chosen.between(orders, orders + 1), orders)


def latest_known(target: Target) -> np.ndarray:
    """The number of the latest order that anything known belongs to; refuses what is not before the target."""
    known = target.known
    latest = known.order_counts.copy()
    np.maximum.at(latest, known.owners, known.orders)
    if (late := latest >= target.orders).any():
        raise ValueError(
            f"a leak: for customer {known.users[late][0]}, features know order {latest[late][0]}, "
            f"which is not before the target, order {target.orders[late][0]}"
        )
    return latest


def places_in_cart(settings: Settings, user: int, order: int, size: int) -> list[int]:
    """The places of an order of `size` products that are to be foreseen; they follow from customer and order alone."""
    teaches = settings.role == "train"
    first, most = (1, settings.places) if teaches else (FIRST_MEASURED, settings.places * MEASURED_PLACES)
    places = np.arange(first, size + 1)
    draw = np.random.default_rng((user, order)).permutation(places)
    return sorted(draw[:most].tolist())


def carts(settings: Settings, target: Target) -> Iterator[tuple[int, int, list[int]]]:
    """Customer (an index), place, and the products of the whole order."""
    starts = target.basket.starts
    for index, (user, order) in enumerate(zip(target.basket.users.tolist(), target.orders.tolist(), strict=True)):
        products = target.basket.products[starts[index] : starts[index + 1]].tolist()
        for place in places_in_cart(settings, user, order, len(products)):
            yield index, place, products


def candidates(settings: Settings, target: Target, pairs: Pairs, about: tuple[Shop, Tastes] | None) -> Rows:
    """What serving would have offered."""
    if about is None:
        return Rows(pairs.owners, np.zeros(len(pairs.owners), np.int64), pairs.products, pairs.features)
    shop, tastes = about
    everyone = len(target.known.users)
    starts = np.searchsorted(pairs.owners, np.arange(everyone + 1))
    taste = tastes.of(pairs.owners, pairs.products, everyone)
    similar = [row[row >= 0].tolist() for row in tastes.similar(taste, pairs.owners, pairs.products)]
    products = pairs.products.tolist()
    # Serving reads them as float32.
    weights = pairs.features["up_decayed_orders"].astype("<f4").tolist()
    # Without the taste: what suits it is found for all of them at once, below.
    customers = [
        Customer(dict(zip(products[start:end], weights[start:end], strict=True)), (), suited)
        for (start, end), suited in zip(pairwise(starts), similar, strict=True)
    ]
    if settings.task == "try_next":
        names = TRY
        found = [(index, 0, try_next(customer, shop)) for index, customer in enumerate(customers)]
    else:
        names = CART
        found = [
            (index, place, cart_next(order[: place - 1], customers[index], shop))
            for index, place, order in carts(settings, target)
        ]
    sizes = [len(each.products) for _, _, each in found]
    matrix = np.array([row for _, _, each in found for row in each.rows], np.float64).reshape(-1, len(names))
    owners = np.repeat(np.array([index for index, _, _ in found], np.int64), sizes)
    chosen = np.array([product for _, _, each in found for product in each.products], np.int64)
    suits = dict(zip(SUITS[settings.task], tastes.suits(taste, owners, chosen), strict=True))
    return Rows(
        owners,
        np.repeat(np.array([place for _, place, _ in found], np.int64), sizes),
        chosen,
        dict(zip(names, matrix.T, strict=True)) | suits,
    )


def labels(settings: Settings, target: Target, rows: Rows) -> np.ndarray:
    """1 for products that the order has; for carts, that it has in just this place."""
    basket = target.basket
    bought = pair(basket.owners, basket.products)
    if settings.task != "cart_next":
        return np.isin(pair(rows.owners, rows.products), bought).astype(np.int64)
    wanted = basket.products[basket.starts[:-1][rows.owners] + rows.places - 1] if len(rows.owners) else rows.products
    return (rows.products == wanted).astype(np.int64)


def pair(owners: np.ndarray, products: np.ndarray) -> np.ndarray:
    """One number per customer and product."""
    return owners.astype(np.int64) << 32 | products.astype(np.int64)


def taught(settings: Settings, target: Target, rows: Rows, label: np.ndarray) -> np.ndarray:
    """Which rows are kept: all, but of those who teach only as many with label 0 as `negatives` asks for."""
    if settings.role != "train" or not settings.negatives:
        return np.ones(len(label), bool)
    _, group = np.unique(rows.owners << 16 | rows.places, return_inverse=True)
    positive, size = np.bincount(group, label), np.bincount(group)
    part = settings.negatives / np.maximum(size - positive, 1)
    # Drawn from customer, order, place and product, so that the same rows are kept wherever they are computed.
    seed = target.known.users[rows.owners].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    seed += (target.orders[rows.owners] << 16 | rows.places).astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    seed += rows.products.astype(np.uint64) * np.uint64(0x165667B19E3779F9)
    seed ^= seed >> np.uint64(29)
    seed *= np.uint64(0xBF58476D1CE4E5B9)
    draw = (seed >> np.uint64(40)).astype(np.float64) / 2**24
    # A group without a right answer teaches no order.
    return (positive[group] > 0) & ((label == 1) | (draw < part[group]))


def of_pairs(pairs: Pairs, rows: Rows) -> dict[str, np.ndarray]:
    """The columns of `PAIR` for any rows: NaN for products never bought."""
    keys, wanted = pair(pairs.owners, pairs.products), pair(rows.owners, rows.products)
    place = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    found = keys[place] == wanted if len(keys) else np.zeros(len(wanted), bool)
    return {
        name: np.where(found, column[place], np.nan) if len(keys) else np.full(len(wanted), np.nan)
        for name, column in pairs.features.items()
    }


def candidate_rows(settings: Settings, products: Any, about: Any) -> Callable[..., Iterator[pa.RecordBatch]]:
    """Rows of `ROW` and the task's features.

    Broadcast are `products`, the columns of `PRODUCT` by id, and `about`, the shop and tastes where they are needed.
    """

    def make(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for target in targets(batches, settings.targets):
            pairs = pair_features(target.known)
            users = user_features(target.known, pairs)
            latest = latest_known(target)
            rows = candidates(settings, target, pairs, about.value if about else None)
            label = labels(settings, target, rows)
            kept = taught(settings, target, rows, label)
            rows = Rows(
                rows.owners[kept],
                rows.places[kept],
                rows.products[kept],
                {name: column[kept] for name, column in rows.features.items()},
            )
            if settings.task == "cart_next":
                rows = rows._replace(features=rows.features | of_pairs(pairs, rows))
            known = np.minimum(rows.products, len(products.value) - 1)
            values = {
                "user_id": target.known.users[rows.owners],
                "target_order": target.orders[rows.owners],
                "position": rows.places,
                "product_id": rows.products,
                "label": label[kept],
                "known_orders": latest[rows.owners],
                **{name: users[name][rows.owners] for name in USER},
                **rows.features,
                **dict(zip(PRODUCT, products.value[known].T, strict=True)),
            }
            yield record_batch(values, settings.columns(ROW | TASKS[settings.task]))

    return make


def target_rows(settings: Settings) -> Callable[..., Iterator[pa.RecordBatch]]:
    """The whole orders of the groups, whether candidates have it or not; for carts, the product added next."""

    def make(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for target in targets(batches, settings.targets):
            owners, products = target.basket.owners, target.basket.products.astype(np.int64)
            places = np.zeros(len(owners), np.int64)
            if settings.task == "cart_next":
                chosen = [(index, place, order[place - 1]) for index, place, order in carts(settings, target)]
                owners, places, products = np.array(chosen, np.int64).reshape(-1, 3).T
            values = {
                "user_id": target.known.users[owners],
                "target_order": target.orders[owners],
                "position": places,
                "product_id": products,
                "repeat": np.isin(pair(owners, products), pair(target.known.owners, target.known.products)),
            }
            yield record_batch(values, settings.columns(KEYS | {"repeat": "int"}))

    return make


def record_batch(values: dict[str, np.ndarray], columns: dict[str, str]) -> pa.RecordBatch:
    """Columns of the given names and types; NaN becomes null."""
    kinds = {"int": pa.int32(), "double": pa.float64()}
    arrays = [
        pa.array(values[name].astype(np.float64), pa.float64(), from_pandas=True).cast(kinds[kind])
        for name, kind in columns.items()
    ]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def schema(columns: dict[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


def product_matrix(spark: SparkSession, place: str) -> np.ndarray:
    """The columns of `PRODUCT` by product id, NaN where nothing is known: it grows with the catalogue alone."""
    rows = spark.read.parquet(place).select("product_id", *PRODUCT).collect()
    matrix = np.full((max((row[0] for row in rows), default=0) + 2, len(PRODUCT)), np.nan)
    for row in rows:
        matrix[row[0]] = row[1:]
    return matrix


def main() -> None:
    task = getResolvedOptions(sys.argv, ["task"])["task"]
    outputs = {role: f"{task}_{role}" for role in ("train", "validation", "test")}
    names = ["histories", "product_features", "product_serving", *outputs.values(), f"{task}_targets"]
    args = getResolvedOptions(sys.argv, [*names, "targets", "negatives", "places"])
    spark = SparkSession.builder.appName(f"{task}_set").getOrCreate()
    products = spark.sparkContext.broadcast(product_matrix(spark, args["product_features"]))
    about = None
    if task != "buy_again":
        lines = [row.value for row in spark.read.text(args["product_serving"]).collect()]
        shop = Shop.read(lines)
        about = spark.sparkContext.broadcast((shop, Tastes.of_shop(shop)))
    histories = spark.read.parquet(args["histories"])
    measured = []
    for role, table in outputs.items():
        settings = Settings(task, role, *(int(args[name]) for name in ("targets", "negatives", "places")))
        customers = histories.where(F.col("role") == role)
        columns = settings.columns(ROW | TASKS[task])
        rows = customers.mapInArrow(candidate_rows(settings, products, about), schema(columns))
        rows.write.mode("overwrite").parquet(args[table])
        if role != "train":
            kinds = schema(settings.columns(KEYS | {"repeat": "int"}))
            whole = customers.mapInArrow(target_rows(settings), kinds)
            measured.append(whole.select(F.lit(role).alias("split"), "*"))
    measured[0].union(measured[1]).write.mode("overwrite").parquet(args[f"{task}_targets"])


if __name__ == "__main__":
    main()
