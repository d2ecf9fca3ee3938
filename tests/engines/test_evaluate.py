"""A model scored through its own `inference.py`, on tables small enough to count by hand."""

from __future__ import annotations

import json
import math
import tarfile
from pathlib import Path
from textwrap import dedent
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Failed, Lake, Worker

INFERENCE = """
    import hashlib, io, json
    from pathlib import Path
    import numpy as np

    NAMES = ["bought", "ago"]

    def model_fn(folder):
        return json.loads((Path(folder) / "weights.json").read_text())

    def input_fn(body, content_type):
        fingerprint = hashlib.sha256("\\n".join(NAMES).encode()).hexdigest()[:16]
        if content_type != f"application/x-npy; features={fingerprint}":
            raise ValueError("these are other features")
        return np.load(io.BytesIO(body))

    def predict_fn(rows, weights):
        assert rows.dtype == np.float32
        return np.nan_to_num(rows[:, 0]) * weights["bought"]

    def output_fn(scores, accept):
        out = io.BytesIO()
        np.save(out, scores.astype("<f4"))
        return out.getvalue(), accept
"""

# user, order, item, label, bought, ago: two users of two orders, one of one.
TEST = [
    (1, 10, "a", 1, 0.9, 1),
    (1, 10, "b", 0, 0.2, None),
    (1, 10, "c", 1, 0.1, 4),
    (2, 20, "a", 0, 0.8, 2),
    (2, 20, "d", 1, 0.3, 1),
    (3, 30, "b", 0, 0.0, 1),
]
# e is no candidate of anyone; order 20 is also found with what is new to user 2.
TARGETS = [(1, 10, "a", 1), (1, 10, "c", 1), (1, 10, "e", 0), (2, 20, "d", 1), (2, 20, "f", 0), (3, 30, "g", 0)]
POPULARITY = [("a", 50), ("e", 40), ("b", 40), ("c", 1)]


class Evaluation:
    def __init__(self, worker: Worker, lake: Lake) -> None:
        self.worker, self.lake = worker, lake
        self.inference = INFERENCE
        self.weights: dict[str, float] = {"bought": 1}
        self.test, self.targets, self.train = list(TEST), list(TARGETS), [(9, 90, "a", 0, 0.5, 1)]

    def table(self, name: str, columns: dict[str, str], rows: list[tuple[Any, ...]]) -> dict[str, Any]:
        source = self.lake.table(name, "parquet", **columns)
        kinds = {"int": pa.int32(), "double": pa.float64(), "string": pa.string()}
        schema = pa.schema([(column, kinds[kind]) for column, kind in columns.items()])
        data = pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows], schema)
        pq.write_table(data, Path(source["dir"]) / "part.parquet")
        return source

    def run(self, **changes: Any) -> dict[str, Any]:
        model = self.lake.folder / "model.tar.gz"
        code, weights = self.lake.folder / "inference.py", self.lake.folder / "weights.json"
        code.write_text(dedent(self.inference))
        weights.write_text(json.dumps(self.weights))
        with tarfile.open(model, "w:gz") as tar:
            tar.add(code, "code/inference.py")
            tar.add(weights, "weights.json")
        rows = {"user": "int", "order": "int", "item": "string", "label": "int", "bought": "double", "ago": "int"}
        popularity = self.table("popularity", {"item": "string", "sold": "int"}, POPULARITY)
        request: dict[str, Any] = {
            "artifact": str(model),
            "features": ["bought", "ago"],
            "label": "label",
            "test": self.table("test", rows, self.test),
            "targets": self.table(
                "targets", {"user": "int", "order": "int", "item": "string", "repeat": "int"}, self.targets
            ),
            "train": self.table("train", rows, self.train),
            "group": ["user", "order"],
            "item": "item",
            "repeat": "repeat",
            "only": None,
            "where": {},
            "cut": None,
            "metrics": ["recall@2", "ndcg@2", "mrr@2", "candidate_recall", "f1", "logloss", "auc"],
            "baselines": [
                {"name": "lately", "score": "ago", "table": None, "by": []},
                {"name": "popularity", "score": "sold", "table": popularity, "by": []},
            ],
            "history": "ago",
            "resamples": 200,
            "seed": 1,
        }
        return self.worker.ask("evaluate", **request | changes)


@pytest.fixture
def evaluation(worker: Worker, lake: Lake) -> Evaluation:
    return Evaluation(worker, lake)


def value(result: dict[str, Any], ranking: str, metric: str, part: str = "all") -> float:
    found = [
        score["value"]
        for score in result["scores"]
        if (score["ranking"], score["metric"], score["part"]) == (ranking, metric, part)
    ]
    assert len(found) == 1, (ranking, metric, part)
    return found[0]


