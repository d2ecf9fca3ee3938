"""GET /stations/{station_id}/forecast: when the station runs short of bicycles."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3

TABLE = boto3.resource("dynamodb").Table(os.environ["TABLE_SHORTAGES"])


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answers a request of API Gateway (REST, proxy integration)."""
    try:
        station = int(event["pathParameters"]["station_id"])
    except ValueError:
        return answer(400, {"message": "station_id is a whole number"})
    item = TABLE.get_item(Key={"station_id": station}).get("Item")
    if item is None:
        return answer(404, {"message": f"there is no station {station}"})
    return answer(200, json.loads(item["forecast"]))


def answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}
