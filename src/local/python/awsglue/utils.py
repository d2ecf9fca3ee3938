"""Arguments of a Glue job."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn


class GlueArgumentError(Exception):
    """A job was started without an argument that its script asks for."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise GlueArgumentError(message)


def getResolvedOptions(args: Sequence[str], options: Sequence[str]) -> dict[str, str]:
    """The values of `options` in `args` (usually `sys.argv`); other arguments are ignored.

    Raises GlueArgumentError when one of them is missing or has no value.
    """
    parser = _Parser(allow_abbrev=False, add_help=False)
    wanted = list(dict.fromkeys(option.lstrip("-") for option in options))
    for option in wanted:
        parser.add_argument(f"--{option}", required=True)
    if "JOB_NAME" not in wanted:
        parser.add_argument("--JOB_NAME")
    found, _ = parser.parse_known_args(list(args[1:]))
    return {name: value for name, value in vars(found).items() if value is not None}
