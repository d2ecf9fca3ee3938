"""Which products could be next, and what speaks for each: for products never bought, and for a cart being filled.

The function behind the API and the jobs that make training sets both call this module, so that a model is asked what it
was taught. It is plain Python, as Lambda has nothing else; a request takes it a millisecond or two.
"""

from __future__ import annotations

import base64
import json
import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from operator import mul
from typing import NamedTuple

# The features of a product that the customer never bought.
TRY = (
    "try_together",
    "try_best",
    "try_supporters",
    "try_aisle_share",
    "try_department_share",
    "try_aisle_products",
    "try_likeness",
    "try_taste",
)
# The features of a product for the next place in a cart.
CART = (
    "cart_items",
    "cart_known_share",
    "cart_together",
    "cart_together_last",
    "cart_best",
    "cart_supporters",
    "cart_aisle_items",
    "cart_department_items",
    "cart_same_aisle_as_last",
    "cart_same_department_as_last",
    "cart_likeness",
    "cart_taste",
)

# How many products of each sort become candidates.
POPULAR = 100
POPULAR_IN_AISLE, AISLES = 20, 4
TOGETHER = 120
CART_PERSONAL, CART_TOGETHER, CART_POPULAR, CART_SIMILAR = 60, 60, 40, 60
# How many products of a history, the most bought first, and of a cart, the last first, may bring neighbours along.
HISTORY_USED, CART_USED = 50, 20
# How many numbers an embedding has, and what is added to the number of a product's purchases: rare ones prove little.
FACTORS, SMOOTHING = 40, 10.0
NAN = float("nan")


class Product(NamedTuple):
    """A product as the table `product_serving` has it."""

    name: str | None
    aisle: str | None
    department: str | None
    # The columns of `PRODUCT`, float32, little endian.
    features: bytes
    # What lies in the same baskets, the strongest first, and how strongly: int32 and float32 in base64, decoded when
    # they are asked for, as a request asks for few.
    near: str
    pull: str
    # The embedding, `FACTORS` numbers of one byte; empty where there is none.
    taste: array[int]

    @property
    def orders(self) -> float:
        """How often it was bought: the first of the features."""
        return float(struct.unpack_from("<f", self.features)[0])

    @property
    def neighbours(self) -> Iterator[tuple[int, float]]:
        """Neighbours and how strongly this product draws them along."""
        ids, strengths = array("i"), array("f")
        ids.frombytes(base64.b64decode(self.near))
        strengths.frombytes(base64.b64decode(self.pull))
        return zip(ids, strengths, strict=True)


class Shop(NamedTuple):
    """What is known of all products; the same for every request."""

    products: Mapping[int, Product]
    popular: list[int]
    popular_in_aisle: Mapping[str | None, list[int]]

    @classmethod
    def read(cls, lines: Iterable[str | bytes]) -> Shop:
        """From the JSON lines of `product_serving`."""
        products = {}
        for line in lines:
            row = json.loads(line)
            products[row["product_id"]] = Product(
                row.get("product_name"),
                row.get("aisle"),
                row.get("department"),
                base64.b64decode(row["features"]),
                row.get("neighbours") or "",
                row.get("strengths") or "",
                array("b", base64.b64decode(row.get("taste") or "")),
            )
        # One that nobody bought yet has no number.
        bought = {product_id: orders for product_id, product in products.items() if (orders := product.orders) > 0}
        ranked = sorted(bought, key=lambda product_id: (-bought[product_id], product_id))
        in_aisle: dict[str | None, list[int]] = {}
        for product_id in ranked:
            in_aisle.setdefault(products[product_id].aisle, []).append(product_id)
        return cls(products, ranked, in_aisle)


class Candidates(NamedTuple):
    """Products, and the columns of `TRY` or `CART` for each of them."""

    products: list[int]
    rows: list[tuple[float, ...]]


class Customer(NamedTuple):
    """What is known of a customer beside the request."""

    # How much the customer likes what was bought (decayed orders).
    history: Mapping[int, float]
    # The customer's taste, `FACTORS` numbers, and products never bought that suit it, the best first; empty of one who
    # is not known.
    taste: Sequence[int]
    similar: Sequence[int]

    def suits(self, product: Product) -> tuple[float, float]:
        """How much likelier than others the customer is to want a product, and how likely; NaN where it is not known.

        The inner product of whole numbers is exact, and its product with the purchases is rounded once.
        """
        if not self.taste or not product.taste:
            return NAN, NAN
        likeness = sum(map(mul, self.taste, product.taste))
        return float(likeness), likeness * (product.orders + SMOOTHING)


