"""The child process that runs a user's `train.py`: `python -m lakegen_local.script FOLDER FAILURE ARGUMENT…`.

Its stdin is a pipe from the worker; when that ends, so does this process. A failure is written to the file FAILURE as
the `error` object of the protocol.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import threading
from pathlib import Path

from lakegen_local.errors import UserFiles, describe


def end_with_parent() -> None:
    os.read(0, 1)
    os._exit(1)


def main() -> None:
    folder, failure, *arguments = sys.argv[1:]
    threading.Thread(target=end_with_parent, daemon=True).start()
    script = str(Path(folder, "train.py"))
    sys.argv = [script, *arguments]
    sys.path[0] = folder
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ending:
        if ending.code in (None, 0):
            return
        _failed(ending, folder, failure)
    except BaseException as error:
        _failed(error, folder, failure)


def _failed(error: BaseException, folder: str, failure: str) -> None:
    account = describe(error, UserFiles.of([folder]))
    print(account["detail"], file=sys.stderr, flush=True)
    Path(failure).write_text(json.dumps(account), encoding="utf-8")
    sys.stdout.flush()
    os._exit(1)


if __name__ == "__main__":
    main()
