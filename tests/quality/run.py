"""Evaluates rules on some rows, as a local run does; standard input has the rules and their verdicts."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from lakegen_local import checks

ROWS = [
    {"id": 1, "name": "Ann", "age": 18, "country": "US", "city": "Rome", "code": "1", "day": "2026-01-01"},
    {"id": 2, "name": "Bo", "age": 25, "country": "US", "city": "Oslo", "code": "22", "day": "2026-01-02"},
    {"id": 3, "name": "Cy", "age": 40, "country": "CA", "city": "", "code": "3", "day": None},
    {"id": 4, "name": None, "age": 40, "country": "UK", "city": " ", "code": "4", "day": None},
    {"id": 5, "name": "Eve", "age": 65, "country": "CA", "city": "Bern", "code": "five", "day": "2026-02-28"},
    {"id": 6, "name": "Fay", "age": 31, "country": "US", "city": "Kiel", "code": "6", "day": "2026-03-01"},
]
COUNTRIES = [{"code": code} for code in ("US", "CA", "UK", "DE")]
PLACES = [{"code": "US", "town": "Rome"}, {"code": "CA", "town": "Bern"}, {"code": "UK", "town": "Rome"}]


def table(folder: Path, name: str, rows: list[dict[str, Any]], **types: str) -> dict[str, Any]:
    (folder / name).mkdir()
    (folder / name / "rows.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = [{"name": column, "type": types.get(column, "string")} for column in rows[0]]
    return {"name": name, "dir": str(folder / name), "format": "json", "columns": columns}


def main() -> None:
    cases = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        people = table(folder, "people", ROWS, id="int", age="int", day="date")
        others = [table(folder, "countries", COUNTRIES), table(folder, "places", PLACES)]
        request = {"table": people, "others": others, "rules": [case["rule"] for case in cases]}
        verdicts = checks.check(request, lambda _: None)["verdicts"]
    wrong = [
        f"{case['text']}: {verdict['observed']}"
        for case, verdict in zip(cases, verdicts, strict=True)
        if verdict["passed"] is not case["kept"]
    ]
    sys.exit("\n".join(wrong) or None)


main()
