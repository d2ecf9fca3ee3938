"""The worker: one JSON request per line on stdin, JSON answers on the stdout it was started with.

While a request runs, file descriptors 1 and 2 go to the request's `log`. The end of stdin means that the parent is
gone: the process ends at once, and its children end with the pipes they hold.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from lakegen_local.errors import StepError, describe

Request = dict[str, Any]
Progress = Callable[[str], None]
Operation = Callable[[Request, Progress], dict[str, Any]]

OPERATIONS = {
    "crawl": "crawler",
    "query": "athena",
    "select": "athena",
    "check": "checks",
    "recipe": "databrew",
    "profile": "profile",
    "glue_job": "spark",
    "warm": "spark",
    "archive": "spark",
    "train": "training",
    "evaluate": "evaluate",
}
"""Operation name to the module that has it as a function; modules are imported when first needed."""


class Protocol:
    """The parent's end of the conversation: a private copy of the stdout this process was started with."""

    def __init__(self) -> None:
        self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.set_inheritable(self._stream.fileno(), False)
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        line = json.dumps(message, ensure_ascii=False, allow_nan=False)
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()


@contextlib.contextmanager
def logged(path: str | None) -> Iterator[None]:
    """Sends file descriptors 1 and 2 to the end of the file at `path` meanwhile."""
    if path is None:
        yield
        return
    saved = os.dup(2)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(saved, 1)
        os.dup2(saved, 2)
        os.close(log)
        os.close(saved)


def ping(_request: Request, _progress: Progress) -> dict[str, Any]:
    return {"python": platform.python_version()}


def operation(name: str) -> Operation:
    if name == "ping":
        return ping
    if name not in OPERATIONS:
        raise StepError("UnknownOperation", f"no operation named `{name}`")
    return getattr(import_module(f"lakegen_local.{OPERATIONS[name]}"), name)


def answer(request: Request, protocol: Protocol) -> dict[str, Any]:
    """Does what the request asks and gives the one answer to it."""
    number = request.get("id")

    def progress(message: str) -> None:
        protocol.send({"id": number, "event": "progress", "message": message})

    try:
        with logged(request.get("log")):
            try:
                return {"id": number, "result": operation(request["op"])(request, progress)}
            except Exception as error:
                failure = getattr(error, "failure", None) or describe(error)
                print(failure["detail"], file=sys.stderr)
                return {"id": number, "error": failure}
    except OSError as error:
        return {"id": number, "error": describe(error)}


def read_requests(requests: queue.SimpleQueue[Request]) -> None:
    for line in sys.stdin.buffer:
        if line.strip():
            try:
                request = json.loads(line)
                requests.put(request if isinstance(request, dict) else {"op": "(not an object)"})
            except ValueError:
                requests.put({"op": "(not JSON)"})
    os._exit(0)


def main() -> None:
    protocol = Protocol()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ["TZ"] = "UTC"  # as on Glue and in SageMaker's containers
    time.tzset()
    requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
    threading.Thread(target=read_requests, args=(requests,), daemon=True, name="requests").start()
    while True:
        protocol.send(answer(requests.get(), protocol))


if __name__ == "__main__":
    main()
