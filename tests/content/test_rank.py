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
    sums = dict.fromkeys(["recall@10", "recall@100", "ndcg@10", "hit@10", "mrr@10"], 0.0)
    for user, target in targets.items():
        everything = shown.get(user, [])
        top = everything[:10]
        sums["recall@10"] += len(set(top) & set(target)) / len(target)
        sums["recall@100"] += len(set(everything) & set(target)) / len(target)
        gain = sum(1 / math.log2(place + 2) for place, product in enumerate(top) if product in target)
        sums["ndcg@10"] += gain / sum(1 / math.log2(place + 2) for place in range(min(10, len(target))))
        places = [place for place, product in enumerate(top, 1) if product in target]
        sums["hit@10"] += bool(places)
        sums["mrr@10"] += 1 / min(places) if places else 0
    rows = [(user, product) for user, target in targets.items() for product in target]
    listed = [(user, product, rank) for user, order in shown.items() for rank, product in enumerate(order)]
    rng.shuffle(rows), rng.shuffle(listed)
    found = train.ranked_metrics(train.Targets(*transposed(rows)), *transposed(listed))
    assert found == pytest.approx({name: value / 50 for name, value in sums.items()})


def test_a_baseline_ranks_by_its_feature_and_puts_those_without_it_last(train: ModuleType) -> None:
    groups, products = np.array([1, 1, 1, 2]), np.array([5, 6, 7, 5])
    features = np.array([[np.nan], [2], [3], [0]], np.float32)
    candidates = train.Candidates(groups, products, np.zeros(4), features, ["often"])
    found = train.baseline(candidates, "often", train.Targets(np.array([1, 2]), np.array([5, 9])))
    assert (found["mrr@10"], found["recall@10"]) == (pytest.approx(1 / 6), pytest.approx(1 / 2))


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


def write_channels(folder: Path) -> None:
    """Customers whose next order follows from how often and how lately they bought."""
    rng = np.random.default_rng(5)
    for name, users in (("train", range(1, 201)), ("validation", range(201, 261))):
        user_id = np.repeat(list(users), 30)
        up_orders, since = rng.integers(1, 20, len(user_id)), rng.integers(0, 20, len(user_id))
        sometimes = [None if value < 0.3 else value for value in rng.random(len(user_id))]
        chance = 1 / (1 + np.exp(-(0.2 * up_orders - 0.4 * since - 0.5)))
        label = (rng.random(len(user_id)) < chance).astype(np.int32)
        columns = [up_orders, since, rng.random(len(user_id)), pa.array(sometimes, pa.float64())]
        product_id = np.tile(np.arange(30), len(users))
        keys = {"user_id": user_id, "target_order": user_id * 0 + 9, "product_id": product_id, "label": label}
        rows = keys | {"known_orders": user_id * 0 + 8, **dict(zip(NAMES, columns, strict=True))}
        write(folder, name, rows)
    bought = label == 1
    fresh = np.arange(201, 261)
    users = np.concatenate([user_id[bought], fresh])
    products = np.concatenate([product_id[bought], fresh * 0 + 999])
    targets = {
        "split": ["test" if user == 201 else "validation" for user in users],
        "user_id": users,
        "target_order": users * 0 + 9,
        "product_id": products,
        "repeat": (products != 999).astype(np.int32),
    }
    write(folder, "targets", targets)
    for name in ("model", "output"):
        (folder / name).mkdir()


def run_training(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    channels = {f"SM_CHANNEL_{name.upper()}": str(folder / name) for name in ("train", "validation", "targets")}
    places = {"SM_MODEL_DIR": str(folder / "model"), "SM_OUTPUT_DATA_DIR": str(folder / "output"), "SM_NUM_CPUS": "1"}
    baselines = "most_frequent=up_orders,noise=noise"
    return subprocess.run(
        [sys.executable, ROOT / "sagemaker/rank/train.py", "--num_round", "60", "--baselines", baselines, *arguments],
        env=os.environ | channels | places,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module", params=["binary:logistic", "rank:ndcg"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """The folder of a run, and its metrics."""
    folder = tmp_path_factory.mktemp("rank")
    write_channels(folder)
    done = run_training(folder, "--objective", request.param)
    assert done.returncode == 0, done.stderr
    lines = [line.removeprefix("metric ") for line in done.stdout.splitlines() if line.startswith("metric ")]
    return folder, {name: float(value) for name, value in (line.split("=") for line in lines)}


def test_the_model_beats_both_baselines(
    trained: tuple[Path, dict[str, float]],
) -> None:
    folder, metrics = trained
    for metric in ("ndcg@10", "recall@10"):
        assert metrics[f"validation:{metric}"] > metrics[f"most_frequent:{metric}"] > metrics[f"noise:{metric}"]
    # Knowing nothing but the share of ones would give about 0.48.
    assert 0 < metrics["validation:logloss"] < 0.42
    evaluation = json.loads((folder / "output/evaluation.json").read_text())
    assert [row["name"] for row in evaluation["rows"]] == ["model", "most_frequent", "noise"]
    assert evaluation["rows"][0]["ndcg@10"] == pytest.approx(metrics["validation:ndcg@10"], abs=1e-6)
    assert evaluation["rows"][1]["logloss"] is None
    assert evaluation["target"] == "59 groups of held-out customers"


def leaking(folder: Path, name: str, change: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """A training on a channel in which columns were changed."""
    write_channels(folder)
    for file in (folder / name).glob("*.parquet"):
        table = pq.read_table(file)
        for column, values in change.items():
            index = table.schema.get_field_index(column)
            table = table.set_column(index, column, pa.array(values(table)))
        pq.write_table(table, file)
    return run_training(folder)


def shifted(column: str, by: float, times: float = 1) -> Any:
    return lambda table: table[column].to_numpy() * times + by


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("train", {"known_orders": shifted("target_order", 0)}, "of `train` know order 9"),
        ("validation", {"known_orders": shifted("target_order", 1)}, "of `validation` know order 10"),
        ("validation", {"user_id": shifted("user_id", -100)}, "are in train and in validation"),
        ("train", {"noise": shifted("label", 0, 0.5)}, "`noise` alone tells the labels apart"),
        ("train", {"noise": shifted("label", 7, -1)}, "`noise` alone tells the labels apart"),
    ],
)
def test_a_leak_is_refused(tmp_path: Path, name: str, change: dict[str, Any], message: str) -> None:
    done = leaking(tmp_path, name, change)
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert not list((tmp_path / "model").iterdir())


def test_only_new_products_count_where_they_are_asked_for(tmp_path: Path) -> None:
    write_channels(tmp_path)
    done = run_training(tmp_path, "--targets", "new")
    assert "metric validation:candidate_recall=0.000000" in done.stdout, done.stderr


def test_a_training_set_without_a_right_answer_says_so(tmp_path: Path) -> None:
    done = leaking(tmp_path, "train", {"label": shifted("label", 0, 0)})
    assert done.returncode == 1 and "is there enough data?" in done.stderr


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
