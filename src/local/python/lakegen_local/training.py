"""SageMaker training in script mode: the user's `train.py` in a process of its own, with the container's contract."""

from __future__ import annotations

import gzip
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lakegen_local.errors import StepError

METRIC = re.compile(r"^metric (\S+?)=([0-9eE.+-]+|nan|inf|-inf)\s*$")


class TrainingError(Exception):
    """A user's training script failed; `failure` is the finished account of it."""

    def __init__(self, failure: dict[str, Any]) -> None:
        super().__init__(failure["message"])
        self.failure = failure


def train(request: dict[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:
    """Operation `train`: runs `train.py`, gathers its metrics and packs what it left as model.tar.gz."""
    source, output = Path(request["source"]).resolve(), Path(request["output"]).resolve()
    if not (source / "train.py").is_file():
        raise StepError("MissingScript", f"there is no `train.py` in `{request['source']}`")
    hyperparameters = {name: str(value) for name, value in (request.get("hyperparameters") or {}).items()}
    channels = {name: os.path.abspath(folder) for name, folder in request["channels"].items()}
    artifact = output / "model.tar.gz"
    artifact.unlink(missing_ok=True)
    base = output / "opt" / "ml"
    shutil.rmtree(base, ignore_errors=True)
    environment = _container(base, request["model"], hyperparameters, channels) | (request.get("environment") or {})
    failure = base / "failure.json"
    arguments = [part for name, value in sorted(hyperparameters.items()) for part in (f"--{name}", value)]
    command = [sys.executable, "-u", "-m", "lakegen_local.script", request["source"], str(failure), *arguments]
    metrics = _run(command, environment, progress)
    if failure.exists():
        raise TrainingError(json.loads(failure.read_text(encoding="utf-8")))
    evaluation = _evaluation(base / "output" / "data" / "evaluation.json")
    if not any((base / "model").iterdir()):
        raise StepError("NoModel", "`train.py` wrote nothing to SM_MODEL_DIR, so there is no model to serve")
    pack(base / "model", source, artifact)
    return {"metrics": metrics, "artifact": str(artifact), "evaluation": evaluation}


def _container(base: Path, model: str, hyperparameters: dict[str, str], channels: dict[str, str]) -> dict[str, str]:
    """The folders below /opt/ml and the SM_ variables of SageMaker's training toolkit."""
    folders = {
        "SM_MODEL_DIR": base / "model",
        "SM_OUTPUT_DIR": base / "output",
        "SM_OUTPUT_DATA_DIR": base / "output" / "data",
        "SM_OUTPUT_INTERMEDIATE_DIR": base / "output" / "intermediate",
        "SM_INPUT_DIR": base / "input",
        "SM_INPUT_CONFIG_DIR": base / "input" / "config",
    }
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    config = base / "input" / "config"
    data = base / "input" / "data"
    data.mkdir()
    for name, folder in channels.items():
        (data / name).symlink_to(folder)
    inputs = {name: {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"} for name in channels}
    hosts = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo"}
    for file, content in (
        ("hyperparameters.json", hyperparameters),
        ("inputdataconfig.json", inputs),
        ("resourceconfig.json", hosts),
    ):
        (config / file).write_text(json.dumps(content, sort_keys=True), encoding="utf-8")
    user_arguments = [part for name, value in sorted(hyperparameters.items()) for part in (f"--{name}", value)]
    variables = {
        "SM_CHANNELS": json.dumps(sorted(channels)),
        "SM_HPS": json.dumps(hyperparameters, sort_keys=True),
        "SM_USER_ARGS": json.dumps(user_arguments),
        "SM_HOSTS": json.dumps(["algo-1"]),
        "SM_CURRENT_HOST": "algo-1",
        "SM_NETWORK_INTERFACE_NAME": "lo",
        "SM_NUM_CPUS": str(os.cpu_count() or 1),
        "SM_NUM_GPUS": "0",
        "SM_LOG_LEVEL": "20",
        "SM_FRAMEWORK_MODULE": "sagemaker_xgboost_container.training:main",
        "SM_MODULE_NAME": "train",
        "SM_USER_ENTRY_POINT": "train.py",
        "SM_INPUT_DATA_CONFIG": json.dumps(inputs, sort_keys=True),
        "SM_RESOURCE_CONFIG": json.dumps(hosts, sort_keys=True),
        "SM_INPUT_TRAINING_CONFIG_FILE": str(config / "hyperparameters.json"),
        "SM_INPUT_DATA_CONFIG_FILE": str(config / "inputdataconfig.json"),
        "SM_CHECKPOINT_CONFIG_FILE": str(config / "checkpointconfig.json"),
        "SAGEMAKER_BASE_DIR": str(base.parent.parent),
        "TRAINING_JOB_NAME": model,
    }
    variables |= {key: str(folder) for key, folder in folders.items()}
    variables |= {f"SM_CHANNEL_{name.upper()}": str(data / name) for name in channels}
    variables |= {f"SM_HP_{name.upper()}": value for name, value in hyperparameters.items()}
    return variables


def _run(command: list[str], environment: dict[str, str], progress: Callable[[str], None]) -> dict[str, float]:
    """Runs the script, copies what it prints to the log, and gives the last value of every metric it reported."""
    metrics: dict[str, float] = {}
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=os.environ | environment,
    ) as child:
        assert child.stdout is not None and child.stdin is not None
        for line in child.stdout:
            sys.stdout.write(line)
            if found := METRIC.match(line):
                metrics[found.group(1)] = _number(*found.groups())
                progress(line.strip().removeprefix("metric "))
        code = child.wait()
    if code != 0 and not Path(command[5]).exists():
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        hint = "; out of memory is the usual reason" if code == -9 else ""
        raise StepError("TrainingProcessDied", f"`train.py` {ended}{hint}")
    return metrics


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise StepError("BadMetric", f"`train.py` reported `{name}={value}`, which is not a number")
    return number


def _evaluation(file: Path) -> Any:
    if not file.exists():
        return None
    try:
        return json.loads(file.read_text(encoding="utf-8"), parse_constant=lambda _: None)
    except ValueError as error:
        raise StepError("BadEvaluation", f"`evaluation.json` of `train.py` is not JSON: {error}") from error


def pack(model: Path, source: Path, artifact: Path) -> None:
    """Packs the model's files and the source folder as `code/`: same files, same bytes. Appears whole or not at all."""
    unfinished = artifact.with_name(artifact.name + ".tmp")
    entries = {f"code/{name}": file for name, file in _tree(source)} | dict(_tree(model))
    try:
        with (
            unfinished.open("wb") as raw,
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for name, file in sorted(entries.items()):
                info = tarfile.TarInfo(name)
                info.size = file.stat().st_size
                info.mode = 0o644
                with file.open("rb") as content:
                    tar.addfile(info, content)
        unfinished.rename(artifact)
    finally:
        unfinished.unlink(missing_ok=True)


def _tree(folder: Path) -> list[tuple[str, Path]]:
    skipped = {"__pycache__", ".ipynb_checkpoints"}
    return [
        (file.relative_to(folder).as_posix(), file)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not skipped & set(file.relative_to(folder).parts)
    ]
