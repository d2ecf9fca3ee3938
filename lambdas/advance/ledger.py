"""The ledger in DynamoDB; `docs/ledger.md` of lakegen says what its items look like."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from decide import ENDS, FAILED, RUNNING, STARTING, Record

Item = dict[str, Any]

_YEAR, _WEEK = 366 * 86_400, 7 * 86_400
_serialize, _deserialize = TypeSerializer().serialize, TypeDeserializer().deserialize


class Lost(Exception):
    """Somebody else was faster: what this write took for given no longer holds."""


def now() -> str:
    """The time as the ledger writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def age(written: str) -> float:
    """How many seconds ago the ledger wrote this."""
    return (datetime.now(UTC) - datetime.fromisoformat(written.replace("Z", "+00:00"))).total_seconds()


def record(item: Mapping[str, Any]) -> Record:
    """A step's item as decisions see it."""
    return Record(item["state"], item["attempt"], item.get("message"), item.get("ended"), item.get("broken", False))


class Ledger:
    """The table `name`."""

    def __init__(self, client: Any, name: str):
        self.client, self.name = client, name

    # Reading: always consistent, because decisions follow from it.

    def get(self, pk: str, sk: str) -> Item | None:
        answer = self.client.get_item(TableName=self.name, Key=_wire({"pk": pk, "sk": sk}), ConsistentRead=True)
        return _plain(answer["Item"]) if "Item" in answer else None

    def run(self, run: str) -> Item | None:
        return self.get("RUNS", run)

    def steps(self, run: str) -> dict[str, Item]:
        """The items of a run's steps, by name."""
        items: dict[str, Item] = {}
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="pk = :run",
            ExpressionAttributeValues=_wire({":run": f"RUN#{run}"}),
            ConsistentRead=True,
        )
        for page in pages:
            items.update((item["step"], item) for item in map(_plain, page["Items"]))
        return items

    def lake(self) -> Item:
        """What is under way, what waits, and which failures nobody was told yet."""
        fresh = {"pk": "LAKE", "sk": "RUNS", "version": 0, "active": [], "waiting": [], "untold": []}
        return self.get("LAKE", "RUNS") or fresh

    def ended(self, kind: str, execution: str) -> Item | None:
        """What was heard of an execution that nobody knew then."""
        return self.get("ENDED", f"{kind}/{execution}")

    # Writing: every write says what it takes for given.

    def write_lake(self, lake: Item, others: Iterable[Mapping[str, Any]] = ()) -> None:
        """Writes the register, and `others` with it, if it is still as it was read."""
        new = {**lake, "version": lake["version"] + 1}
        known = "version = :version" if lake["version"] else "attribute_not_exists(pk)"
        values = {":version": lake["version"]} if lake["version"] else {}
        self._write([self._put(new, known, values), *others])

    def put_run(self, run: Item, before: Iterable[str] = ()) -> Mapping[str, Any]:
        """A write of a run: new, or with one of the states `before`."""
        states = {f":before{index}": state for index, state in enumerate(before)}
        condition = f"#state IN ({', '.join(states)})" if states else "attribute_not_exists(pk)"
        item = {**run, "pk": "RUNS", "sk": run["run"], "expires": int(time.time()) + _YEAR}
        return self._put(item, condition, states)

    def put_token(self, token: str, run: str) -> Mapping[str, Any]:
        """A write that says which run a token became, if it became none before."""
        item = {"pk": "TOKEN", "sk": token, "run": run, "expires": int(time.time()) + _WEEK}
        return self._put(item, "attribute_not_exists(pk)", {})

    def put_ended(self, kind: str, execution: str, state: str, message: str | None) -> None:
        """Notes the end of an execution that nobody knows yet."""
        item = {"pk": "ENDED", "sk": f"{kind}/{execution}", "state": state, "expires": int(time.time()) + _WEEK}
        self._write([self._put(item | ({"message": message} if message else {}), None, {})])

    def claim_token(self, token: str, run: str) -> None:
        """Says which run a token became, if it became none before.

        Raises:
            Lost: it has become one.
        """
        self._write([self.put_token(token, run)])

    def claim(self, run: str, step: str, kind: str, attempt: int, statements: int | None) -> Item:
        """Takes the right to start an attempt.

        Raises:
            Lost: somebody else has it.
        """
        item = {"run": run, "step": step, "kind": kind, "state": STARTING, "attempt": attempt, "started": now()}
        item["claimed"] = item["started"]
        if statements is not None:
            item |= {"statement": 0, "statements": statements}
        if attempt == 1:
            return self._put_step(item, "attribute_not_exists(pk)", {})
        before = {":failed": FAILED, ":last": attempt - 1}
        return self._put_step(item, "#state = :failed AND attempt = :last", before)

    def change(self, item: Item, **changes: Any) -> Item:
        """Changes a step's item that is STARTING or RUNNING as it was read; `None` takes an attribute away.

        Raises:
            Lost: it is no longer like that.
        """
        new = {key: value for key, value in (item | changes).items() if value is not None}
        values = {":state": item["state"], ":attempt": item["attempt"], ":claimed": item["claimed"]}
        condition = "#state = :state AND attempt = :attempt AND claimed = :claimed"
        if "execution" in item:
            condition += " AND execution = :execution"
            values[":execution"] = item["execution"]
        return self._put_step(new, condition, values)

    def skip(self, run: str, step: str, kind: str, state: str) -> None:
        """Notes that a step will not start in this run; `LAST` goes on to speak of what was done."""
        item = {"run": run, "step": step, "kind": kind, "state": state, "attempt": 0, "ended": now()}
        self._write([self._put(self._step(item), "attribute_not_exists(pk)", {})])

    def _step(self, item: Item) -> Item:
        return {**item, "pk": f"RUN#{item['run']}", "sk": item["step"], "expires": int(time.time()) + _YEAR}

    def _put_step(self, item: Item, condition: str, values: Item) -> Item:
        item = self._step(item)
        last = {key: value for key, value in item.items() if key != "expires"} | {"pk": "LAST", "sk": item["step"]}
        self._write([self._put(item, condition, values), self._put(last, None, {})])
        return item

    def _put(self, item: Item, condition: str | None, values: Item) -> Mapping[str, Any]:
        put: dict[str, Any] = {"TableName": self.name, "Item": _wire(item)}
        if condition:
            put["ConditionExpression"] = condition
            if "#state" in condition:
                put["ExpressionAttributeNames"] = {"#state": "state"}
        if values:
            put["ExpressionAttributeValues"] = _wire(values)
        return {"Put": put}

    def _write(self, writes: list[Mapping[str, Any]]) -> None:
        for tries in range(8):
            try:
                self.client.transact_write_items(TransactItems=writes)
                return
            except ClientError as error:
                reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", ())}
                code = error.response["Error"]["Code"]
                if "ConditionalCheckFailed" in reasons:
                    raise Lost from error
                # Two transactions met on an item; DynamoDB lets neither through.
                passing = reasons & {"TransactionConflict", "ThrottlingError"}
                if not (passing or code == "TransactionInProgressException"):
                    raise
                time.sleep(0.02 * 2**tries)
        raise Lost


def over(run: Item) -> bool:
    """Whether a run has ended."""
    return run["state"] in ENDS


def under_way(item: Item) -> bool:
    """Whether a step's service may be at work."""
    return item["state"] in (STARTING, RUNNING)


def again(act: Callable[[], Any]) -> Any:
    """Does something that reads and then writes until nobody else was faster."""
    for _ in range(20):
        try:
            return act()
        except Lost:
            continue
    raise RuntimeError("the ledger changes faster than it can be written")


def _wire(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _serialize(value) for key, value in item.items()}


def _plain(item: Mapping[str, Any]) -> Item:
    def whole(value: Any) -> Any:
        return [whole(one) for one in value] if isinstance(value, list) else int(value) if _is_number(value) else value

    return {key: whole(_deserialize(value)) for key, value in item.items()}


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool | str) and hasattr(value, "as_integer_ratio")
