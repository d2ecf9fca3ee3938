"""Holds values against a JSON Schema: reads `{ schema, values }`, writes what is wrong with each value, or null."""

import json
import sys

from jsonschema import Draft202012Validator


def main() -> None:
    """Judges every value of the request."""
    request = json.load(sys.stdin)
    Draft202012Validator.check_schema(request["schema"])
    validator = Draft202012Validator(request["schema"])
    verdicts: list[str | None] = []
    for value in request["values"]:
        error = next(validator.iter_errors(value), None)
        verdicts.append(error and f"{error.json_path}: {error.message[:200]}")
    json.dump(verdicts, sys.stdout)


if __name__ == "__main__":
    main()
