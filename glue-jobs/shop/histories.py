"""Histories of customers as arrays: a batch of customers is worked on at once, without a loop over them.

A row of the table `histories` is a customer; what happened lies in binary columns of little-endian integers:

- `days` (int32): the day of every order on the customer's own calendar, in the order of their numbers 1, 2, …
- `products` (int32), `orders` (int16), `positions` (int16): every purchase with the number of its order and its place
  in the cart, sorted by these.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

COLUMNS = "user_id int, role string, targets int, days binary, products binary, orders binary, positions binary"


class Histories(NamedTuple):
    """Customers, their orders and purchases; `day_starts` and `starts` say where those of each customer begin."""

    users: np.ndarray
    day_starts: np.ndarray
    days: np.ndarray
    starts: np.ndarray
    products: np.ndarray
    orders: np.ndarray
    positions: np.ndarray

    @classmethod
    def read(cls, batch: pa.RecordBatch) -> Histories:
        days, products, orders, positions = (
            binary(batch.column(name), kind)
            for name, kind in (("days", "<i4"), ("products", "<i4"), ("orders", "<i2"), ("positions", "<i2"))
        )
        users = batch.column("user_id").to_numpy(zero_copy_only=False)
        return cls(users, *days, *products, orders[1].astype(np.int64), positions[1].astype(np.int64))

    @property
    def order_counts(self) -> np.ndarray:
        """How many orders each customer made."""
        return np.diff(self.day_starts)

    @property
    def owners(self) -> np.ndarray:
        """Whose each purchase is, as an index into `users`."""
        return np.repeat(np.arange(len(self.users)), np.diff(self.starts))

    def days_of(self, customers: np.ndarray, orders: np.ndarray) -> np.ndarray:
        """The days of orders, given by customer (an index) and number."""
        return self.days[self.day_starts[customers] + orders - 1]

    def where(self, wanted: np.ndarray) -> Histories:
        """The customers that are `wanted`."""
        purchases = np.repeat(wanted, np.diff(self.starts))
        return Histories(
            self.users[wanted],
            offsets(np.diff(self.day_starts)[wanted]),
            self.days[np.repeat(wanted, np.diff(self.day_starts))],
            offsets(np.diff(self.starts)[wanted]),
            self.products[purchases],
            self.orders[purchases],
            self.positions[purchases],
        )

    def between(self, first: np.ndarray, end: np.ndarray) -> Histories:
        """The orders numbered from `first` to just before `end`, which are given for each customer."""
        owners = self.owners
        numbers = np.arange(len(self.days)) - np.repeat(self.day_starts[:-1], self.order_counts) + 1
        visitors = np.repeat(np.arange(len(self.users)), self.order_counts)
        visited = (first[visitors] <= numbers) & (numbers < end[visitors])
        bought = (first[owners] <= self.orders) & (self.orders < end[owners])
        everyone = len(self.users)
        return Histories(
            self.users,
            offsets(np.bincount(visitors[visited], minlength=everyone)),
            self.days[visited],
            offsets(np.bincount(owners[bought], minlength=everyone)),
            self.products[bought],
            self.orders[bought],
            self.positions[bought],
        )

    def before(self, end: np.ndarray) -> Histories:
        """What is known just before the order numbered `end` of each customer: nothing of that order, nothing later."""
        return self.between(np.zeros_like(end), end)


def offsets(lengths: np.ndarray) -> np.ndarray:
    """Where each of consecutive pieces begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(lengths)])


def binary(column: pa.Array, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """The numbers in a binary column: where those of each row begin, and all of them, without a copy."""
    size = np.dtype(kind).itemsize
    _, places, content = column.buffers()
    width = np.dtype("<i8") if pa.types.is_large_binary(column.type) else np.dtype("<i4")
    places = np.frombuffer(places, width)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    numbers = np.frombuffer(content, np.uint8)[places[0] : places[-1]] if content is not None else np.empty(0, np.uint8)
    return (places - places[0]) // size, numbers.view(kind)
