"""The SageMaker endpoint: `python -m lakegen_local.model_server --model model.tar.gz --port 0`.

Serves `GET /ping` and `POST /invocations` on 127.0.0.1 with the user's `inference.py`, and prints one JSON line
`{"port": N}` when the model is loaded. It ends when its stdin does.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

from lakegen_local.errors import UserFiles, describe

BODY_LIMIT = 6 * 1024 * 1024
"""Bytes of a request's body that an endpoint accepts."""


class UnsupportedType(Exception):
    """A content type (415) or accept type (406) that the default handlers do not know."""


@dataclass(frozen=True)
class Model:
    """A loaded model and the handlers around it."""

    loaded: Any
    input_fn: Callable[[bytes, str], Any]
    predict_fn: Callable[[Any, Any], Any]
    output_fn: Callable[[Any, str], Any]
    files: UserFiles

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Imports `code/inference.py` and lets its `model_fn` read the model."""
        code = folder / "code"
        if not (code / "inference.py").is_file():
            raise FileNotFoundError("the model has no code/inference.py")
        sys.path.insert(0, str(code))
        spec = importlib.util.spec_from_file_location("inference", code / "inference.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["inference"] = module
        spec.loader.exec_module(module)
        return cls(
            loaded=_handler(module, "model_fn", None)(str(folder)),
            input_fn=_handler(module, "input_fn", default_input),
            predict_fn=_handler(module, "predict_fn", default_predict),
            output_fn=_handler(module, "output_fn", default_output),
            files=UserFiles.of([str(code)]),
        )

    def answer(self, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """One invocation: the body of the answer and its content type."""
        prediction = self.predict_fn(self.input_fn(body, content_type), self.loaded)
        given = self.output_fn(prediction, accept)
        content, kind = given if isinstance(given, tuple) else (given, accept)
        return content.encode() if isinstance(content, str) else bytes(content), kind


def _handler(module: ModuleType, name: str, default: Callable[..., Any] | None) -> Callable[..., Any]:
    handler = getattr(module, name, default)
    if handler is None:
        raise AttributeError(f"`inference.py` has no `{name}`")
    return handler


def default_input(body: bytes, content_type: str) -> Any:
    """CSV without header as an XGBoost matrix."""
    if content_type.split(";")[0].strip() != "text/csv":
        raise UnsupportedType(f"content type `{content_type}` is not supported; use text/csv")
    import numpy
    import xgboost

    rows = [line.split(",") for line in body.decode("utf-8").splitlines() if line.strip()]
    return xgboost.DMatrix(numpy.array([[float(cell or "nan") for cell in row] for row in rows]))


def default_predict(data: Any, model: Any) -> Any:
    """Scores of an XGBoost model."""
    return model.predict(data, validate_features=False)


def default_output(prediction: Any, accept: str) -> tuple[str, str]:
    """Scores as JSON or as CSV, one a line."""
    scores = [float(score) for score in prediction]
    if accept == "application/json":
        return json.dumps({"predictions": [{"score": score} for score in scores]}), accept
    if accept in ("text/csv", "*/*"):
        return "".join(f"{score}\n" for score in scores), "text/csv"
    raise UnsupportedType(f"accept type `{accept}` is not supported; use text/csv or application/json")


class Handler(BaseHTTPRequestHandler):
    """The two routes of a SageMaker container."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    model: Model

    def do_GET(self) -> None:
        self._answer(200 if self.path == "/ping" else 404, b"", "text/plain")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            self.close_connection = True
            self._failed(411, "LengthRequired", "a Content-Length is required")
        elif int(length) > BODY_LIMIT:
            self.close_connection = True
            self._failed(413, "PayloadTooLarge", f"the body is larger than {BODY_LIMIT} bytes")
        else:
            self._invoke(self.rfile.read(int(length)))

    def _invoke(self, body: bytes) -> None:
        if self.path != "/invocations":
            self._failed(404, "NotFound", f"no route {self.path}")
            return
        content_type = self.headers.get("Content-Type") or "text/csv"
        accept = self.headers.get("Accept") or "*/*"
        try:
            content, kind = self.model.answer(body, content_type, accept)
        except UnsupportedType as error:
            self._failed(406 if "accept type" in str(error) else 415, "UnsupportedType", str(error))
        except Exception as error:
            account = describe(error, self.model.files)
            status = 415 if _is_unsupported(error) else 500
            print(account["detail"], file=sys.stderr, flush=True)
            self._failed(status, str(account["type"]), str(account["message"]), account)
        else:
            self._answer(200, content, kind)

    def _failed(self, status: int, kind: str, message: str, account: dict[str, Any] | None = None) -> None:
        place = {key: account[key] for key in ("file", "line", "code")} if account else {}
        content = json.dumps({"type": kind, "message": message} | place).encode()
        self._answer(status, content, "application/json")

    def _answer(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are counted by the caller; only failures are logged."""


def _is_unsupported(error: Exception) -> bool:
    """SageMaker's toolkit has an exception for this; scripts that import nothing name theirs alike."""
    return any("UnsupportedContentType" in kind.__name__ or "UnsupportedMediaType" in kind.__name__
               for kind in type(error).__mro__)  # fmt: skip


def end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="lakegen_local.model_server")
    parser.add_argument("--model", required=True)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    threading.Thread(target=end_with_parent, daemon=True).start()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(prefix="lakegen-model-") as folder:
        with tarfile.open(options.model, "r:gz") as tar:
            tar.extractall(folder, filter="data")
        Handler.model = Model.load(Path(folder))
        server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
        server.daemon_threads = True
        protocol = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        print(json.dumps({"port": server.server_address[1]}), file=protocol, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
