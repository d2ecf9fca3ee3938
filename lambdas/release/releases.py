"""What the ledger knows about releases; `docs/ledger.md` of lakegen says what its items look like."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from gate import UPDATING

Item = dict[str, Any]

_YEAR = 366 * 86_400


class Lost(Exception):
    """Somebody else was faster: what this write took for given no longer holds."""


def now() -> str:
    """The time as the ledger writes it."""
    return written(datetime.now(UTC))


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Releases:
    """The releases of one model in the table `name`; `model` is the name that it had first, `step` the one it has."""

    def __init__(self, client: Any, name: str, model: str, step: str):
        self.client, self.name, self.model, self.step = client, name, model, step

    def last(self) -> Item:
        """The model's last release, with what is `live`."""
        return self._get("RELEASES", self.model) or {}

    def of(self, training: str) -> Item | None:
        """The release of one training."""
        return self._get(f"RELEASES#{self.model}", training)

    def run(self, training: str) -> str | None:
        """The run in which it was trained, if the ledger knows it."""
        attempt = self._get("LAST", self.step) or {}
        return attempt.get("run") if attempt.get("execution") == training else None

    def write(self, before: Item, release: Item) -> Item:
        """Writes a release where `before` was the last one.

        Raises:
            Lost: it is no longer.
        """
        version = int(before.get("version", 0))
        live = release.pop("live", None) or before.get("live")
        item = {key: value for key, value in release.items() if value is not None} | {"model": self.model}
        own = item | {"pk": f"RELEASES#{self.model}", "sk": item["training"], "expires": int(time.time()) + _YEAR}
        last = item | {"pk": "RELEASES", "sk": self.model, "version": version + 1} | ({"live": live} if live else {})
        put: Item = {"TableName": self.name, "Item": _wire(last), "ConditionExpression": "attribute_not_exists(pk)"}
        if version:
            put["ConditionExpression"] = "version = :version"
            put["ExpressionAttributeValues"] = _wire({":version": version})
        try:
            self.client.transact_write_items(
                TransactItems=[{"Put": put}, {"Put": {"TableName": self.name, "Item": _wire(own)}}]
            )
        except self.client.exceptions.TransactionCanceledException as error:
            raise Lost("somebody else was faster") from error
        return last

    def _get(self, pk: str, sk: str) -> Item | None:
        answer = self.client.get_item(TableName=self.name, Key=_wire({"pk": pk, "sk": sk}), ConsistentRead=True)
        deserialize = TypeDeserializer().deserialize
        return {key: deserialize(value) for key, value in answer["Item"].items()} if "Item" in answer else None


def under_way(release: Item) -> bool:
    """Whether CloudFormation may be at work for it."""
    return release.get("state") == UPDATING


def _wire(item: Item) -> Item:
    serialize = TypeSerializer().serialize

    def exact(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: exact(one) for key, one in value.items()}
        return Decimal(repr(value)) if isinstance(value, float) else value

    return {key: serialize(exact(value)) for key, value in item.items()}
