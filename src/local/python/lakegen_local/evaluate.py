"""A model, scored on what it has never seen: its own `inference.py` ranks the candidates of a test table, and so do its
baselines.

What the request asks for is in the blueprint: `evaluate` of a model. Rows go to the model as
`application/x-npy; features=<fingerprint>`, a float32 matrix as `numpy.save` writes it, NaN where there is no value.
The fingerprint is the first 16 hexadecimal digits of the SHA-256 of the features' names joined by newlines. Scores are
asked for as `application/x-npy`.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np

from lakegen_local import sources
from lakegen_local.bootstrap import Drawn, Interval, Ratios
from lakegen_local.errors import StepError
from lakegen_local.expected_f1 import best_sets
from lakegen_local.metrics import MISSING, Targets, auc, f1_per_group, logloss, per_group, ranks_within
from lakegen_local.model_server import Model
from lakegen_local.sources import Table, name, text

NPY = "application/x-npy"
BATCH = 1 << 17
"""Rows that the model gets at a time."""
SAMPLE = 200_000
"""Rows in which features are looked at one by one."""
GIVEAWAY = 0.995
"""A feature that alone has this area under the ROC curve knows the answer."""
BINS = 20
MODEL = "model"

Progress = Callable[[str], None]


class Rows(NamedTuple):
    """Candidates, sorted by group and item; `group` is -1 where the group has no targets."""

    group: np.ndarray
    item: np.ndarray
    label: np.ndarray
    score: np.ndarray
    columns: dict[str, np.ndarray]
    sample: np.ndarray
    sample_labels: np.ndarray


class Asked(NamedTuple):
    """The targets, the user of each group, and which of them are nothing new."""

    targets: Targets
    item: np.ndarray
    repeat: np.ndarray | None
    user: np.ndarray
    users: int


def evaluate(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Operation `evaluate`."""
    database = sources.connect(request)
    sources.create_views(database, _tables(request))
    with tempfile.TemporaryDirectory(prefix="lakegen-model-") as folder:
        with tarfile.open(request["artifact"], "r:gz") as tar:
            tar.extractall(folder, filter="data")
        progress("reading the test table")
        asked = _targets(database, request)
        rows = _score(database, request, Model.load(Path(folder)), progress)
        importance = _importance(Path(folder), request["features"])
    progress("measuring")
    return _measure(database, request, asked, rows, importance)


def _tables(request: dict[str, Any]) -> list[Table]:
    wanted = [request["test"], request["targets"], *([request["train"]] if request.get("train") else [])]
    wanted += [baseline["table"] for baseline in request["baselines"] if baseline.get("table")]
    return list({source["name"]: Table.of(source) for source in wanted}.values())


def _targets(database: duckdb.DuckDBPyConnection, request: dict[str, Any]) -> Asked:
    """Numbers groups, items and users, as tables `lakegen_groups` and `lakegen_items`, and gives the targets."""
    group, item = [name(column) for column in request["group"]], name(request["item"])
    test, targets = name(request["test"]["name"]), name(request["targets"]["name"])
    where = " AND ".join(f"{name(c)}::VARCHAR = {text(value)}" for c, value in request["where"].items()) or "true"
    database.execute(f"CREATE TEMP TABLE lakegen_targets AS SELECT * FROM {targets} WHERE {where}")
    database.execute(
        f"""CREATE TEMP TABLE lakegen_groups AS
        SELECT row_number() OVER (ORDER BY {", ".join(group)}) - 1 AS lakegen_group,
               dense_rank() OVER (ORDER BY {group[0]}) - 1 AS lakegen_user, {", ".join(group)}
        FROM (SELECT DISTINCT {", ".join(group)} FROM lakegen_targets)"""
    )
    database.execute(
        f"""CREATE TEMP TABLE lakegen_items AS SELECT row_number() OVER (ORDER BY {item}) - 1 AS lakegen_item, {item}
        FROM (SELECT {item} FROM {test} UNION SELECT {item} FROM lakegen_targets)"""
    )
    user = database.execute("SELECT lakegen_user FROM lakegen_groups ORDER BY lakegen_group").fetchnumpy()
    user = user["lakegen_user"].astype(np.int64)
    if not len(user):
        raise StepError("NoTargets", f"`{request['targets']['name']}` has no targets: there is nothing to measure on")
    repeat = f"max({name(request['repeat'])}::INTEGER)" if request["repeat"] else "0"
    found = database.execute(
        f"""SELECT lakegen_group, lakegen_item, {repeat} AS repeated
        FROM lakegen_targets JOIN lakegen_groups USING ({", ".join(group)}) JOIN lakegen_items USING ({item})
        GROUP BY ALL ORDER BY ALL"""
    ).fetchnumpy()
    targets_of = Targets(found["lakegen_group"].astype(np.int64), len(user))
    repeated = found["repeated"].astype(bool) if request["repeat"] else None
    return Asked(targets_of, found["lakegen_item"].astype(np.int64), repeated, user, int(user.max()) + 1)


