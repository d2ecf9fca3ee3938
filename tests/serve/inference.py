"""A model that adds up."""

from __future__ import annotations

import json
import os


class UnsupportedContentType(Exception):
    """The request is of a type that this model does not read."""


def model_fn(model_dir: str) -> int:
    return 100


def input_fn(body: bytes, content_type: str) -> list[float]:
    if content_type != "text/csv":
        raise UnsupportedContentType(content_type)
    if body == b"die":
        os._exit(1)
    return [float(cell) for cell in body.decode().split(",")]


def predict_fn(data: list[float], model: int) -> float:
    return sum(data) + model


def output_fn(prediction: float, accept: str) -> tuple[str, str]:
    return json.dumps({"sum": prediction, "process": os.getpid()}), "application/json"
