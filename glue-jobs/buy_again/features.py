"""The one definition of the buy-again features.

Training and serving both call these functions. What differs between them is only which orders count as known, and
that is decided in one place, `known_orders`: everything else sees known orders and nothing but known orders.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# Which orders are known from each point of view, by `eval_set`. `training` stands just before a customer's last
# order, whose products are the label; `serving` stands now, when the products of that order are history too.
AS_OF: dict[str, list[str]] = {"training": ["prior"], "serving": ["prior", "train"]}

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


def known_orders(orders: DataFrame, as_of: str) -> DataFrame:
    """The rows of `order_timeline` that count as history `as_of` training or serving."""
    return orders.where(F.col("eval_set").isin(AS_OF[as_of]))


def user_products(orders: DataFrame, baskets: DataFrame, half_life: float) -> DataFrame:
    """One row per customer and product bought: how often, when first, when last, how lately.

    `orders` are known orders and `baskets` the products in them; rows of other orders are dropped here once more, so
    that a basket cannot bring in an order that is not known. `half_life` is in orders.
    """
    latest = orders.groupBy("user_id").agg(
        F.max("order_number").alias("latest_order"), F.max("order_day").alias("latest_day")
    )
    ago = F.col("latest_order") - F.col("order_number")
    return (
        baskets.join(latest, "user_id")
        .where(ago >= 0)
        .withColumn("ago", ago)
        .groupBy("user_id", "product_id")
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


def features(orders: DataFrame, pairs: DataFrame, users: DataFrame) -> DataFrame:
    """The candidates of `users`, every product that they have bought, with the columns of `FEATURES`.

    `orders` are known orders and `pairs` is `user_products` of the same orders. What is known of a product comes from
    all customers in `pairs`, not only from `users`.
    """
    customers = (
        orders.join(users, "user_id", "left_semi")
        .groupBy("user_id")
        .agg(
            F.max("order_number").alias("user_orders"),
            F.max("order_day").alias("user_period"),
            F.avg("days_since_prior_order").alias("user_mean_days_since_prior"),
            F.max_by("days_since_prior_order", "order_number").alias("user_last_days_since_prior"),
        )
    )
    baskets = pairs.groupBy("user_id").agg(
        F.sum("up_orders").alias("user_total_products"),
        F.count("*").alias("user_distinct_products"),
        F.sum((F.col("up_first_order") == 1).cast("int")).alias("first_basket"),
        F.sum(F.col("up_recent_orders").bitwiseAND(1)).alias("user_last_basket"),
    )
    products = pairs.groupBy("product_id").agg(
        F.sum("up_orders").alias("prod_orders"),
        F.count("*").alias("prod_first_orders"),
        F.sum((F.col("up_orders") > 1).cast("int")).alias("prod_second_orders"),
        F.sum("up_cart_positions").alias("prod_cart_positions"),
    )
    rows = pairs.join(customers.join(baskets, "user_id"), "user_id").join(products, "product_id")
    definitions = _definitions()
    return rows.select(
        "user_id", "product_id", *(definitions[name].cast(kind).alias(name) for name, kind in FEATURES.items())
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
