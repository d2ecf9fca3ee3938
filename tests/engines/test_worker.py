"""The protocol: answers, logs, and how a worker ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Failed, Lake, Worker


@pytest.fixture
def own(tmp_path: Path) -> Worker:
    return Worker(tmp_path)


def group_members(group: int) -> set[int]:
    """Process ids of a process group, without zombies."""
    listed = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return {int(pid) for pid, pgid, state in rows if int(pgid) == group and not state.startswith("Z")}


def wait_until_gone(group: int) -> None:
    deadline = time.monotonic() + 30
    while group_members(group):
        assert time.monotonic() < deadline, f"still running: {group_members(group)}"
        time.sleep(0.05)


def test_ping(worker: Worker) -> None:
    assert worker.ask("ping") == {"python": ".".join(map(str, sys.version_info[:3]))}


def test_unknown_operation_and_missing_field_are_answers(worker: Worker) -> None:
    with pytest.raises(Failed) as failed:
        worker.ask("fly")
    assert failed.value.error["message"] == "no operation named `fly`"
    with pytest.raises(Failed) as failed:
        worker.ask("crawl")
    assert failed.value.error["type"] == "KeyError"
    assert worker.ask("ping")


def test_what_is_not_json_is_answered(own: Worker) -> None:
    own.process.stdin.write("{nonsense\n")
    own.process.stdin.flush()
    assert own.receive()["error"]["type"] == "UnknownOperation"
    own.close()


def test_log_that_cannot_be_written_is_an_error(worker: Worker, tmp_path: Path) -> None:
    with pytest.raises(Failed) as failed:
        worker.ask("ping", log=str(tmp_path / "no" / "such" / "folder.log"))
    assert failed.value.error["type"] == "FileNotFoundError"


def test_prints_go_to_the_log_and_never_to_the_protocol(worker: Worker, lake: Lake) -> None:
    source = lake.folder / "source"
    source.mkdir()
    (source / "train.py").write_text(
        "import os, sys\n"
        'print(\'{"id": 1, "result": {}}\')\n'
        "os.write(1, b'raw one\\n'); os.write(2, b'raw two\\n'); print('err', file=sys.stderr)\n"
        "open(os.path.join(os.environ['SM_MODEL_DIR'], 'm'), 'w').close()\n"
    )
    result = worker.ask("train", model="m", source=str(source), channels={}, output=str(lake.folder))
    assert result["metrics"] == {}
    for text in ('{"id": 1, "result": {}}', "raw one", "raw two", "err"):
        assert text in worker.log()


def test_end_of_stdin_ends_the_worker_in_the_middle_of_training(own: Worker, tmp_path: Path) -> None:
    train_that_hangs(own, tmp_path)
    own.process.stdin.close()
    own.process.wait(timeout=10)
    wait_until_gone(own.process.pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_worker_leaves_no_children(own: Worker, tmp_path: Path, number: int) -> None:
    train_that_hangs(own, tmp_path)
    os.kill(own.process.pid, number)
    assert own.process.wait(timeout=10) == -number
    wait_until_gone(own.process.pid)


def train_that_hangs(own: Worker, folder: Path) -> None:
    source = folder / "source"
    source.mkdir()
    (source / "train.py").write_text("import time\nprint('metric started=1', flush=True)\ntime.sleep(3600)\n")
    own.send("train", model="m", source=str(source), channels={}, output=str(folder))
    assert own.receive()["message"] == "started=1"
    assert len(group_members(own.process.pid)) == 2
