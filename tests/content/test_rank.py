"""Metrics against a plain reading of their definitions; training and inference from end to end."""

from __future__ import annotations

import io
import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, load

NAMES = ["up_orders", "up_orders_since_last_order", "noise", "sometimes"]


@pytest.fixture(scope="module")
def train() -> ModuleType:
    return load("sagemaker/rank/train.py")


@pytest.fixture(scope="module")
def inference() -> ModuleType:
    return load("sagemaker/rank/inference.py")


def transposed(rows: list[tuple[int, ...]]) -> list[np.ndarray]:
    return list(np.array(rows).T)


def test_metrics_follow_their_definitions(train: ModuleType) -> None:
    rng = random.Random(1)
    targets = {user: rng.sample(range(60), rng.randint(1, 25)) for user in range(50)}
    shown = {user: rng.sample(range(60), rng.randint(1, 40)) for user in range(0, 50, 2)}
    recalls, ndcgs = [], []
    for user, target in targets.items():
        top = shown.get(user, [])[:10]
        recalls.append(len(set(top) & set(target)) / len(target))
        gain = sum(1 / math.log2(place + 2) for place, product in enumerate(top) if product in target)
        ndcgs.append(gain / sum(1 / math.log2(place + 2) for place in range(min(10, len(target)))))
    rows = [(user, product) for user, target in targets.items() for product in target]
    listed = [(user, product, rank) for user, order in shown.items() for rank, product in enumerate(order)]
    rng.shuffle(rows), rng.shuffle(listed)
    found = train.ranked_metrics(train.Targets(*transposed(rows)), *transposed(listed))
    assert found == pytest.approx({"recall@10": sum(recalls) / 50, "ndcg@10": sum(ndcgs) / 50})


def test_popularity_recommends_products_nobody_bought_before(train: ModuleType) -> None:
    targets = train.Targets(np.array([1, 1, 2]), np.array([5, 99, 6]))
    found = train.popularity(np.array([6, 5, 4]), targets)
    first, second = 1.0, 1 / math.log2(3)
    assert found == pytest.approx({"recall@10": (1 / 2 + 1) / 2, "ndcg@10": (second / (first + second) + first) / 2})


def test_ranks_restart_for_each_customer(train: ModuleType) -> None:
    users, first, second = (np.array(each) for each in ([2, 1, 2, 1, 2], [0, 5, 0, 4, -1], [9, 0, 8, 0, 7]))
    assert train.ranks_within(users, first, second).tolist() == [2, 1, 1, 0, 0]


def test_logistic_curve_finds_the_curve_that_made_the_labels(train: ModuleType) -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(size=200_000)
    labels = rng.random(200_000) < 1 / (1 + np.exp(-(1.5 * scores - 2)))
    assert train.logistic_curve(scores, labels.astype(float)) == pytest.approx((1.5, -2), abs=0.05)


