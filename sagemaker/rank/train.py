"""Trains a model that ranks the candidates of a group, and measures it beside baselines on customers it has never seen.

Channels: `train` and `validation` hold a row per candidate: the columns of `GROUP` that the task has, `product_id`,
`label`, `known_orders`, features. `targets` holds the whole orders to be foreseen.

Refused are training sets that know the future: features of an order that is not before the target, a customer on both
sides, and a feature that is the label by another name.

Scores are probabilities, whatever the objective and however many candidates with label 0 were left out: a logistic
curve is fitted to validation. It also chooses how many rounds to keep; nothing else is fitted to it.
"""

import argparse
import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import xgboost as xgb

K, MANY = 10, 100
GROUP = ("user_id", "target_order", "position")
NOT_FEATURES = (*GROUP, "product_id", "label", "known_orders")
# A feature that alone tells labels apart as well as this (area under the ROC curve) is taken for the label.
TOO_GOOD, TRIED_ROWS = 0.99, 200_000


class Candidates(NamedTuple):
    """Candidates sorted by group and product: ids and labels have shape (n,), features (n, number of names)."""

    groups: np.ndarray
    products: np.ndarray
    labels: np.ndarray
    features: np.ndarray
    names: list[str]

    def feature(self, name: str) -> np.ndarray:
        return self.features[:, self.names.index(name)]

    @property
    def users(self) -> np.ndarray:
        return np.unique(self.groups >> 32)


class Targets(NamedTuple):
    """The orders to be foreseen: one entry per group and product."""

    groups: np.ndarray
    products: np.ndarray


def group_ids(columns: dict[str, np.ndarray]) -> np.ndarray:
    """One number per customer, target order and place in the cart."""
    user, order, position = (columns.get(name, np.zeros(1, np.int64)).astype(np.int64) for name in GROUP)
    return user << 32 | order << 16 | position


def read_candidates(folder: str) -> Candidates:
    """Reads a channel of Parquet files. Rows are sorted, so that a model does not depend on the order of the files."""
    table = pq.ParquetDataset(folder).read()
    names = [name for name in table.schema.names if name not in NOT_FEATURES]
    columns = {name: table[name].to_numpy() for name in NOT_FEATURES if name in table.schema.names}
    late = columns["known_orders"] >= columns["target_order"]
    if late.any():
        known, target = columns["known_orders"][late][0], columns["target_order"][late][0]
        raise SystemExit(
            f"a leak: {late.sum()} rows of `{Path(folder).name}` know order {known}, target is order {target}; "
            "features may only use orders before the target"
        )
    groups, products = group_ids(columns), columns["product_id"]
    order = np.lexsort((products, groups))
    features = np.empty((table.num_rows, len(names)), np.float32)
    for index, name in enumerate(names):
        features[:, index] = table[name].to_numpy()[order]
    return Candidates(groups[order], products[order], columns["label"][order].astype(np.float32), features, names)


def read_targets(folder: str, split: str, only_new: bool) -> Targets:
    """The target orders of one split; `only_new` leaves out what the customer bought before."""
    table = pq.ParquetDataset(folder).read()
    columns = {name: table[name].to_numpy() for name in table.schema.names}
    wanted = columns["split"] == split
    if only_new:
        wanted &= columns["repeat"] == 0
    return Targets(group_ids(columns)[wanted], columns["product_id"][wanted])


