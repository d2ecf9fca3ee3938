"""Trains the buy-again model and measures it beside two baselines on customers it has never seen.

Channels: `train` and `validation` hold a row per candidate (`user_id`, `product_id`, `label`, features), `targets` the
whole last orders of the validation customers, `popularity` every product with its rank among all customers.

Scores are probabilities, whatever the objective: those of a ranking objective are fitted to the labels by a logistic
curve. Validation chooses one number, how many rounds to keep; nothing else is fitted to it.
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

K = 10
NOT_FEATURES = ("user_id", "product_id", "label")


class Candidates(NamedTuple):
    """Candidates sorted by customer and product: ids and labels have shape (n,), features (n, number of names)."""

    users: np.ndarray
    products: np.ndarray
    labels: np.ndarray
    features: np.ndarray
    names: list[str]

    def feature(self, name: str) -> np.ndarray:
        return self.features[:, self.names.index(name)]


class Targets(NamedTuple):
    """The last orders of the validation customers: one entry per customer and product."""

    users: np.ndarray
    products: np.ndarray


def read_candidates(folder: str) -> Candidates:
    """Reads a channel of Parquet files. Rows are sorted, so that a model does not depend on the order of the files."""
    dataset = pq.ParquetDataset(folder)
    names = [name for name in dataset.schema.names if name not in NOT_FEATURES]
    table = dataset.read(columns=[*NOT_FEATURES, *names])
    users, products = table["user_id"].to_numpy(), table["product_id"].to_numpy()
    order = np.lexsort((products, users))
    features = np.empty((table.num_rows, len(names)), np.float32)
    for index, name in enumerate(names):
        features[:, index] = table[name].to_numpy()[order]
    labels = table["label"].to_numpy()[order].astype(np.float32)
    return Candidates(users[order], products[order], labels, features, names)


def read_targets(folder: str) -> Targets:
    table = pq.read_table(folder, columns=["user_id", "product_id"])
    return Targets(table["user_id"].to_numpy(), table["product_id"].to_numpy())


def read_popularity(folder: str) -> np.ndarray:
    """The ids of all products, the most popular first."""
    table = pq.read_table(folder, columns=["product_id", "popularity_rank"])
    return table["product_id"].to_numpy()[np.argsort(table["popularity_rank"].to_numpy())]


def ranked_metrics(targets: Targets, users: np.ndarray, products: np.ndarray, ranks: np.ndarray) -> dict[str, float]:
    """Recall@10 and nDCG@10, the mean over all customers in `targets`.

    `users`, `products` and `ranks` (0 is best) list what is recommended. Recall divides by the size of the target
    order, products bought for the first time included; the ideal gain of nDCG is that of min(size, 10) hits.
    """
    everyone, sizes = np.unique(targets.users, return_counts=True)
    shown = ranks < K
    users, products, ranks = users[shown], products[shown], ranks[shown]
    hit = np.isin(pair(users, products), pair(targets.users, targets.products))
    gains = 1 / np.log2(np.arange(K) + 2)
    index = np.searchsorted(everyone, users[hit])
    hits = np.bincount(index, minlength=len(everyone))
    gained = np.bincount(index, weights=gains[ranks[hit]], minlength=len(everyone))
    ideal = np.cumsum(gains)[np.minimum(sizes, K) - 1]
    return {f"ndcg@{K}": float(np.mean(gained / ideal)), f"recall@{K}": float(np.mean(hits / sizes))}


def pair(users: np.ndarray, products: np.ndarray) -> np.ndarray:
    """One number per customer and product."""
    return users.astype(np.int64) << 32 | products.astype(np.int64)


def ranks_within(users: np.ndarray, *keys: np.ndarray) -> np.ndarray:
    """The place of each row among the rows of its customer, 0 is best; `keys`, the most important first, ascend."""
    order = np.lexsort((*reversed(keys), users))
    starts = np.flatnonzero(np.diff(users[order], prepend=-1))
    lengths = np.diff(np.append(starts, len(users)))
    ranks = np.empty(len(users), np.int64)
    ranks[order] = np.arange(len(users)) - np.repeat(starts, lengths)
    return ranks


def most_frequent(candidates: Candidates, targets: Targets) -> dict[str, float]:
    """What the customer has bought most often, the more recently bought first among equals."""
    keys = (-candidates.feature("up_orders"), candidates.feature("up_orders_since_last_order"), candidates.products)
    return ranked_metrics(targets, candidates.users, candidates.products, ranks_within(candidates.users, *keys))


def popularity(products: np.ndarray, targets: Targets) -> dict[str, float]:
    """The same products for everyone: what all customers bought most often."""
    everyone, best = np.unique(targets.users), products[:K]
    users, ranks = np.repeat(everyone, len(best)), np.tile(np.arange(len(best)), len(everyone))
    return ranked_metrics(targets, users, np.tile(best, len(everyone)), ranks)


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
    ranking = args.objective.startswith("rank:")
    params = {
        "objective": args.objective,
        "eval_metric": f"ndcg@{K}" if ranking else "logloss",
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

    def group(candidates: Candidates) -> dict[str, np.ndarray]:
        return {"qid": candidates.users} if ranking else {}

    matrix = xgb.QuantileDMatrix(
        train.features, train.labels, feature_names=train.names, max_bin=args.max_bin, **group(train)
    )
    held_out = xgb.QuantileDMatrix(
        validation.features, validation.labels, feature_names=train.names, ref=matrix, **group(validation)
    )
    booster = xgb.train(
        params,
        matrix,
        num_boost_round=args.num_round,
        evals=[(held_out, "validation")],
        early_stopping_rounds=args.early_stopping_rounds,
        verbose_eval=50,
    )
    return booster[: booster.best_iteration + 1]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    objectives = ["binary:logistic", "rank:ndcg", "rank:pairwise"]
    parser.add_argument("--objective", default=objectives[0], choices=objectives)
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
    targets = read_targets(os.environ["SM_CHANNEL_TARGETS"])
    popular = read_popularity(os.environ["SM_CHANNEL_POPULARITY"])
    if not len(train.users) or not len(targets.users):
        raise SystemExit("no candidates to learn from, or no customers to measure on: is the training set empty?")
    if validation.names != train.names:
        raise SystemExit(f"train has the features {train.names}, validation has {validation.names}")
    customers = len(np.unique(train.users))
    print(f"{len(train.users)} candidates of {customers} customers to learn from, {len(train.names)} features")

    booster = fit(args, train, validation)
    scores = booster.inplace_predict(validation.features)
    curve = None
    if args.objective.startswith("rank:"):
        curve = logistic_curve(booster.inplace_predict(train.features), train.labels)
        scores = 1 / (1 + np.exp(-(curve[0] * scores + curve[1])))

    ranks = ranks_within(validation.users, -scores, validation.products)
    model = ranked_metrics(targets, validation.users, validation.products, ranks)
    model["logloss"] = logloss(scores, validation.labels)
    baselines = {"most_frequent": most_frequent(validation, targets), "popularity": popularity(popular, targets)}
    for name, metrics in {"validation": model, **baselines}.items():
        for metric, value in metrics.items():
            print(f"metric {name}:{metric}={value:.6f}")

    save(booster, train.names, curve)
    evaluation = {
        "task": "buy again",
        "target": f"next basket of {len(np.unique(targets.users))} held-out users",
        "rows": [
            {"name": "model", **model},
            *({"name": name, **row, "logloss": None} for name, row in baselines.items()),
        ],
    }
    (Path(os.environ["SM_OUTPUT_DATA_DIR"]) / "evaluation.json").write_text(json.dumps(evaluation, indent=2))


def save(booster: xgb.Booster, names: list[str], curve: tuple[float, float] | None) -> None:
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
