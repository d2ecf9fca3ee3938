"""The endpoint: routes, statuses, keep-alive, several callers at once."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from conftest import PYTHON

INFERENCE = """
    import json, os, threading

    class UnsupportedContentType(Exception):
        pass

    both_here = threading.Barrier(2, timeout=20)

    def model_fn(model_dir):
        return json.load(open(os.path.join(model_dir, "model.json")))["factor"]

    def input_fn(body, content_type):
        assert isinstance(body, bytes)
        if content_type != "application/json":
            raise UnsupportedContentType(content_type)
        return json.loads(body)

    def predict_fn(data, model):
        if data == "meet":
            both_here.wait()
            return "met"
        return [value * model for value in data]

    def output_fn(prediction, accept):
        return json.dumps(prediction), "application/json"
"""


class Server:
    def __init__(self, folder: Path, inference: str) -> None:
        (folder / "code").mkdir()
        (folder / "code" / "inference.py").write_text(dedent(inference))
        (folder / "model.json").write_text('{"factor": 3}')
        archive = folder / "model.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(folder / "code", "code")
            tar.add(folder / "model.json", "model.json")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lakegen_local.model_server", "--model", str(archive), "--port", "0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(PYTHON)},
        )
        line = self.process.stdout.readline()
        self.port = json.loads(line)["port"] if line else 0

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def post(self, body: str, kind: str = "application/json", path: str = "/invocations") -> tuple[int, Any]:
        connection = self.connection()
        connection.request("POST", path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def close(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(timeout=10) == 0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("model"), INFERENCE)
    yield started
    started.close()


def test_ping_and_invocations_on_one_connection(server: Server) -> None:
    connection = server.connection()
    connection.request("GET", "/ping")
    answer = connection.getresponse()
    assert (answer.status, answer.read(), answer.version) == (200, b"", 11)
    used = connection.sock
    for factor in (1, 2):
        connection.request("POST", "/invocations", f"[{factor}]", {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, f"[{factor * 3}]".encode())
        assert answer.headers["Content-Type"] == "application/json"
    assert connection.sock is used


def test_statuses(server: Server) -> None:
    status, error = server.post("1", "text/plain")
    assert (status, error["type"], error["message"]) == (415, "UnsupportedContentType", "text/plain")
    assert error["file"].endswith("code/inference.py")
    assert error["code"] == "raise UnsupportedContentType(content_type)"
    status, error = server.post("{")
    assert (status, error["type"]) == (500, "JSONDecodeError")
    status, error = server.post("[null]")
    assert (status, error["type"]) == (500, "TypeError")
    assert error["code"] == "return [value * model for value in data]"
    assert server.post("[1]", path="/elsewhere")[0] == 404
    assert server.post("[1]") == (200, [3])


def test_body_limit(server: Server) -> None:
    connection = server.connection()
    connection.putrequest("POST", "/invocations")
    connection.putheader("Content-Length", str(7 * 1024 * 1024))
    connection.endheaders()
    assert connection.getresponse().status == 413
    assert server.post("[1]") == (200, [3])


def test_two_callers_at_once(server: Server) -> None:
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(server.post('"meet"'))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(200, "met"), (200, "met")]


def test_a_model_that_cannot_be_loaded_prints_no_port(tmp_path: Path) -> None:
    broken = Server(tmp_path, "x = 1\n")
    assert broken.process.wait(timeout=30) == 1
    assert "`inference.py` has no `model_fn`" in broken.process.stderr.read()
