"""What went wrong, reduced to its first cause: one sentence and a place in the user's own files."""

from __future__ import annotations

import linecache
import os
import re
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType


class StepError(Exception):
    """A step cannot be done, for a reason its author can remove.

    `kind` is the short name shown before the message; the message says what is wrong and what to do.
    """

    def __init__(self, kind: str, message: str, *, file: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.file = file
        self.line = line


@dataclass(frozen=True)
class UserFiles:
    """The files an error may point at: real path (a file, or a folder for all below it) and the name to show."""

    roots: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, paths: Iterable[str]) -> UserFiles:
        """Files and folders of the user, to be shown as they are given here."""
        return cls(tuple((os.path.realpath(path), path) for path in paths))

    def shown(self, filename: str) -> str | None:
        """The name to show for `filename`, or None when it is not one of the user's files."""
        real = os.path.realpath(filename)
        for root, shown in self.roots:
            if real == root:
                return shown
            if real.startswith(root + os.sep):
                return os.path.join(shown, os.path.relpath(real, root))
        return None


Place = tuple[str, int, str]
"""File as shown, line from 1, text of that line."""

JAVA_CAUSE = re.compile(r"^(?:Caused by: |: )([\w.$]+)(?:: (.*))?$", re.MULTILINE)
PYTHON_FRAME = re.compile(r'^\s*File "(.+)", line (\d+), in ', re.MULTILINE)
PYTHON_EXCEPTION = re.compile(r"^([A-Za-z_][\w.]*): ?(.*)$")


def describe(error: BaseException, files: UserFiles | None = None) -> dict[str, object]:
    """The `error` object of an answer: type, message, file, line, code and detail."""
    files = files or UserFiles()
    detail = "".join(traceback.format_exception(error))
    if isinstance(error, StepError):
        return _answer(error.kind, error.message, _place(error.file, error.line), detail)
    error = _first_cause(error, files)
    kind, message = _sentence(error)
    place = _place_in_text(_java_text(error), files) or _place_of(error, files)
    return _answer(kind, message, place, detail)


def _answer(kind: str, message: str, place: Place | None, detail: str) -> dict[str, object]:
    file, line, code = place or (None, None, None)
    return {"type": kind, "message": message, "file": file, "line": line, "code": code, "detail": detail}


def _first_cause(error: BaseException, files: UserFiles) -> BaseException:
    """Follows `raise … from …` written by the user; libraries that wrap errors do it for a reason and are kept."""
    while error.__cause__ is not None and _raised_in(error.__traceback__, files):
        error = error.__cause__
    return error


def _raised_in(trace: TracebackType | None, files: UserFiles) -> bool:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and files.shown(trace.tb_frame.f_code.co_filename) is not None


def _place_of(error: BaseException, files: UserFiles) -> Place | None:
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        shown = files.shown(error.filename)
        return _place(shown, error.lineno, error.filename) if shown else None
    place = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if shown := files.shown(frame.f_code.co_filename):
            place = _place(shown, line, frame.f_code.co_filename)
    return place


def _place_in_text(text: str, files: UserFiles) -> Place | None:
    """The deepest frame of the user's in a traceback that a Spark worker process sent as text."""
    place = None
    for filename, line in PYTHON_FRAME.findall(text):
        if shown := files.shown(filename):
            place = _place(shown, int(line), filename)
    return place


def _place(shown: str | None, line: int | None, filename: str | None = None) -> Place | None:
    if shown is None or line is None:
        return None
    path = filename or shown
    linecache.checkcache(path)
    return shown, line, linecache.getline(path, line).strip()


def _java_text(error: BaseException) -> str:
    """Everything the JVM said about an error, or nothing when it did not come from there."""
    if type(error).__module__.startswith(("py4j.", "pyspark.")):
        return str(error)
    return ""


def _sentence(error: BaseException) -> tuple[str, str]:
    kind = type(error).__name__
    if isinstance(error, SystemExit):
        return kind, f"the script ended itself with `{error.code}`"
    if isinstance(error, KeyError):
        return kind, f"no key {error}"
    text = _java_text(error)
    if text and "Traceback (most recent call last):" in text:
        return _python_sentence(text) or (kind, _first_line(text))
    if kind in ("Py4JJavaError", "UnknownException"):
        return _java_sentence(text) or (kind, _first_line(text))
    if kind in ("Py4JNetworkError", "ConnectionRefusedError") or (kind == "Py4JError" and "\n" not in text.strip()):
        return kind, "the Spark process died; the log has its last words (out of memory is the usual reason)"
    return kind, _first_line(str(error)) or kind


def _python_sentence(text: str) -> tuple[str, str] | None:
    """The exception at the end of the last Python traceback inside a Java message."""
    trace = text.rsplit("Traceback (most recent call last):", 1)[1]
    for line in trace.splitlines():
        if line and not line.startswith((" ", "\t")):
            if found := PYTHON_EXCEPTION.match(line):
                return found.group(1).rsplit(".", 1)[-1], found.group(2)
            return line, line
    return None


def _java_sentence(text: str) -> tuple[str, str] | None:
    """The last cause in a Java chain that says something."""
    said = [(name.rsplit(".", 1)[-1], message) for name, message in JAVA_CAUSE.findall(text)]
    if not said:
        return None
    kind, message = next(((kind, message) for kind, message in reversed(said) if message), said[-1])
    if kind == "OutOfMemoryError":
        message += "; give Spark more memory or more partitions"
    return kind, message.rstrip(";") or kind


def _first_line(text: str) -> str:
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return first.rstrip(";").removesuffix(".")


def relative(path: Path | str, folder: str) -> str:
    """A data file's name below its table's folder, for messages."""
    return os.path.relpath(path, folder)
