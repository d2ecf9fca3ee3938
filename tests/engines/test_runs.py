"""Runs in a ledger in memory, with everything going wrong that can.

Events are lost, doubled and late, and the function is killed between any two of its calls.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import function_modules

decide, events, ledger, plan, services, runs = function_modules(
    "advance", "decide", "events", "ledger", "plan", "services", "runs"
)

Item = dict[str, Any]


class Killed(BaseException):
    """The function is gone; nothing in it hears of that."""


class Table:
    """As much of DynamoDB as the ledger asks for, with the limits of `TransactWriteItems`."""

    #: Items of a transaction.
    most = 100

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self.before: Callable[[], None] = lambda: None

    def get_item(self, Key: Item, **_: Any) -> Item:
        self.before()
        item = self.items.get((Key["pk"]["S"], Key["sk"]["S"]))
        return {"Item": dict(item)} if item else {}

    def get_paginator(self, _: str) -> Table:
        return self

    def paginate(self, ExpressionAttributeValues: Item, **_: Any) -> Iterable[Item]:
        self.before()
        run = ExpressionAttributeValues[":run"]["S"]
        yield {"Items": [dict(item) for (pk, _), item in sorted(self.items.items()) if pk == run]}

    def transact_write_items(self, TransactItems: list[Item]) -> None:
        self.before()
        puts = [one["Put"] for one in TransactItems]
        keys = [(put["Item"]["pk"]["S"], put["Item"]["sk"]["S"]) for put in puts]
        if len(puts) > self.most or len(set(keys)) < len(keys) or any(len(str(put["Item"])) > 400_000 for put in puts):
            raise ClientError({"Error": {"Code": "ValidationException"}}, "TransactWriteItems")
        holds = [self.holds(put, self.items.get(key)) for put, key in zip(puts, keys, strict=True)]
        if not all(holds):
            reasons = [{"Code": "None" if one else "ConditionalCheckFailed"} for one in holds]
            error: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
            raise ClientError(error, "TransactWriteItems")
        self.items.update(zip(keys, (put["Item"] for put in puts), strict=True))
        self.before()

    def holds(self, put: Item, item: Item | None) -> bool:
        values = put.get("ExpressionAttributeValues", {})
        for term in filter(None, put.get("ConditionExpression", "").split(" AND ")):
            if term == "attribute_not_exists(pk)":
                good = item is None
            elif many := re.fullmatch(r"#state IN \((.*)\)", term):
                good = item is not None and item["state"] in [values[name] for name in many[1].split(", ")]
            else:
                name, _, value = term.partition(" = ")
                good = item is not None and item.get(name.lstrip("#")) == values[value]
            if not good:
                return False
        return True


class Clock:
    """A time that passes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = datetime(2026, 11, 25, 3, tzinfo=UTC)

        def now() -> str:
            self.time += timedelta(milliseconds=1)
            return self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")

        def age(written: str) -> float:
            return (self.time - datetime.fromisoformat(written.replace("Z", "+00:00"))).total_seconds()

        for module in (runs, ledger):
            monkeypatch.setattr(module, "now", now)
            monkeypatch.setattr(module, "age", age)


class Jobs:
    """A service whose starts cannot be repeated but found again, as Glue's jobs."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.started: dict[str, Item] = {}

    def prepare(self, step: Item, item: Item) -> bool:
        return False

    def begin(self, step: Item, item: Item) -> str:
        self.world.may_die()
        attempt = services.attempt_name(item)
        assert attempt not in self.started, f"{attempt} was started twice"
        self.world.check_start(item)
        self.started[attempt] = {"item": item, "state": None}
        self.world.may_die()
        return attempt

    def find(self, step: Item, item: Item) -> str | None:
        self.world.may_die()
        attempt = services.attempt_name(item)
        return attempt if attempt in self.started else None

    def look(self, step: Item, item: Item) -> tuple[str, str | None] | None:
        state = self.started[item["execution"]]["state"]
        return (state, None) if state else None

    def stop(self, step: Item, item: Item) -> None:
        started = self.started[item["execution"]]
        started["state"] = started["state"] or decide.STOPPED


class World:
    """A lake of jobs, its function, and what happens to them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, steps: Mapping[str, list[str]], pipelines: Item) -> None:
        entries = {name: {"kind": "job", "after": after, "job": name} for name, after in steps.items()}
        text = {"retries": 1, "pipelines": pipelines, "steps": entries}
        self.plan = plan.Plan(json.dumps(text), {})
        self.clock, self.table, self.jobs = Clock(monkeypatch), Table(), Jobs(self)
        self.table.before = self.may_die
        self.dies: Callable[[], bool] = lambda: False
        self.told: list[str] = []
        # One at a time, so that a seed says all.
        monkeypatch.setattr(runs, "THREADS", 1)

    def may_die(self) -> None:
        if self.dies():
            raise Killed

    def call(self, act: Callable[[Any], Any]) -> Any:
        book = ledger.Ledger(self.table, "ledger")
        function = runs.Runs(book, self.plan, {"job": self.jobs}, lambda run: self.told.append(run["run"]), lambda: 60)
        try:
            return act(function)
        except Killed:
            return None

    def check_start(self, item: Item) -> None:
        """What runs must not begin before what it reads is there, nor beside a run that it touches."""
        book = ledger.Ledger(self.table, "ledger")
        dies, self.dies = self.dies, lambda: False
        mine = self.steps_of(book.run(item["run"]))
        known = book.steps(item["run"])
        for before in self.plan.graph[item["step"]]:
            assert before not in mine or known[before]["state"] == decide.SUCCEEDED
        for other in book.lake()["active"]:
            if other != item["run"]:
                assert not decide.touch(self.plan.graph, mine, self.steps_of(book.run(other)))
        assert item["attempt"] <= 2
        self.dies = dies

    def steps_of(self, run: Item) -> frozenset[str]:
        return self.plan.chosen(run.get("pipeline"), run.get("steps"))

    def running(self) -> list[str]:
        return [name for name, one in self.jobs.started.items() if one["state"] is None]

    def end(self, name: str, state: str) -> Any:
        self.jobs.started[name]["state"] = state
        return events.Ended("job", name, state, None, self.jobs.started[name]["item"]["step"])

    def tick(self) -> None:
        self.clock.time += timedelta(minutes=7)
        self.call(lambda function: function.reconcile())

    def all_runs(self) -> list[Item]:
        return [item for (pk, _), item in self.table.items.items() if pk == "RUNS"]