def _score(database: duckdb.DuckDBPyConnection, request: dict[str, Any], model: Model, progress: Progress) -> Rows:
    """Every candidate with the model's score, a batch at a time."""
    features = request["features"]
    extra = {baseline["score"] for baseline in request["baselines"] if not baseline.get("table")}
    extra |= {request["history"]} if request["history"] else set()
    extra_names = sorted(extra)
    group = ", ".join(name(column) for column in request["group"])
    columns = [
        "coalesce(lakegen_group, -1)::BIGINT",
        "lakegen_item::BIGINT",
        f"{name(request['label'])}::FLOAT",
        *(f"{name(column)}::DOUBLE" for column in extra_names),
        *(f"{name(column)}::FLOAT" for column in features),
    ]
    named = ", ".join(f"{column} AS c{at}" for at, column in enumerate(columns))
    reader = database.sql(
        f"""SELECT {named} FROM {name(request["test"]["name"])} LEFT JOIN lakegen_groups USING ({group})
        JOIN lakegen_items USING ({name(request["item"])})"""
    ).to_arrow_reader(BATCH)
    fingerprint = hashlib.sha256("\n".join(features).encode()).hexdigest()[:16]
    kept: list[list[np.ndarray]] = []
    samples: list[np.ndarray] = []
    first = 3 + len(extra_names)

    def batches() -> Iterator[np.ndarray]:
        seen = 0
        for batch in reader:
            arrays = [column.to_numpy(zero_copy_only=False) for column in batch.columns]
            matrix = np.empty((batch.num_rows, len(features)), np.float32)
            for at, values in enumerate(arrays[first:]):
                matrix[:, at] = values
            kept.append(arrays[:first])
            if seen < SAMPLE:
                samples.append(matrix[: SAMPLE - seen])
            seen += batch.num_rows
            progress(f"{seen} candidates scored")
            yield matrix

    scores = np.concatenate([np.empty(0, np.float32), *_predicted(model, fingerprint, batches())])
    if not kept:
        kept = [[np.empty(0) for _ in range(first)]]
    whole = [np.concatenate(parts) for parts in zip(*kept, strict=True)]
    if not np.isfinite(scores).all():
        raise StepError("BadScore", "the model gave scores that are no numbers")
    labels = whole[2].astype(np.float32)
    if np.isnan(labels).any():
        raise StepError("BadLabel", f"`{request['label']}` is null in the test table")
    sample = np.concatenate([np.empty((0, len(features)), np.float32), *samples])
    sample_labels = labels[: len(sample)]
    order = np.lexsort((whole[1], whole[0]))
    extras = {column: whole[3 + at][order].astype(float) for at, column in enumerate(extra_names)}
    ids = [whole[at][order].astype(np.int64) for at in (0, 1)]
    return Rows(ids[0], ids[1], labels[order], scores[order], extras, sample, sample_labels)


