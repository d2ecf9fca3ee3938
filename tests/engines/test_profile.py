"""Profiles: statistics of a small table, and the verdicts on rules in DataBrew's own expressions."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Lake, Worker

ROWS = "id,name,price,day\n1,tea,2.5,2026-01-01\n2,,4,2026-01-03\n2,,4,2026-01-03\n3,oat,,2026-01-02\n"


def table(lake: Lake) -> dict[str, Any]:
    return lake.csv("goods", ROWS, id="int", name="string", price="double", day="date")


def rule(check: str, *columns: str, threshold: tuple[str, str, str] | None = None, **values: str) -> dict[str, Any]:
    limit = threshold and dict(zip(("comparison", "unit", "value"), threshold, strict=True))
    named = {f":{name}": value for name, value in values.items()}
    return {"name": check, "check": check, "columns": list(columns), "values": named, "threshold": limit}


def test_statistics(worker: Worker, lake: Lake) -> None:
    report = worker.ask("profile", table=table(lake), rows=None, rules=[])
    assert (report["rowsCount"], report["columnsCount"], report["duplicateRowsCount"]) == (4, 4, 1)
    identity, name, price, day = report["columns"]
    counted = ["distinctValuesCount", "uniqueValuesCount", "duplicateValuesCount"]
    assert [identity[count] for count in counted] == [3, 2, 1]
    assert identity["mostCommonValues"][0] == {"value": 2, "count": 2}
    assert (name["missingValuesCount"], name["validValuesCount"], name["min"], name["mode"]) == (2, 2, 3, 3)
    assert (price["missingValuesCount"], price["min"], price["max"], price["sum"]) == (1, 2.5, 4.0, 10.5)
    assert price["mean"] == pytest.approx(3.5) and price["standardDeviation"] == pytest.approx(0.8660254)
    assert (price["range"], price["interquartileRange"], price["medianAbsoluteDeviation"]) == (1.5, 0.75, 0)
    assert price["skewness"] == pytest.approx(-0.7071068) and price["kurtosis"] == pytest.approx(-1.5)
    assert price["entropy"] == pytest.approx(0.9182958) and price["zScoreOutliersCount"] == 0
    assert (day["min"], day["max"]) == ("2026-01-01", "2026-01-03")


def test_a_sample_is_the_first_rows(worker: Worker, lake: Lake) -> None:
    report = worker.ask("profile", table=table(lake), rows=2, rules=[])
    assert report["rowsCount"] == 2 and report["columns"][0]["max"] == 2


ALL = ("GREATER_THAN_OR_EQUAL", "PERCENTAGE", "100")
CASES = [
    (rule("AGG(ROWS_COUNT) == :val", val="4"), True, 4),
    (rule("AGG(DUPLICATE_ROWS_PERCENTAGE) < :val", val="25"), False, 25),
    (rule("AGG(MISSING_VALUES_COUNT) <= :val", "id", "price", val="0"), False, [0, 1]),
    (rule("AGG(MISSING_VALUES_PERCENTAGE) <= :val", "id", "price", val="25"), True, [0, 25]),
    (rule("AGG(STANDARD_DEVIATION) < :val", "price", val="1"), True, pytest.approx(0.8660254)),
    (rule("AGG(MAX) > :val", "day", val="1"), False, None),  # a day is no number
    (rule("AGG(MAX) <= :val", "name", val="3"), True, 3),  # the length of the text
    (rule("AGG(VARIANCE) < :val", "price", val="1"), True, pytest.approx(0.75)),
    (rule("AGG(Z_SCORE_OUTLIERS_PERCENTAGE) < :val", "price", val="5"), True, 0),
    (rule("AGG(Z_SCORE_OUTLIERS_COUNT, :zscore_dev) <= :val", "price", val="0", zscore_dev="3"), True, 0),
    (rule("AGG(MODE) == :val", "id", val="2"), True, 2),
    (rule(":col >= :val1 and :col <= :val2", threshold=ALL, col="`price`", val1="0", val2="10"), False, 75),
    (rule(":col >= :val1", threshold=("GREATER_THAN", "COUNT", "2"), col="`price`", val1="2.5"), True, 3),
    (rule(":col > :val1", threshold=ALL, col="`id`", val1="0.5"), True, 100),
    (rule(":col IN :val1", threshold=("LESS_THAN", "PERCENTAGE", "60"), col="`id`", val1='["1","3"]'), True, 50),
    (rule(":col NOT IN :val1", threshold=ALL, col="`id`", val1="[9]"), True, 100),
    (rule(":col STARTS_WITH :val1", threshold=("GREATER_THAN", "COUNT", "1"), col="`name`", val1="t"), False, 1),
    (rule(":col < :val1", threshold=ALL, col="`day`", val1="2026-02-01"), True, 100),
]


@pytest.mark.parametrize(("one", "passed", "observed"), CASES)
def test_verdicts(worker: Worker, lake: Lake, one: dict[str, Any], passed: bool, observed: Any) -> None:
    (verdict,) = worker.ask("profile", table=table(lake), rows=None, rules=[one])["rules"]
    assert (verdict["passed"], verdict["observed"]) == (passed, observed)
