"""Scores candidates: SageMaker calls model_fn once, then input_fn, predict_fn and output_fn for each request.

A request holds a row of features per candidate, the answer a probability per row. Request bodies:

- `application/x-npy; features=<fingerprint>`: a float32 matrix as `numpy.save` writes it, NaN where there is no value.
  The fingerprint is that of the names in the order of the columns, the first 16 hexadecimal digits of the SHA-256 of
  the names joined by newlines.
- `application/json`: `{"features": ["user_orders", …], "rows": [[5, …], …]}`, null where there is no value.
- `text/csv`: a header line with the names, then a line per candidate, empty where there is no value.

A matrix without names is not scored: a column in the wrong place gives an answer that looks right.
"""

import csv
import io
import json
from email.message import Message
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xgboost as xgb

NPY, JSON, CSV = "application/x-npy", "application/json", "text/csv"


class UnsupportedContentType(ValueError):
    """A request body of a kind that cannot be read; the server answers 415."""


class Model(NamedTuple):
    booster: xgb.Booster
    names: list[str]
    fingerprint: str
    # Slope and intercept: they turn the trees' sum into a probability.
    logistic_curve: tuple[float, float]


class Rows(NamedTuple):
    """Rows to be scored, and their features' names or the fingerprint of these."""

    matrix: np.ndarray
    names: list[str] | None
    fingerprint: str | None


def model_fn(model_dir: str) -> Model:
    description = json.loads((Path(model_dir) / "features.json").read_text())
    booster = xgb.Booster({"nthread": 1})
    booster.load_model(Path(model_dir) / "model.ubj")
    return Model(booster, description["features"], description["fingerprint"], description["logistic_curve"])


def input_fn(body: bytes | str, content_type: str) -> Rows:
    """Raises ValueError for a body that is not what its content type says, UnsupportedContentType for other types."""
    body = body.encode() if isinstance(body, str) else bytes(body)
    header = Message()
    header["content-type"] = content_type
    kind = header.get_content_type()
    if kind == NPY:
        return Rows(_matrix(body), None, header.get_param("features"))
    if kind == JSON:
        content = json.loads(body)
        if not isinstance(content, dict) or not {"features", "rows"} <= content.keys():
            raise ValueError("a JSON body needs `features`, the names, and `rows`, a list of numbers per candidate")
        rows = np.array(content["rows"], np.float32).reshape(-1, len(content["features"]))
        return Rows(rows, content["features"], None)
    if kind == CSV:
        names, *lines = csv.reader(io.StringIO(body.decode()))
        rows = np.array([[cell or "nan" for cell in line] for line in lines], np.float32).reshape(-1, len(names))
        return Rows(rows, names, None)
    raise UnsupportedContentType(f"unsupported content type `{kind}`: send {NPY}, {JSON} or {CSV}")


def predict_fn(data: Rows, model: Model) -> np.ndarray:
    """Probabilities, one per row; raises ValueError when the features are not those that the model learned from."""
    if data.names is not None and data.names != model.names:
        raise ValueError(f"the model learned from the features {model.names}, the request has {data.names}")
    if data.names is None and data.fingerprint != model.fingerprint:
        raise ValueError(
            f"the model learned from features with fingerprint {model.fingerprint}, the request has {data.fingerprint}"
        )
    if data.matrix.shape[1] != len(model.names):
        raise ValueError(f"the model needs {len(model.names)} features per row, the request has {data.matrix.shape[1]}")
    if not len(data.matrix):
        return np.empty(0, np.float32)
    slope, intercept = model.logistic_curve
    return 1 / (1 + np.exp(-(slope * model.booster.inplace_predict(data.matrix, predict_type="margin") + intercept)))


def output_fn(prediction: np.ndarray, accept: str) -> tuple[bytes, str]:
    """Scores as JSON `{"scores": […]}`, unless a line per score or a float32 array is asked for."""
    if CSV in accept:
        return "".join(f"{score:.8g}\n" for score in prediction).encode(), CSV
    if NPY in accept:
        buffer = io.BytesIO()
        np.save(buffer, prediction.astype("<f4"))
        return buffer.getvalue(), NPY
    return json.dumps({"scores": [float(f"{score:.8g}") for score in prediction]}).encode(), JSON


def _matrix(body: bytes) -> np.ndarray:
    try:
        array = np.load(io.BytesIO(body), allow_pickle=False)
    except EOFError as error:
        raise ValueError("the body is empty") from error
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "f":
        raise ValueError("a matrix of float32 is needed: a row per candidate, a column per feature")
    return np.ascontiguousarray(array, np.float32)