def _predicted(model: Model, fingerprint: str, batches: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Scores of each batch, in order; as many batches are worked on at a time as there are cores."""
    content_type = f"{NPY}; features={fingerprint}"

    def predict(matrix: np.ndarray) -> np.ndarray:
        body = io.BytesIO()
        np.save(body, matrix)
        content, kind = model.answer(body.getvalue(), content_type, NPY)
        if kind.split(";")[0].strip() != NPY:
            raise StepError("BadScores", f"`inference.py` was asked for {NPY} and answered {kind}")
        scores = np.load(io.BytesIO(content), allow_pickle=False).ravel().astype(np.float32)
        if len(scores) != len(matrix):
            raise StepError("BadScores", f"`inference.py` gave {len(scores)} scores for {len(matrix)} rows")
        return scores

    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        waiting: deque[Future[np.ndarray]] = deque()
        for matrix in batches:
            waiting.append(pool.submit(predict, matrix))
            while len(waiting) > cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _importance(folder: Path, features: list[str]) -> list[dict[str, Any]]:
    """The part of the gain that each feature carries, when a file of the model is one of XGBoost's."""
    import xgboost

    for file in sorted(folder.iterdir()):
        if file.suffix not in (".ubj", ".json", ".model", ".bin") and file.name != "xgboost-model":
            continue
        booster = xgboost.Booster()
        try:
            booster.load_model(file)
        except xgboost.core.XGBoostError:
            continue
        gains = booster.get_score(importance_type="total_gain")
        names = {f"f{at}": feature for at, feature in enumerate(features)} if booster.feature_names is None else {}
        total = sum(gains.values()) or 1.0
        shares = sorted(((gain / total, feature) for feature, gain in gains.items()), reverse=True)
        return [{"feature": names.get(feature, feature), "share": share} for share, feature in shares]
    return []


def _measure(
    database: duckdb.DuckDBPyConnection,
    request: dict[str, Any],
    asked: Asked,
    rows: Rows,
    importance: list[dict[str, Any]],
) -> dict[str, Any]:
    rankings = _rankings(database, request, asked, rows)
    parts = _parts(request, asked)
    ranked = [metric for metric in request["metrics"] if metric not in ("f1", "logloss", "auc")]
    ratios = Ratios(asked.users)
    judged = parts["all"]
    shown = [metric for metric in ranked if metric != "candidate_recall"]
    for ranking, ranks in rankings.items():
        for part, mask in parts.items():
            targets = Targets(asked.targets.group[mask], asked.targets.groups)
            for metric in ranked if ranking == MODEL else shown:
                ratios.add((ranking, part, metric), asked.user, per_group(metric, targets, ranks[mask]))
    inside = rows.group >= 0
    row_user = asked.user[rows.group[inside]]
    labels, scores = rows.label[inside], rows.score[inside]
    probabilities = bool(len(scores) == 0 or (scores.min() >= 0 and scores.max() <= 1))
    for metric in request["metrics"]:
        if metric in ("f1", "logloss") and not probabilities:
            raise StepError("NoProbabilities", f"`{metric}` needs probabilities, and the model's scores are none")
    if "logloss" in request["metrics"]:
        ratios.add((MODEL, "all", "logloss"), row_user, logloss(scores, labels))
    if "auc" in request["metrics"]:
        halves = auc(scores, labels)
        ratios.add((MODEL, "all", "auc"), row_user[labels > 0], halves.of_true)
        ratios.add((MODEL, "all", "auc of others"), row_user[labels <= 0], halves.of_false)
    sets = None
    if "f1" in request["metrics"]:
        values, sets = _f1(request, asked, rows, rankings[MODEL], parts)
        ratios.add((MODEL, "all", "f1"), asked.user, values)
    asked_for = np.bincount(asked.targets.group[judged], minlength=asked.targets.groups) > 0
    buckets = _buckets(request, asked_for, rows) if request["history"] else []
    deciding = ranked[0] if ranked else None
    if deciding is not None:
        targets = Targets(asked.targets.group[judged], asked.targets.groups)
        for ranking, ranks in rankings.items():
            values = per_group(deciding, targets, ranks[judged])
            for at, (_, members) in enumerate(buckets):
                ratios.add((ranking, f"history {at}", deciding), asked.user, np.where(members, values, np.nan))
    drawn = ratios.draw(request["resamples"], request["seed"])
    return {
        "groups": int(np.count_nonzero(asked_for)),
        "users": asked.users,
        "candidates": len(rows.group),
        "targets": int(np.count_nonzero(judged)),
        "outside": int(np.count_nonzero(~inside)),
        "scores": _scores(request, rankings, parts, drawn),
        "against": _against(rankings, deciding, drawn),
        "history": _history(rankings, deciding, buckets, drawn),
        "calibration": _calibration(scores, labels) if probabilities else None,
        "importance": importance,
        "sets": sets,
        "leaks": _leaks(database, request, asked, rows),
    }


def _rankings(
    database: duckdb.DuckDBPyConnection, request: dict[str, Any], asked: Asked, rows: Rows
) -> dict[str, np.ndarray]:
    """The ranks of the targets in the model's ranking and in each baseline's."""
    items = int(max(rows.item.max(initial=0), asked.item.max(initial=0))) + 1
    keys = rows.group * items + rows.item
    wanted = asked.targets.group * items + asked.item
    if np.any(keys[1:][rows.group[1:] >= 0] == keys[:-1][rows.group[1:] >= 0]):
        raise StepError("Twice", f"`{request['test']['name']}` has an item twice in one group")
    at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    there = keys[at] == wanted if len(keys) else np.zeros(len(wanted), bool)

    def of(scores: np.ndarray) -> np.ndarray:
        if not len(keys):
            return np.full(len(wanted), MISSING)
        return np.where(there, ranks_within(rows.group, scores)[at], MISSING)

    rankings = {MODEL: of(rows.score)}
    for baseline in request["baselines"]:
        table = baseline.get("table")
        ranks = _table_ranks(database, request, baseline) if table else of(rows.columns[baseline["score"]])
        rankings[baseline["name"]] = ranks
    return rankings


def _table_ranks(database: duckdb.DuckDBPyConnection, request: dict[str, Any], baseline: dict[str, Any]) -> np.ndarray:
    """The ranks of the targets in another table's ranking, which is for everyone or for those whom its rows name."""
    by, item = [name(column) for column in baseline["by"]], name(request["item"])
    group = ", ".join(name(column) for column in request["group"])
    partition = f"PARTITION BY {', '.join(by)}" if by else ""
    columns = ", ".join([*by, item])
    found = database.execute(
        f"""WITH ranked AS (
            SELECT {columns}, row_number() OVER ({partition} ORDER BY {name(baseline["score"])} DESC NULLS LAST, {item})
                   - 1 AS lakegen_rank
            FROM {name(baseline["table"]["name"])}),
        wanted AS (
            SELECT DISTINCT lakegen_group, lakegen_item, {group}, {item}
            FROM lakegen_targets JOIN lakegen_groups USING ({group})
            JOIN lakegen_items USING ({item}))
        SELECT coalesce(min(lakegen_rank), {MISSING}) AS lakegen_rank
        FROM wanted LEFT JOIN ranked USING ({columns})
        GROUP BY lakegen_group, lakegen_item ORDER BY lakegen_group, lakegen_item"""
    ).fetchnumpy()
    return found["lakegen_rank"].astype(np.int64)


def _parts(request: dict[str, Any], asked: Asked) -> dict[str, np.ndarray]:
    """Which targets belong to each part; `all` are those that are asked for."""
    everything = np.ones(len(asked.item), bool)
    if asked.repeat is None:
        return {"all": everything}
    split = {"repeat": asked.repeat, "explore": ~asked.repeat}
    return {"all": split[request["only"]]} if request["only"] else {"all": everything, **split}


def _f1(
    request: dict[str, Any], asked: Asked, rows: Rows, ranks: np.ndarray, parts: dict[str, np.ndarray]
) -> tuple[np.ndarray, dict[str, Any]]:
    """F1 of each group for the set with the highest expected F1.

    What is new to a group is not asked for, unless only that is.
    """
    inside = rows.group >= 0
    group, score = rows.group[inside], rows.score[inside]
    order = np.lexsort((-score, group))
    best = best_sets(group[order], score[order].astype(float), asked.targets.groups)
    mask = parts["all"] if request["only"] else parts.get("repeat", parts["all"])
    targets = Targets(asked.targets.group[mask], asked.targets.groups)
    values = f1_per_group(targets, ranks[mask], best.sizes, best.none)
    sets = {
        "mean_size": float(best.sizes.mean()),
        "none": float(best.none.mean()),
        "none_true": float((targets.sizes() == 0).mean()),
        "expected": float(best.expected.mean()),
    }
    return values, sets


def _buckets(request: dict[str, Any], asked_for: np.ndarray, rows: Rows) -> list[tuple[dict[str, Any], np.ndarray]]:
    """Groups with a target, told apart by the length of their history in up to five parts of about the same size."""
    length = np.full(len(asked_for), np.nan)
    inside = rows.group >= 0
    length[rows.group[inside]] = rows.columns[request["history"]][inside]
    length[~asked_for] = np.nan
    known = length[~np.isnan(length)]
    if not len(known):
        return []
    edges = np.unique(np.quantile(known, [0.2, 0.4, 0.6, 0.8], method="lower"))
    found = []
    for at in range(len(edges) + 1):
        above = edges[at - 1] if at else -np.inf
        members = (length > above) & (length <= (edges[at] if at < len(edges) else np.inf))
        if members.any():
            span = {"from": float(length[members].min()), "to": float(length[members].max())}
            found.append((span | {"groups": int(members.sum())}, members))
    return found


def _scores(
    request: dict[str, Any], rankings: dict[str, np.ndarray], parts: dict[str, np.ndarray], drawn: Drawn
) -> list[dict[str, Any]]:
    out = []
    for ranking in rankings:
        for part in parts:
            for metric in request["metrics"]:
                if (ranking, part, metric) not in drawn.places:
                    continue
                if metric == "auc":
                    interval = drawn.auc((ranking, part, "auc"), (ranking, part, "auc of others"))
                else:
                    interval = drawn.interval(ranking, part, metric)
                out.append({"ranking": ranking, "part": part, "metric": metric} | _json(interval))
    return out


def _against(rankings: dict[str, np.ndarray], deciding: str | None, drawn: Drawn) -> list[dict[str, Any]]:
    if deciding is None:
        return []
    out = []
    for baseline in rankings:
        if baseline != MODEL:
            difference = drawn.difference((MODEL, "all", deciding), (baseline, "all", deciding))
            out.append({"baseline": baseline, "metric": deciding} | _json(difference))
    return out


def _history(
    rankings: dict[str, np.ndarray],
    deciding: str | None,
    buckets: list[tuple[dict[str, Any], np.ndarray]],
    drawn: Drawn,
) -> list[dict[str, Any]]:
    if deciding is None:
        return []
    out = []
    for at, (span, _) in enumerate(buckets):
        scores = [
            {"ranking": ranking} | _json(drawn.interval(ranking, f"history {at}", deciding)) for ranking in rankings
        ]
        out.append(span | {"metric": deciding, "scores": scores})
    return out


def _calibration(scores: np.ndarray, labels: np.ndarray) -> dict[str, Any] | None:
    """What was foretold and what came true, in parts of about the same number of rows."""
    if not len(scores):
        return None
    order = np.argsort(scores, kind="stable")
    bins = []
    for part in np.array_split(order, min(BINS, len(order))):
        bins.append(
            {
                "rows": len(part),
                "foretold": float(scores[part].mean(dtype=float)),
                "true": float(labels[part].mean(dtype=float)),
            }
        )
    error = sum(one["rows"] * abs(one["foretold"] - one["true"]) for one in bins) / len(scores)
    return {"bins": bins, "error": error}


def _leaks(database: duckdb.DuckDBPyConnection, request: dict[str, Any], asked: Asked, rows: Rows) -> list[str]:
    """What shows that the model knew what it foretells, or that the label is not what the targets are."""
    found = []
    group = ", ".join(name(column) for column in request["group"])
    test = request["test"]["name"]
    if request.get("train"):
        train = request["train"]["name"]
        both = database.execute(
            f"SELECT count(*) FROM (SELECT {group} FROM {name(train)} INTERSECT SELECT {group} FROM {name(test)})"
        ).fetchall()[0][0]
        if both:
            found.append(f"groups of `{test}` that are in `{train}` too: {both}")
    if request["cut"]:
        known, before = request["cut"]["column"], request["cut"]["before"]
        for table in [test, *([request["train"]["name"]] if request.get("train") else [])]:
            late = database.execute(
                f"SELECT count(*) FROM {name(table)} WHERE ({name(known)} < {name(before)}) IS NOT TRUE"
            ).fetchall()[0][0]
            if late:
                found.append(f"rows of `{table}` whose `{known}` is not before `{before}`: {late}")
    items = int(max(rows.item.max(initial=0), asked.item.max(initial=0))) + 1
    inside = rows.group >= 0
    mask = _parts(request, asked)["all"]
    wanted = asked.targets.group[mask] * items + asked.item[mask]
    true = np.isin(rows.group[inside] * items + rows.item[inside], wanted)
    wrong = int(np.count_nonzero(true != (rows.label[inside] > 0)))
    if wrong:
        found.append(f"rows of `{test}` whose label is not what `{request['targets']['name']}` says: {wrong}")
    labels = rows.sample_labels > 0
    if min(np.count_nonzero(labels), np.count_nonzero(~labels)) >= 20:
        for at, feature in enumerate(request["features"]):
            values = np.nan_to_num(rows.sample[:, at], nan=-np.inf)
            area = auc(values, labels).value()
            if max(area, 1 - area) >= GIVEAWAY:
                found.append(f"`{feature}` alone tells the label of `{test}` (area under the ROC curve {area:.4f})")
    return found


def _json(interval: Interval) -> dict[str, float | None]:
    return {key: None if np.isnan(value) else value for key, value in interval._asdict().items()}