def test_counted_by_hand(evaluation: Evaluation) -> None:
    result = evaluation.run()
    assert (result["groups"], result["users"], result["candidates"], result["targets"]) == (3, 3, 6, 6)
    # Order 10 is ranked a, b, c; order 20 a, d; order 30 b.
    assert value(result, "model", "recall@2") == pytest.approx((1 / 3 + 1 / 2 + 0) / 3)
    assert value(result, "model", "recall@2", "repeat") == pytest.approx((1 / 2 + 1) / 2)
    assert value(result, "model", "recall@2", "explore") == 0
    best = 1 + 1 / math.log2(3)
    assert value(result, "model", "ndcg@2") == pytest.approx((1 / best + (1 / math.log2(3)) / best + 0) / 3)
    assert value(result, "model", "mrr@2") == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert value(result, "model", "candidate_recall") == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    # The most popular are a and, of b and e as popular, b.
    assert value(result, "popularity", "recall@2") == pytest.approx((1 / 3 + 0 + 0) / 3)
    assert value(result, "popularity", "mrr@2") == pytest.approx(1 / 3)
    # By `ago`, which b of order 10 has not: c, a, b; then a, d.
    assert value(result, "lately", "recall@2") == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    right = [0.9, 0.8, 0.1, 0.2, 0.3, 1]
    assert value(result, "model", "logloss") == pytest.approx(-sum(math.log(p) for p in right) / 6, abs=1e-6)
    # 9 pairs: 0.9 beats all three; 0.1 beats 0.0; 0.3 beats 0.2 and 0.0.
    assert value(result, "model", "auc") == pytest.approx(6 / 9)
    # The sets are {a}, {a} and None; the truths {a, c}, {d} and None.
    assert value(result, "model", "f1") == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert result["sets"]["none_true"] == pytest.approx(1 / 3)
    against = {one["baseline"]: one for one in result["against"]}
    assert against["popularity"]["metric"] == "recall@2"
    assert against["lately"]["value"] == pytest.approx(-1 / 9)
    assert result["leaks"] == []


def test_only_what_is_new_is_asked_for(evaluation: Evaluation) -> None:
    evaluation.test = [(*row[:3], int(row[2] == "d"), *row[4:]) for row in TEST if row[2] not in "ac"]
    evaluation.targets = [(user, order, item, int(item != "d")) for user, order, item, _ in TARGETS]
    result = evaluation.run(only="explore", metrics=["recall@2", "candidate_recall"])
    assert (result["groups"], result["targets"]) == (1, 1)
    assert [bucket["groups"] for bucket in result["history"]] == [1], "the others have nothing to be found"
    assert value(result, "model", "recall@2") == 1
    assert {score["part"] for score in result["scores"]} == {"all"}


def test_targets_of_other_splits_do_not_count(evaluation: Evaluation) -> None:
    result = evaluation.run(where={"order": "20"})
    assert (result["groups"], result["targets"], result["outside"]) == (1, 2, 4)


def test_a_baseline_can_have_a_ranking_for_each_user(evaluation: Evaluation) -> None:
    own = evaluation.table(
        "own", {"user": "int", "item": "string", "times": "int"}, [(1, "e", 3), (1, "c", 5), (2, "d", 1)]
    )
    result = evaluation.run(baselines=[{"name": "own", "score": "times", "table": own, "by": ["user"]}])
    assert value(result, "own", "recall@2") == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert value(result, "own", "mrr@2") == pytest.approx((1 + 1 + 0) / 3)


def test_a_label_that_is_not_what_the_targets_say(evaluation: Evaluation) -> None:
    evaluation.test[1] = (1, 10, "b", 1, 0.2, None)
    assert evaluation.run()["leaks"] == ["rows of `test` whose label is not what `targets` says: 1"]


def test_groups_of_the_test_that_were_learned_from(evaluation: Evaluation) -> None:
    evaluation.train.append(TEST[0])
    assert evaluation.run()["leaks"] == ["groups of `test` that are in `train` too: 1"]


def test_rows_that_know_what_comes_after_them(evaluation: Evaluation) -> None:
    result = evaluation.run(cut={"column": "ago", "before": "order"})
    assert result["leaks"] == ["rows of `test` whose `ago` is not before `order`: 1"]


def test_a_feature_that_knows_the_answer(evaluation: Evaluation) -> None:
    evaluation.test = [(user, 1, "a", user % 2, 0.1 + 0.8 * (user % 2), 1) for user in range(100)]
    evaluation.targets = [(user, 1, "a" if user % 2 else "z", 1) for user in range(100)]
    (leak,) = evaluation.run()["leaks"]
    assert leak == "`bought` alone tells the label of `test` (area under the ROC curve 1.0000)"


def test_a_model_of_other_features(evaluation: Evaluation) -> None:
    evaluation.inference = INFERENCE.replace('["bought", "ago"]', '["bought", "ago", "label"]')
    with pytest.raises(Failed, match="these are other features"):
        evaluation.run()


@pytest.mark.parametrize(
    ("weight", "message"),
    [(3.0, "`f1` needs probabilities, and the model's scores are none"),
     (math.nan, "the model gave scores that are no numbers")],
)  # fmt: skip
def test_scores_that_are_no_probabilities(evaluation: Evaluation, weight: float, message: str) -> None:
    evaluation.weights["bought"] = weight
    with pytest.raises(Failed) as failed:
        evaluation.run()
    assert failed.value.error["message"] == message


def test_nothing_to_measure_on(evaluation: Evaluation) -> None:
    evaluation.targets.clear()
    with pytest.raises(Failed) as failed:
        evaluation.run()
    assert failed.value.error["message"] == "`targets` has no targets: there is nothing to measure on"


def test_no_candidates_at_all(evaluation: Evaluation) -> None:
    evaluation.test.clear()
    result = evaluation.run(metrics=["recall@2", "candidate_recall", "f1", "logloss", "auc"])
    assert value(result, "model", "recall@2") == 0
    assert value(result, "model", "logloss") is None
    assert value(result, "model", "f1") == pytest.approx(1 / 3)


def test_an_item_twice(evaluation: Evaluation) -> None:
    evaluation.test.append(TEST[0])
    with pytest.raises(Failed, match="an item twice in one group"):
        evaluation.run()
