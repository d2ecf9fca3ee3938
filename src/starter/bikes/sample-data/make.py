"""Makes the sample: the same rides every time, with the faults that real locks have."""

from __future__ import annotations

import datetime
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
DISTRICTS = {
    "Harbour": ["Fish Market", "Pier Two", "Lighthouse"],
    "Old Town": ["Cathedral", "Mint", "Bread Lane"],
    "Hill": ["Observatory", "Upper Gate"],
    "University": ["Library", "Halls", "Stadium", "Botanic Garden"],
}
FIRST, DAYS, RIDES = datetime.date(2026, 5, 1), 7, 60
HOURS = [1, 0, 0, 0, 0, 1, 3, 8, 12, 7, 4, 4, 5, 5, 4, 5, 8, 13, 10, 6, 4, 3, 2, 1]  # how busy each hour is


STATION = pa.schema(
    [("station_id", pa.int32()), ("name", pa.string()), ("district", pa.string()), ("docks", pa.int32())]
)


def stations() -> list[dict[str, object]]:
    """Every station, with docks by its place in the list."""
    named = [(name, district) for district, names in DISTRICTS.items() for name in names]
    return [
        {"station_id": number, "name": name, "district": district, "docks": 12 + 4 * (number % 4)}
        for number, (name, district) in enumerate(named, start=1)
    ]


def rides(day: datetime.date, source: random.Random) -> list[str]:
    """The lines of a day: people ride downhill to the harbour in the morning, and fewer ride back."""
    lines = []
    for number in range(RIDES):
        hour = source.choices(range(24), HOURS)[0]
        downhill = hour < 12
        start = source.choice([7, 8, 9, 10, 11, 12]) if downhill else source.randint(1, 12)
        end = source.randint(1, 6) if downhill else source.randint(1, 12)
        ride = {
            "ride_id": f"{day:%m%d}-{number:03}",
            "bike_id": source.randint(1, 80),
            "from_station": start,
            "to_station": end,
            "started_at": f"{day} {hour:02}:{source.randint(0, 59):02}:00",
            "minutes": round(source.lognormvariate(2.4, 0.6), 1),
            "rider": source.choice(["member", "Member ", "casual", "CASUAL"]),
        }
        if number % 29 == 28:
            ride["to_station"] = None
        lines.append(json.dumps(ride))
        if number % 23 == 22:
            lines.append(lines[-1])
    lines.insert(17, lines[17][:40])
    return lines


def main() -> None:
    source = random.Random(2026)
    pq.write_table(pa.Table.from_pylist(stations(), schema=STATION), HERE / "stations.parquet")
    for offset in range(DAYS):
        day = FIRST + datetime.timedelta(days=offset)
        folder = HERE / "rides" / f"day={day}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rides.json").write_text("".join(f"{line}\n" for line in rides(day, source)))


if __name__ == "__main__":
    main()