def refuse_leaks(train: Candidates, validation: Candidates) -> None:
    """Ends the training when a customer is on both sides, or a feature is as good as the label."""
    both = np.intersect1d(train.users, validation.users)
    if len(both):
        raise SystemExit(f"a leak: {len(both)} customers are in train and in validation, customer {both[0]} for one")
    step = max(1, len(train.labels) // TRIED_ROWS)
    labels = train.labels[::step]
    for name in train.names:
        area = area_under_curve(train.feature(name)[::step], labels)
        if max(area, 1 - area) > TOO_GOOD:
            raise SystemExit(
                f"a leak: `{name}` alone tells the labels apart (area under the ROC curve {area:.4f}); "
                "it must be made of the target itself"
            )


def area_under_curve(values: np.ndarray, labels: np.ndarray) -> float:
    """The chance that a row with label 1 has the larger value than one with label 0; no value is the smallest."""
    values = np.where(np.isnan(values), -np.inf, values)
    ones, zeros = np.sort(values[labels == 1]), np.sort(values[labels == 0])
    if not len(ones) or not len(zeros):
        return 0.5
    below, upto = (np.searchsorted(zeros, ones, side) for side in ("left", "right"))
    return float((below + upto).mean() / 2 / len(zeros))


def ranked_metrics(targets: Targets, groups: np.ndarray, products: np.ndarray, ranks: np.ndarray) -> dict[str, float]:
    """Means over all groups in `targets`; `groups`, `products` and `ranks` (0 is best) list what is recommended.

    Recall divides by the size of the target order; the ideal gain of nDCG is that of min(size, 10) hits; MRR takes the
    first hit, 0 when there is none among the first ten.
    """
    everyone, sizes = np.unique(targets.groups, return_counts=True)
    index = np.minimum(np.searchsorted(everyone, groups), len(everyone) - 1)
    hit = (everyone[index] == groups) & np.isin(
        pair(index, products), pair(np.searchsorted(everyone, targets.groups), targets.products)
    )
    index, ranks = index[hit], ranks[hit]
    gains = np.where(np.arange(MANY) < K, 1 / np.log2(np.arange(MANY) + 2), 0)
    many = ranks < MANY
    gained = np.bincount(index[many], weights=gains[ranks[many]], minlength=len(everyone))
    first = np.full(len(everyone), np.iinfo(np.int64).max)
    np.minimum.at(first, index, ranks)
    found = {k: np.bincount(index[ranks < k], minlength=len(everyone)) / sizes for k in (K, MANY)}
    return {
        f"ndcg@{K}": float(np.mean(gained / np.cumsum(gains)[np.minimum(sizes, K) - 1])),
        f"recall@{K}": float(np.mean(found[K])),
        f"recall@{MANY}": float(np.mean(found[MANY])),
        f"hit@{K}": float(np.mean(first < K)),
        f"mrr@{K}": float(np.mean(np.where(first < K, 1 / (np.minimum(first, K) + 1), 0))),
    }


def pair(groups: np.ndarray, products: np.ndarray) -> np.ndarray:
    """One number per group (an index) and product."""
    return groups.astype(np.int64) << 32 | products.astype(np.int64)


def ranks_within(groups: np.ndarray, *keys: np.ndarray) -> np.ndarray:
    """The place of each row among the rows of its group, 0 is best; `keys`, the most important first, ascend."""
    order = np.lexsort((*reversed(keys), groups))
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    lengths = np.diff(np.append(starts, len(groups)))
    ranks = np.empty(len(groups), np.int64)
    ranks[order] = np.arange(len(groups)) - np.repeat(starts, lengths)
    return ranks


def baseline(candidates: Candidates, name: str, targets: Targets) -> dict[str, float]:
    """Ranks the candidates by one feature, the largest first, those without it last."""
    values = candidates.feature(name)
    ranks = ranks_within(candidates.groups, np.where(np.isnan(values), np.inf, -values), candidates.products)
    return ranked_metrics(targets, candidates.groups, candidates.products, ranks)


def logistic_curve(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of P(label) = 1 / (1 + exp(-(slope * score + intercept))), fitted by Newton's method."""
    x = np.column_stack([scores.astype(np.float64), np.ones(len(scores))])
    weights = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, x.T @ (labels - p))
        weights += step
        if np.abs(step).max() < 1e-9:
            break
    return float(weights[0]), float(weights[1])


def logloss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    p = np.clip(probabilities.astype(np.float64), 1e-7, 1 - 1e-7)
    return float(-np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p)))


