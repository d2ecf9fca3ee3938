"""The one definition of the buy-again features.

Training and serving get their features from the same functions in the same run. They differ only in which orders count
as known, and that is decided in one place, `known`: everything else is computed for each point of view apart, from rows
that are known there and from nothing else.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# From which points of view an order is known, by `eval_set`. `training` stands just before a customer's last order,
# whose products are the label; `serving` stands now, when the products of that order are history too. Those of a
# `test` order are not known to anyone.
AS_OF: dict[str, list[str]] = {"prior": ["training", "serving"], "train": ["serving"]}

# Name and type of every feature, in the order in which the model reads them.
FEATURES: dict[str, str] = {
    "user_orders": "int",
    "user_period": "int",
    "user_mean_days_since_prior": "double",
    "user_last_days_since_prior": "double",
    "user_total_products": "int",
    "user_distinct_products": "int",
    "user_reorder_ratio": "double",
    "user_average_basket": "double",
    "user_last_basket": "int",
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
    "prod_orders": "int",
    "prod_reorders": "int",
    "prod_first_orders": "int",
    "prod_second_orders": "int",
    "prod_reorder_probability": "double",
    "prod_reorder_times": "double",
    "prod_reorder_ratio": "double",
    "prod_average_cart_position": "double",
}


def known(rows: DataFrame) -> DataFrame:
    """Rows of orders, with an `eval_set`: each once per point of view from which it is known, named by `as_of`."""
    views = F.create_map(
        *(each for name, views in AS_OF.items() for each in (F.lit(name), F.array(*map(F.lit, views))))
    )
    return rows.withColumn("as_of", F.explode(views[F.col("eval_set")])).drop("eval_set")


def user_products(orders: DataFrame, baskets: DataFrame, half_life: float) -> DataFrame:
    """One row per point of view, customer and product bought: how often, when first, when last, how lately.

    `orders` and `baskets`, the products in them, have an `eval_set`. `half_life` is in orders.
    """
    latest = (
        known(orders.select("user_id", "order_number", "order_day", "eval_set"))
        .groupBy("as_of", "user_id")
        .agg(F.max("order_number").alias("latest_order"), F.max("order_day").alias("latest_day"))
    )
    return (
        known(baskets)
        .join(latest, ["as_of", "user_id"])
        .withColumn("ago", F.col("latest_order") - F.col("order_number"))
        .groupBy("as_of", "user_id", "product_id")
        .agg(
            F.count("*").alias("up_orders"),
            F.min("order_number").alias("up_first_order"),
            F.max("order_number").alias("up_last_order"),
            F.min("order_day").alias("up_first_day"),
            F.max("order_day").alias("up_last_day"),
            F.sum("add_to_cart_order").alias("up_cart_positions"),
            F.sum((F.col("latest_day") - F.col("order_day") <= 60).cast("int")).alias("up_orders_last_60_days"),
            F.sum(F.pow(F.lit(0.5), F.col("ago") / half_life)).alias("up_decayed_orders"),
            # 63 orders fit into a bigint without its sign; a longer streak says nothing new.
            F.expr("bit_or(if(ago < 63, shiftleft(1L, ago), 0L))").alias("up_recent_orders"),
        )
    )


def features(orders: DataFrame, pairs: DataFrame) -> DataFrame:
    """Every product that a customer has bought, with the columns of `FEATURES`, from each point of view.

    `pairs` is `user_products` of the same `orders`. As of `training` only customers with a `train` order are there, as
    nothing could be learned from the others; what is known of a product comes from all of them.
    """
    labelled = orders.where(F.col("eval_set") == "train").select("user_id", F.lit(True).alias("labelled"))
    customers = (
        known(orders)
        .join(labelled, "user_id", "left")
        .where((F.col("as_of") == "serving") | F.col("labelled"))
        .groupBy("as_of", "user_id")
        .agg(
            F.max("order_number").alias("user_orders"),
            F.max("order_day").alias("user_period"),
            F.avg("days_since_prior_order").alias("user_mean_days_since_prior"),
            F.max_by("days_since_prior_order", "order_number").alias("user_last_days_since_prior"),
        )
    )
    baskets = pairs.groupBy("as_of", "user_id").agg(
        F.sum("up_orders").alias("user_total_products"),
        F.count("*").alias("user_distinct_products"),
        F.sum((F.col("up_first_order") == 1).cast("int")).alias("first_basket"),
        F.sum(F.col("up_recent_orders").bitwiseAND(1)).alias("user_last_basket"),
    )
    products = pairs.groupBy("as_of", "product_id").agg(
        F.sum("up_orders").alias("prod_orders"),
        F.count("*").alias("prod_first_orders"),
        F.sum((F.col("up_orders") > 1).cast("int")).alias("prod_second_orders"),
        F.sum("up_cart_positions").alias("prod_cart_positions"),
    )
    customers = customers.join(baskets, ["as_of", "user_id"])
    # The catalog does not grow with the customers: broadcast, it spares sorting all pairs a second time.
    rows = pairs.join(customers, ["as_of", "user_id"]).join(F.broadcast(products), ["as_of", "product_id"])
    definitions = _definitions()
    return rows.select(
        "as_of", "user_id", "product_id", *(definitions[name].cast(kind).alias(name) for name, kind in FEATURES.items())
    )


def _definitions() -> dict[str, Column]:
    """Every feature as an expression over a row of pair, customer and product."""
    c = F.col
    recent = c("up_recent_orders")
    derived = {
        "user_reorder_ratio": ratio(
            c("user_total_products") - c("user_distinct_products"), c("user_total_products") - c("first_basket")
        ),
        "user_average_basket": ratio(c("user_total_products"), c("user_orders")),
        "up_average_cart_position": ratio(c("up_cart_positions"), c("up_orders")),
        "up_order_rate": ratio(c("up_orders"), c("user_orders")),
        "up_orders_since_last_order": c("user_orders") - c("up_last_order"),
        "up_order_rate_since_first_order": ratio(c("up_orders"), c("user_orders") - c("up_first_order") + 1),
        "up_orders_last_3": F.bit_count(recent.bitwiseAND(0b111)),
        "up_orders_last_5": F.bit_count(recent.bitwiseAND(0b11111)),
        # The lowest zero bit ends the streak: everything below it flips when one is added.
        "up_streak": F.bit_count(F.shiftrightunsigned(recent.bitwiseXOR(recent + 1), 1)),
        "up_days_since_last_order": c("user_period") - c("up_last_day"),
        "up_mean_days_between": ratio(c("up_last_day") - c("up_first_day"), c("up_orders") - 1),
        # Days without the product when the next order comes, if it comes as usual, in units of its own rhythm.
        "up_overdue": ratio(
            (c("user_period") - c("up_last_day") + c("user_mean_days_since_prior")) * (c("up_orders") - 1),
            c("up_last_day") - c("up_first_day"),
        ),
        "prod_reorders": c("prod_orders") - c("prod_first_orders"),
        "prod_reorder_probability": ratio(c("prod_second_orders"), c("prod_first_orders")),
        "prod_reorder_times": ratio(c("prod_orders"), c("prod_first_orders")),
        "prod_reorder_ratio": ratio(c("prod_orders") - c("prod_first_orders"), c("prod_orders")),
        "prod_average_cart_position": ratio(c("prod_cart_positions"), c("prod_orders")),
    }
    return {name: derived.get(name, c(name)) for name in FEATURES}


def ratio(numerator: Column, denominator: Column) -> Column:
    """`numerator / denominator` as a double, null where the denominator is zero."""
    return F.when(denominator != 0, numerator.cast("double") / denominator.cast("double"))