def write(folder: Path, name: str, rows: dict[str, Any]) -> None:
    (folder / name).mkdir()
    table = pa.table(rows)
    # Two files, their rows out of order: what is learned must not depend on it.
    pq.write_table(table[len(table) // 2 :], folder / name / "a.parquet")
    pq.write_table(table[: len(table) // 2], folder / name / "b.parquet")


@pytest.fixture(scope="module", params=["binary:logistic", "rank:ndcg"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """The folder of a run on customers whose next order follows from how often and how lately they bought."""
    folder, rng = tmp_path_factory.mktemp("rank"), np.random.default_rng(5)
    for name, users in (("train", range(1, 201)), ("validation", range(201, 261))):
        user_id = np.repeat(list(users), 30)
        up_orders, since = rng.integers(1, 20, len(user_id)), rng.integers(0, 20, len(user_id))
        sometimes = [None if value < 0.3 else value for value in rng.random(len(user_id))]
        chance = 1 / (1 + np.exp(-(0.2 * up_orders - 0.4 * since - 0.5)))
        label = (rng.random(len(user_id)) < chance).astype(np.int32)
        columns = [up_orders, since, rng.random(len(user_id)), pa.array(sometimes, pa.float64())]
        product_id = np.tile(np.arange(30), len(users))
        rows = {"user_id": user_id, "product_id": product_id, "label": label, **dict(zip(NAMES, columns, strict=True))}
        write(folder, name, rows)
    bought = label == 1
    fresh = np.arange(201, 261)
    targets = [np.concatenate(each) for each in ((user_id[bought], fresh), (product_id[bought], fresh * 0 + 999))]
    write(folder, "targets", dict(zip(["user_id", "product_id"], targets, strict=True)))
    write(folder, "popularity", {"product_id": list(range(1000)), "popularity_rank": list(range(1, 1001))})
    for name in ("model", "output"):
        (folder / name).mkdir()
    channels = {
        f"SM_CHANNEL_{name.upper()}": str(folder / name) for name in ("train", "validation", "targets", "popularity")
    }
    places = {"SM_MODEL_DIR": str(folder / "model"), "SM_OUTPUT_DATA_DIR": str(folder / "output"), "SM_NUM_CPUS": "1"}
    done = subprocess.run(
        [sys.executable, ROOT / "sagemaker/rank/train.py", "--objective", request.param, "--num_round", "60"],
        env=os.environ | channels | places,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.removeprefix("metric ") for line in done.stdout.splitlines() if line.startswith("metric ")]
    return folder, {name: float(value) for name, value in (line.split("=") for line in lines)}


def test_the_model_beats_both_baselines(
    trained: tuple[Path, dict[str, float]],
) -> None:
    folder, metrics = trained
    for metric in ("ndcg@10", "recall@10"):
        assert metrics[f"validation:{metric}"] > metrics[f"most_frequent:{metric}"] > metrics[f"popularity:{metric}"]
    # Knowing nothing but the share of ones would give about 0.48.
    assert 0 < metrics["validation:logloss"] < 0.42
    evaluation = json.loads((folder / "output/evaluation.json").read_text())
    assert [row["name"] for row in evaluation["rows"]] == ["model", "most_frequent", "popularity"]
    assert evaluation["rows"][0]["ndcg@10"] == pytest.approx(metrics["validation:ndcg@10"], abs=1e-6)
    assert evaluation["rows"][1]["logloss"] is None
    assert evaluation["target"] == "next basket of 60 held-out users"


def test_all_request_formats_give_the_same_probabilities(trained: tuple[Path, Any], inference: ModuleType) -> None:
    model = inference.model_fn(str(trained[0] / "model"))
    matrix = np.array([[19, 0, 0.5, 0.1], [1, 19, 0.5, np.nan], [8, 3, 0.25, 0.75]], np.float32)
    buffer = io.BytesIO()
    np.save(buffer, matrix)
    rows = [[None if math.isnan(value) else float(value) for value in row] for row in matrix]
    lines = [",".join("" if value is None else str(value) for value in row) for row in rows]
    requests = {
        f"application/x-npy; features={model.fingerprint}": buffer.getvalue(),
        "application/json": json.dumps({"features": NAMES, "rows": rows}).encode(),
        "text/csv": "\n".join([",".join(NAMES), *lines]).encode(),
    }
    answers = []
    for content_type, body in requests.items():
        prediction = inference.predict_fn(inference.input_fn(body, content_type), model)
        content, kind = inference.output_fn(prediction, "application/json")
        assert kind == "application/json"
        answers.append(json.loads(content)["scores"])
        assert np.load(io.BytesIO(inference.output_fn(prediction, "application/x-npy")[0])) == pytest.approx(
            answers[-1]
        )
        as_csv = [float(line) for line in inference.output_fn(prediction, "text/csv")[0].split()]
        assert as_csv == pytest.approx(answers[-1])
    assert answers[0] == answers[1] == answers[2]
    likely, unlikely, between = answers[0]
    assert 0 < unlikely < between < likely < 1


def test_features_in_another_order_are_refused(trained: tuple[Path, Any], inference: ModuleType) -> None:
    model = inference.model_fn(str(trained[0] / "model"))
    body = json.dumps({"features": NAMES[::-1], "rows": [[1, 2, 3, 4]]}).encode()
    with pytest.raises(ValueError, match="learned from the features"):
        inference.predict_fn(inference.input_fn(body, "application/json"), model)
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((1, 4), np.float32))
    for content_type in ("application/x-npy", "application/x-npy; features=0123456789abcdef"):
        with pytest.raises(ValueError, match="fingerprint"):
            inference.predict_fn(inference.input_fn(buffer.getvalue(), content_type), model)
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((1, 3), np.float32))
    content_type = f"application/x-npy; features={model.fingerprint}"
    with pytest.raises(ValueError, match="needs 4 features per row, the request has 3"):
        inference.predict_fn(inference.input_fn(buffer.getvalue(), content_type), model)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/x-npy"),
        (b"not numpy", "application/x-npy"),
        (b"[1, 2]", "application/json"),
        (b"{", "application/json"),
        (b'{"features": ["a"], "rows": [["x"]]}', "application/json"),
        (b"", "text/csv"),
        (b"a,b\n1,x\n", "text/csv"),
        (b"1,2", "application/xml"),
    ],
)
def test_unreadable_bodies_are_value_errors(inference: ModuleType, body: bytes, content_type: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        inference.input_fn(body, content_type)


def test_pickled_arrays_are_not_unpickled(inference: ModuleType) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        inference.input_fn(buffer.getvalue(), "application/x-npy")
