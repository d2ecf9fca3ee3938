"""SageMaker training: the container's contract, the model archive, failures."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from conftest import Failed, Lake, Worker

CONTRACT = """
    import argparse, json, os, sys
    from helper import NAME

    parser = argparse.ArgumentParser()
    parser.add_argument("--max_depth", type=int)
    parser.add_argument("--objective")
    args = parser.parse_args()
    seen = {key: value for key, value in os.environ.items() if key.startswith(("SM_", "SAGEMAKER_"))}
    seen["argv"] = sys.argv[1:]
    seen["files"] = sorted(os.listdir(os.environ["SM_CHANNEL_TRAIN"]))
    seen["zone"] = os.environ["TZ"]
    with open(os.path.join(os.environ["SM_MODEL_DIR"], "model.json"), "w") as out:
        json.dump({"depth": args.max_depth, "objective": args.objective, "helper": NAME}, out)
    evaluation = {"task": "t", "rows": [{"name": "model", "ndcg@10": 0.4}], "seen": seen}
    with open(os.path.join(os.environ["SM_OUTPUT_DATA_DIR"], "evaluation.json"), "w") as out:
        json.dump(evaluation, out)
    print("metric validation:ndcg@10=0.25")
    print("metric validation:ndcg@10=0.4312")
    print("metric popularity:ndcg@10=1e-2")
    print("this metric x=1 is none")
"""


class Training:
    def __init__(self, worker: Worker, lake: Lake) -> None:
        self.worker, self.folder = worker, lake.folder
        self.source = lake.folder / "rank"
        self.source.mkdir()
        (self.source / "helper.py").write_text('NAME = "help"\n')
        (self.source / "inference.py").write_text("def model_fn(folder):\n    return folder\n")
        self.channel = lake.folder / "train-table"
        self.channel.mkdir()
        (self.channel / "part.parquet").write_text("x")

    def run(self, script: str, output: str = "output", **hyperparameters: str) -> Any:
        (self.source / "train.py").write_text(dedent(script))
        (self.folder / output).mkdir(exist_ok=True)
        return self.worker.ask(
            "train",
            model="buy_again",
            source=str(self.source),
            hyperparameters=hyperparameters,
            channels={"train": f"{self.channel}/"},
            output=str(self.folder / output),
        )


@pytest.fixture
def training(worker: Worker, lake: Lake) -> Training:
    return Training(worker, lake)


def test_the_contract_of_the_container(training: Training) -> None:
    result = training.run(CONTRACT, max_depth="8", objective="rank:ndcg")
    assert result["metrics"] == {"validation:ndcg@10": 0.4312, "popularity:ndcg@10": 0.01}
    assert training.worker.progress[-1] == "popularity:ndcg@10=1e-2"
    seen = result["evaluation"]["seen"]
    base = training.folder / "output" / "opt" / "ml"
    assert seen["argv"] == ["--max_depth", "8", "--objective", "rank:ndcg"]
    assert seen["files"] == ["part.parquet"]
    assert seen["zone"] == "UTC"
    assert seen["SM_MODEL_DIR"] == str(base / "model")
    assert seen["SM_OUTPUT_DATA_DIR"] == str(base / "output" / "data")
    assert seen["SM_CHANNEL_TRAIN"] == str(base / "input" / "data" / "train")
    assert json.loads(seen["SM_CHANNELS"]) == ["train"]
    assert json.loads(seen["SM_HPS"]) == {"max_depth": "8", "objective": "rank:ndcg"}
    assert json.loads(seen["SM_USER_ARGS"]) == seen["argv"]
    assert (seen["SM_HOSTS"], seen["SM_CURRENT_HOST"], seen["SM_NUM_GPUS"]) == ('["algo-1"]', "algo-1", "0")
    assert int(seen["SM_NUM_CPUS"]) >= 1
    config = json.loads(Path(seen["SM_INPUT_TRAINING_CONFIG_FILE"]).read_text())
    assert config == {"max_depth": "8", "objective": "rank:ndcg"}


def test_the_archive_has_model_and_code_and_the_same_bytes_each_time(training: Training) -> None:
    digests = []
    for output in ("one", "two"):
        result = training.run(CONTRACT.replace("helper import", "helper import"), output, max_depth="3")
        artifact = Path(result["artifact"])
        digests.append(hashlib.sha256(artifact.read_bytes()).hexdigest())
        os.utime(training.source / "helper.py", (1, 1))
    assert digests[0] == digests[1]
    with tarfile.open(artifact) as tar:
        assert tar.getnames() == ["code/helper.py", "code/inference.py", "code/train.py", "model.json"]
        assert {(member.mtime, member.uid, member.gid, member.mode) for member in tar} == {(0, 0, 0, 0o644)}
        model = json.load(tar.extractfile("model.json"))
    assert model == {"depth": 3, "objective": None, "helper": "help"}


FAILURES = [
    ("import os\nos.missing()\n", "AttributeError", "module 'os' has no attribute 'missing'", "train.py", 2),
    ("raise SystemExit('no data')\n", "SystemExit", "the script ended itself with `no data`", "train.py", 1),
    ("import helper\nhelper.broken()\n", "AttributeError", "module 'helper' has no attribute 'broken'", "train.py", 2),
    ("def broken(:\n", "SyntaxError", "invalid syntax (train.py, line 1)", "train.py", 1),
    ("import os\nos._exit(7)\n", "TrainingProcessDied", "`train.py` ended with exit code 7", None, None),
    ("import os\nos.kill(os.getpid(), 9)\n", "TrainingProcessDied",
     "`train.py` was killed by signal 9; out of memory is the usual reason", None, None),
    ("print('metric a=1')\n", "NoModel", "`train.py` wrote nothing to SM_MODEL_DIR, so there is no model to serve",
     None, None),
    ("print('metric a=nan')\n", "BadMetric", "`train.py` reported `a=nan`, which is not a number", None, None),
]  # fmt: skip


@pytest.mark.parametrize(("script", "kind", "message", "file", "line"), FAILURES)
def test_failures(training: Training, script: str, kind: str, message: str, file: str | None, line: int | None) -> None:
    training.run(CONTRACT)
    with pytest.raises(Failed) as failed:
        training.run(script)
    error = failed.value.error
    assert (error["type"], error["message"], error["line"]) == (kind, message, line)
    assert error["file"] == (str(training.source / file) if file else None)
    assert not (training.folder / "output" / "model.tar.gz").exists()


def test_no_train_py(training: Training) -> None:
    with pytest.raises(Failed) as failed:
        training.worker.ask("train", model="m", source=str(training.channel), channels={}, output=str(training.folder))
    assert failed.value.error["message"] == f"there is no `train.py` in `{training.channel}`"
