"""The tables of docs/predictions.md: `lakegen evaluate --env local --output json | python3 benches/predictions.py`."""

import json
import sys
from typing import Any


def number(score: dict[str, Any] | None) -> str:
    if score is None or score["value"] is None:
        return "–"
    return f"{score['value']:.4f} ({score['low']:.4f}–{score['high']:.4f})"


def table(model: dict[str, Any]) -> str:
    found = model["found"]
    scores = {(one["ranking"], one["part"], one["metric"]): one for one in found["scores"]}
    rankings = list(dict.fromkeys(ranking for ranking, _, _ in scores))
    rows = [
        f"### {model['model']}\n",
        f"{found['groups']:,} groups of {found['users']:,} customers, {found['candidates']:,} candidates, "
        f"{found['targets']:,} targets.\n",
        "| targets | metric | " + " | ".join(rankings) + " |",
        "|---" * (len(rankings) + 2) + "|",
    ]
    for part, metric in dict.fromkeys((part, metric) for _, part, metric in scores):
        cells = [number(scores.get((ranking, part, metric))) for ranking in rankings]
        rows.append(f"| {part} | {metric} | {' | '.join(cells)} |")
    for one in found["against"]:
        rows.append(f"\n{one['metric']} above {one['baseline']} by {number(one)}.")
    return "\n".join(rows)


def main() -> None:
    print("\n\n".join(table(model) for model in json.load(sys.stdin)["models"]))


if __name__ == "__main__":
    main()