def fit(args: argparse.Namespace, train: Candidates, validation: Candidates) -> xgb.Booster:
    """Trains until the validation metric has not improved for `early_stopping_rounds`; keeps the best rounds."""
    params = {
        "objective": args.objective,
        "eval_metric": args.eval_metric,
        "tree_method": "hist",
        "max_depth": args.max_depth,
        "eta": args.eta,
        "subsample": args.subsample,
        "colsample_bytree": args.colsample_bytree,
        "min_child_weight": args.min_child_weight,
        "lambda": args.reg_lambda,
        "max_bin": args.max_bin,
        "seed": args.seed,
        "nthread": int(os.environ.get("SM_NUM_CPUS", "0")),
    }

    def matrix(candidates: Candidates, ref: xgb.QuantileDMatrix | None = None) -> xgb.QuantileDMatrix:
        _, groups = np.unique(candidates.groups, return_inverse=True)
        return xgb.QuantileDMatrix(
            candidates.features,
            candidates.labels,
            feature_names=train.names,
            max_bin=args.max_bin,
            qid=groups,
            ref=ref,
        )

    learned = matrix(train)
    booster = xgb.train(
        params,
        learned,
        num_boost_round=args.num_round,
        evals=[(matrix(validation, learned), "validation")],
        early_stopping_rounds=args.early_stopping_rounds,
        verbose_eval=50,
    )
    return booster[: booster.best_iteration + 1]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    objectives = ["binary:logistic", "rank:ndcg", "rank:map", "rank:pairwise"]
    parser.add_argument("--task", default="rank", help="what the model is for, in words")
    parser.add_argument("--targets", default="all", choices=["all", "new"], help="which products of an order count")
    parser.add_argument("--baselines", default="", help="what the model must beat: name=feature,name=feature")
    parser.add_argument("--objective", default=objectives[0], choices=objectives)
    parser.add_argument("--eval_metric", default="logloss", help="what decides how many rounds are kept")
    parser.add_argument("--num_round", type=int, default=300)
    parser.add_argument("--early_stopping_rounds", type=int, default=20)
    parser.add_argument("--max_depth", type=int, default=6)
    parser.add_argument("--eta", type=float, default=0.08)
    parser.add_argument("--subsample", type=float, default=0.8)
    parser.add_argument("--colsample_bytree", type=float, default=0.8)
    parser.add_argument("--min_child_weight", type=float, default=10)
    parser.add_argument("--lambda", type=float, default=1, dest="reg_lambda")
    parser.add_argument("--max_bin", type=int, default=256)
    parser.add_argument("--seed", type=int, default=2017)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    train, validation = (read_candidates(os.environ[f"SM_CHANNEL_{name}"]) for name in ("TRAIN", "VALIDATION"))
    targets = read_targets(os.environ["SM_CHANNEL_TARGETS"], "validation", args.targets == "new")
    if not train.labels.any() or not validation.labels.any():
        raise SystemExit("no candidate of the training set, or of validation, has label 1: is there enough data?")
    if validation.names != train.names:
        raise SystemExit(f"train has the features {train.names}, validation has {validation.names}")
    refuse_leaks(train, validation)
    print(f"{len(train.labels)} candidates of {len(train.users)} customers, {len(train.names)} features")

    booster = fit(args, train, validation)
    margins = booster.inplace_predict(validation.features, predict_type="margin")
    curve = logistic_curve(margins, validation.labels)
    scores = 1 / (1 + np.exp(-(curve[0] * margins + curve[1])))

    everything = np.zeros(len(validation.labels), np.int64)
    covered = ranked_metrics(targets, validation.groups, validation.products, everything)
    ranks = ranks_within(validation.groups, -scores, validation.products)
    model = ranked_metrics(targets, validation.groups, validation.products, ranks)
    model["logloss"] = logloss(scores, validation.labels)
    baselines = {
        name: baseline(validation, feature, targets)
        for name, _, feature in (each.partition("=") for each in args.baselines.split(",") if each)
    }
    for name, metrics in {"validation": model, **baselines}.items():
        for metric, value in metrics.items():
            print(f"metric {name}:{metric}={value:.6f}")
    print(f"metric validation:candidate_recall={covered[f'recall@{MANY}']:.6f}")

    save(booster, train.names, curve)
    evaluation = {
        "task": args.task,
        "target": f"{len(np.unique(targets.groups))} groups of held-out customers",
        "rows": [
            {"name": "model", **model},
            *({"name": name, **row, "logloss": None} for name, row in baselines.items()),
        ],
    }
    (Path(os.environ["SM_OUTPUT_DATA_DIR"]) / "evaluation.json").write_text(json.dumps(evaluation, indent=2))


def save(booster: xgb.Booster, names: list[str], curve: tuple[float, float]) -> None:
    """Writes the model, the features it expects and the curve that turns its scores into probabilities."""
    folder = Path(os.environ["SM_MODEL_DIR"])
    booster.save_model(folder / "model.ubj")
    fingerprint = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    description = {"features": names, "fingerprint": fingerprint, "logistic_curve": curve}
    (folder / "features.json").write_text(json.dumps(description, indent=2))
    gains = booster.get_score(importance_type="total_gain")
    total = sum(gains.values())
    for name, gain in sorted(gains.items(), key=lambda each: -each[1])[:10]:
        print(f"{name} carries {gain / total:.1%} of the gain")


if __name__ == "__main__":
    main()