class Pull:
    """How strongly some products draw others along."""

    def __init__(self) -> None:
        self.sum: dict[int, float] = {}
        self.best: dict[int, float] = {}
        self.count: dict[int, int] = {}

    def add(self, product: Product, weight: float) -> None:
        for neighbour, strength in product.neighbours:
            drawn = weight * strength
            if neighbour in self.sum:
                self.sum[neighbour] += drawn
                self.count[neighbour] += 1
                if drawn > self.best[neighbour]:
                    self.best[neighbour] = drawn
            else:
                self.sum[neighbour] = self.best[neighbour] = drawn
                self.count[neighbour] = 1


def try_next(customer: Customer, shop: Shop) -> Candidates:
    """Products that the customer never bought."""
    history = customer.history
    known = {product_id: shop.products[product_id] for product_id in history if product_id in shop.products}
    total = sum(history[product_id] for product_id in known) or 1.0
    pull, aisles, departments = Pull(), dict[str | None, float](), dict[str | None, float]()
    tried: dict[str | None, int] = {}
    for product_id, product in known.items():
        share = history[product_id] / total
        aisles[product.aisle] = aisles.get(product.aisle, 0.0) + share
        departments[product.department] = departments.get(product.department, 0.0) + share
        tried[product.aisle] = tried.get(product.aisle, 0) + 1
    for product_id in nsmallest(HISTORY_USED, known, key=lambda product_id: (-history[product_id], product_id)):
        pull.add(known[product_id], history[product_id] / total)

    chosen = _first(shop.popular, history, POPULAR)
    favourites = nsmallest(AISLES, aisles, key=lambda aisle: (-aisles[aisle], str(aisle)))
    for aisle in favourites:
        chosen += _first(shop.popular_in_aisle.get(aisle, ()), history, POPULAR_IN_AISLE)
    chosen += _strongest(pull, history, TOGETHER)
    chosen += [product_id for product_id in customer.similar if product_id in shop.products]
    products = list(dict.fromkeys(chosen))
    rows = []
    for product_id in products:
        product = shop.products[product_id]
        rows.append(
            (
                pull.sum.get(product_id, 0.0),
                pull.best.get(product_id, 0.0),
                float(pull.count.get(product_id, 0)),
                aisles.get(product.aisle, 0.0),
                departments.get(product.department, 0.0),
                float(tried.get(product.aisle, 0)),
                *customer.suits(product),
            )
        )
    return Candidates(products, rows)


def cart_next(cart: Sequence[int], customer: Customer, shop: Shop) -> Candidates:
    """Products for the next place in `cart`, which lists what is in it in order."""
    history, inside = customer.history, set(cart)
    items = [shop.products[product_id] for product_id in cart if product_id in shop.products]
    pull, aisles, departments = Pull(), dict[str | None, int](), dict[str | None, int]()
    for product in items:
        aisles[product.aisle] = aisles.get(product.aisle, 0) + 1
        departments[product.department] = departments.get(product.department, 0) + 1
    for product in items[-CART_USED:]:
        pull.add(product, 1.0)
    last = items[-1] if items else None
    after_last = dict(last.neighbours) if last else {}

    personal = [product_id for product_id in history if product_id not in inside and product_id in shop.products]
    chosen = nsmallest(CART_PERSONAL, personal, key=lambda product_id: (-history[product_id], product_id))
    chosen += _strongest(pull, inside, CART_TOGETHER)
    chosen += _first(shop.popular, inside, CART_POPULAR)
    chosen += _first((each for each in customer.similar if each in shop.products), inside, CART_SIMILAR)
    size = float(len(cart))
    known_share = sum(product_id in history for product_id in cart) / size if cart else 0.0
    products = list(dict.fromkeys(chosen))
    rows = []
    for product_id in products:
        product = shop.products[product_id]
        rows.append(
            (
                size,
                known_share,
                pull.sum.get(product_id, 0.0),
                after_last.get(product_id, 0.0),
                pull.best.get(product_id, 0.0),
                float(pull.count.get(product_id, 0)),
                float(aisles.get(product.aisle, 0)),
                float(departments.get(product.department, 0)),
                1.0 if last and last.aisle == product.aisle else 0.0,
                1.0 if last and last.department == product.department else 0.0,
                *customer.suits(product),
            )
        )
    return Candidates(products, rows)


def _first(ranked: Iterable[int], without: Mapping[int, float] | set[int], count: int) -> list[int]:
    """The first so many products of a list that are not in `without`."""
    found: list[int] = []
    for product_id in ranked:
        if len(found) == count:
            break
        if product_id not in without:
            found.append(product_id)
    return found


def _strongest(pull: Pull, without: Mapping[int, float] | set[int], count: int) -> list[int]:
    """The products that are drawn most strongly."""
    drawn = [(-strength, product_id) for product_id, strength in pull.sum.items() if product_id not in without]
    return [product_id for _, product_id in nsmallest(count, drawn)]
