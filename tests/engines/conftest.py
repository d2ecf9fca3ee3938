"""A worker in a process of its own, spoken to through its protocol."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PYTHON = Path(__file__).parents[2] / "src" / "local" / "python"


def function_modules(function: str, *names: str) -> list[ModuleType]:
    """Modules of a function of lakegen's own, without leaving their short names to other tests.

    They come in the order in which one imports another, so that each finds those before it.
    """
    modules = []
    for name in names:
        source = PYTHON.parents[2] / "lambdas" / function / f"{name}.py"
        specification = importlib.util.spec_from_file_location(name, source)
        assert specification and specification.loader
        sys.modules[name] = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(sys.modules[name])
        modules.append(sys.modules[name])
    for name in names:
        del sys.modules[name]
    return modules


class Failed(Exception):
    """The worker answered with an error; `error` is that object."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['type']}: {error['message']}\n{error['detail']}")
        self.error = error


class Worker:
    """One worker process."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.numbers = itertools.count(1)
        self.progress: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lakegen_local.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(PYTHON)} | environment,
            start_new_session=True,
        )

    def send(self, op: str, **request: Any) -> int:
        assert self.process.stdin is not None
        number = next(self.numbers)
        request = {"id": number, "op": op, "log": str(self.folder / "step.log")} | request
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return number

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the worker ended with {self.process.wait()}"
        return json.loads(line)

    def ask(self, op: str, **request: Any) -> Any:
        """The result of one request; raises Failed on an error."""
        number = self.send(op, **request)
        while True:
            answer = self.receive()
            assert answer["id"] == number
            if "event" in answer:
                self.progress.append(answer["message"])
            elif "error" in answer:
                raise Failed(answer["error"])
            else:
                return answer["result"]

    def log(self) -> str:
        return (self.folder / "step.log").read_text()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


@pytest.fixture(scope="session")
def _worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    local = tmp_path_factory.mktemp("spark")
    settings = {"memory": "600m", "cores": 2, "partitions": 2, "c1": True, "local_dir": str(local)}
    worker = Worker(local, LAKEGEN_SPARK=json.dumps(settings))
    yield worker
    worker.close()


@pytest.fixture
def worker(_worker: Worker, tmp_path: Path) -> Worker:
    """The worker that all tests share, with a log of this test's own."""
    _worker.folder = tmp_path
    _worker.progress.clear()
    return _worker


def columns(**types: str) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in types.items()]


class Lake:
    """Tables in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def csv(
        self, name: str, content: str | bytes, /, csv: dict[str, Any] | None = None, **types: str
    ) -> dict[str, Any]:
        """A CSV table of one file with this content."""
        folder = self.folder / name
        folder.mkdir()
        data = content if isinstance(content, bytes) else content.encode()
        (folder / f"{name}.csv").write_bytes(data)
        return self.table(name, "csv", csv=csv or {"delimiter": ",", "quote": '"'}, **types)

    def table(self, name: str, format: str, /, csv: dict[str, Any] | None = None, **types: str) -> dict[str, Any]:
        """A table whose folder exists (empty if it is new)."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return {"name": name, "dir": f"{folder}/", "format": format, "csv": csv, "columns": columns(**types)}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    folder = tmp_path / "lake"
    folder.mkdir()
    return Lake(folder)