LAKE = {"raw": [], "a": ["raw"], "b": ["raw"], "c": ["a", "b"], "d": ["c"], "e": []}
PIPELINES = {
    "all": {"rules": [], "uploads": [], "steps": list(LAKE)},
    "left": {"rules": [], "uploads": [], "steps": ["a"], "max_concurrent": 1},
    "apart": {"rules": [], "uploads": [], "steps": ["e"], "retries": 0},
}


@pytest.mark.parametrize("seed", range(20))
def test_whatever_goes_wrong_every_run_ends_and_nothing_starts_twice(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    world = World(monkeypatch, LAKE, PIPELINES)
    world.dies = lambda: chance.random() < 0.02
    asked: set[str] = set()
    late: list[Any] = []
    for _ in range(60):
        match chance.randrange(10):
            case 0 | 1:
                pipeline, token = chance.choice(list(PIPELINES)), f"t{chance.randrange(12)}"
                asked.add(token)
                world.call(lambda function, p=pipeline, t=token: function.start(p, None, "upload", t))
            case 2 if chance.random() < 0.2 and (all_runs := world.all_runs()):
                run = chance.choice(all_runs)["run"]["S"]
                world.call(lambda function, r=run: function.cancel(r))
            case 3:
                world.tick()
            case _ if running := world.running():
                state = decide.FAILED if chance.random() < 0.2 else decide.SUCCEEDED
                late.append(world.end(chance.choice(running), state))
        # Some events come at once, some late and out of order, some twice, and some never.
        chance.shuffle(late)
        for told in late[: chance.randrange(3)]:
            world.call(lambda function, e=told: function.ended(e))
            if chance.random() < 0.7:
                late.remove(told)
        if late and chance.random() < 0.1:
            late.pop()
    world.dies = lambda: False
    for _ in range(200):
        for name in world.running():
            world.end(name, decide.SUCCEEDED)
        world.tick()
        if not ledger.Ledger(world.table, "ledger").lake()["active"]:
            break
    lake = ledger.Ledger(world.table, "ledger").lake()
    assert (lake["active"], lake["waiting"], lake["untold"]) == ([], [], [])
    states = {item["run"]["S"]: item["state"]["S"] for item in world.all_runs()}
    assert all(state in decide.ENDS for state in states.values()), states
    assert {run for run, state in states.items() if state == decide.FAILED} <= set(world.told)


def test_more_runs_than_a_transaction_holds_are_let_in_together(monkeypatch: pytest.MonkeyPatch) -> None:
    # The register, the run that has ended, and those that begin.
    assert Table.most >= runs.MOST_BEGUN + 2
    monkeypatch.setattr(runs, "MOST_BEGUN", 4)
    monkeypatch.setattr(Table, "most", 6)
    steps = {f"s{number}": [] for number in range(14)}
    world = World(monkeypatch, steps, {"all": {"rules": [], "uploads": [], "steps": list(steps)}})
    world.call(lambda function: function.start("all", None, "call", "1"))
    for step in steps:
        world.call(lambda function, s=step: function.start(None, [s], "call", s))
    waiting = ledger.Ledger(world.table, "ledger").lake()["waiting"]
    assert len(waiting) == len(steps)
    for name in world.running():
        told = world.end(name, decide.SUCCEEDED)
        world.call(lambda function, e=told: function.ended(e))
    lake = ledger.Ledger(world.table, "ledger").lake()
    assert (len(lake["active"]), lake["waiting"]) == (14, [])
    assert len(world.running()) == 14


def test_a_failure_that_has_much_to_say_is_kept_in_few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, {"a": []}, {"all": {"rules": [], "uploads": [], "steps": ["a"], "retries": 0}})
    run = world.call(lambda function: function.start("all", None, "call", "1"))["run"]
    (name,) = world.running()
    world.call(lambda function: function.ended(events.Ended("job", name, decide.FAILED, "x" * 500_000, "a")))
    item = ledger.Ledger(world.table, "ledger").run(run)
    assert (item["state"], world.told) == (decide.FAILED, [run])
    assert len(item["message"]) < 5_000


@pytest.mark.parametrize(
    ("limit", "more", "waits"),
    [(0, 1, False), (1, 1, True), (4, 11, False), (20, 2, True)],
)
def test_a_quota_that_is_too_small_for_the_request_alone_is_not_waited_for(limit: int, more: int, waits: bool) -> None:
    message = (
        f"The account-level service limit 'ml.m5.2xlarge for training job usage' is {limit} Instances, with current "
        f"utilization of {limit} Instances and a request delta of {more} Instances. Please use AWS Service Quotas."
    )
    error: Any = {"Error": {"Code": "ResourceLimitExceeded", "Message": message}}

    def start() -> None:
        raise ClientError(error, "CreateTrainingJob")

    with pytest.raises(services.Later if waits else services.Refused, match="ResourceLimitExceeded"):
        services.ask(start)
