"""Glue jobs: the script's contract, its failures, and one JVM for many jobs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from conftest import Failed, Lake, Worker

HEAD = """\
import sys
from awsglue.utils import getResolvedOptions
from pyspark.sql import SparkSession, functions as F
args = getResolvedOptions(sys.argv, ["JOB_NAME", "out"])
spark = SparkSession.builder.getOrCreate()
"""
WRITE = 'spark.range(2).select(F.col("id").cast("int")).write.mode("overwrite").parquet(args["out"])\n'


class Job:
    """A script in a folder, its output table, and how to run it."""

    def __init__(self, worker: Worker, lake: Lake) -> None:
        self.worker, self.lake = worker, lake
        self.output = lake.table("out", "parquet", id="int")

    def run(self, script: str, modules: list[str] | None = None, **arguments: str) -> Any:
        path = self.lake.folder / "job.py"
        path.write_text(script)
        return self.worker.ask(
            "glue_job",
            name="job",
            script=str(path),
            modules=modules or [],
            arguments={"out": self.output["dir"]} | arguments,
            outputs=[self.output],
        )

    def fail(self, script: str, **more: Any) -> dict[str, Any]:
        with pytest.raises(Failed) as failed:
            self.run(script, **more)
        return failed.value.error


@pytest.fixture
def job(worker: Worker, lake: Lake) -> Job:
    return Job(worker, lake)


def test_a_script_as_glue_generates_them(job: Job) -> None:
    script = """
        import sys
        from awsglue.context import GlueContext
        from awsglue.dynamicframe import DynamicFrame
        from awsglue.job import Job
        from awsglue.transforms import *
        from awsglue.utils import getResolvedOptions
        from pyspark.context import SparkContext

        args = getResolvedOptions(sys.argv, ["JOB_NAME", "out", "half_life"])
        sc = SparkContext()
        glueContext = GlueContext(sc)
        spark = glueContext.spark_session
        job = Job(glueContext)
        job.init(args["JOB_NAME"], args)
        frame = DynamicFrame.fromDF(spark.range(int(args["half_life"])), glueContext, "ids")
        frame.toDF().selectExpr("cast(id as int) id").write.mode("overwrite").parquet(args["out"])
        print("session zone", spark.conf.get("spark.sql.session.timeZone"), __name__, args["JOB_NAME"])
        job.commit()
    """
    assert job.run(dedent(script), half_life="5") == {"rows": {"out": 5}}
    assert "session zone UTC __main__ job" in job.worker.log()


def test_session_survives_stop_and_failure(job: Job) -> None:
    assert job.run(HEAD + WRITE + "spark.stop()\n") == {"rows": {"out": 2}}
    assert job.fail(HEAD + "spark.stop()\nspark.range(1).count()\n")["line"] == 7
    assert job.run(HEAD + WRITE) == {"rows": {"out": 2}}


def test_a_jvm_that_dies_is_an_error_and_is_replaced(tmp_path: Path, lake: Lake) -> None:
    settings = {"memory": "600m", "c1": True, "local_dir": str(tmp_path)}
    own = Worker(tmp_path, LAKEGEN_SPARK=json.dumps(settings))
    job = Job(own, lake)
    error = job.fail(HEAD + "spark._jvm.java.lang.System.exit(3)\n")
    assert error["message"].startswith("the Spark process died")
    assert error["line"] == 6
    assert job.run(HEAD + WRITE) == {"rows": {"out": 2}}
    assert "Setting default log level" not in own.log()
    own.close()


def test_jobs_do_not_see_each_other(job: Job) -> None:
    leave = """
        import os
        spark.range(7).createOrReplaceTempView("left_behind")
        spark.range(7).cache().count()
        spark.conf.set("spark.sql.shuffle.partitions", "77")
        os.environ["LEFT"] = "1"
        os.chdir("/")
    """
    look = """
        import os
        assert not spark.catalog.tableExists("left_behind")
        assert spark.sparkContext._jsc.getPersistentRDDs().isEmpty()
        assert spark.conf.get("spark.sql.shuffle.partitions") != "77"
        assert "LEFT" not in os.environ and os.getcwd() != "/"
    """
    job.run(HEAD + dedent(leave) + WRITE)
    assert job.run(HEAD + dedent(look) + WRITE) == {"rows": {"out": 2}}


def test_modules_are_those_of_the_job_also_in_worker_processes(job: Job) -> None:
    script = HEAD + dedent(
        """
        from helpers.words import word
        import plain
        udf = F.udf(lambda i: len(word()) + plain.ONE)
        frame = spark.range(1).select(udf("id").cast("int").alias("id"))
        frame.write.mode("overwrite").parquet(args["out"])
        assert frame.collect()[0].id == LENGTH, frame.collect()
        """
    )
    for text in ("a", "bbb"):
        folder = job.lake.folder / text
        (folder / "helpers").mkdir(parents=True)
        (folder / "helpers" / "__init__.py").touch()
        (folder / "helpers" / "words.py").write_text(f"def word():\n    return {text!r}\n")
        (folder / "plain.py").write_text("ONE = 1\n")
        modules = [str(folder / "helpers"), str(folder / "plain.py")]
        assert job.run(script.replace("LENGTH", str(len(text) + 1)), modules) == {"rows": {"out": 1}}
    assert job.fail(HEAD + "import plain\n")["message"] == "No module named 'plain'"


FAILURES = [
    ("1 / 0\n", "ZeroDivisionError", "division by zero", 6),
    ('spark.range(1).select("idd").count()\n', "AnalysisException",
     "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column or function parameter with name `idd` cannot be resolved. "
     "Did you mean one of the following? [`id`]", 6),
    ('spark.sql("selec 1")\n', "ParseException",
     "[PARSE_SYNTAX_ERROR] Syntax error at or near 'selec'.(line 1, pos 0)", 6),
    ('spark.read.parquet("/no/such/folder")\n', "AnalysisException",
     "[PATH_NOT_FOUND] Path does not exist: file:/no/such/folder", 6),
    ('def half(i):\n    return 1 / i\n\nspark.range(2).select(F.udf(half)("id")).collect()\n',
     "ZeroDivisionError", "division by zero", 7),
    ('def half(i):\n    return 1 / i\n\nspark.range(2).select(F.udf(half)("id")).write.parquet(args["out"] + "x")\n',
     "ZeroDivisionError", "division by zero", 7),
    ('spark.range(1).select(F.expr("string(raise_error(\'no such thing\'))")).write.parquet(args["out"] + "y")\n',
     "RuntimeException", "no such thing", 6),
    ("getResolvedOptions(sys.argv, ['nope'])\n", "GlueArgumentError",
     "the following arguments are required: --nope", 6),
    ("raise SystemExit(3)\n", "SystemExit", "the script ended itself with `3`", 6),
    ("{}['absent']\n", "KeyError", "no key 'absent'", 6),
    ("try:\n    int('x')\nexcept ValueError as error:\n    raise RuntimeError('bad input') from error\n",
     "ValueError", "invalid literal for int() with base 10: 'x'", 7),
    ("if True\n    pass\n", "SyntaxError", "expected ':' (job.py, line 6)", 6),
]  # fmt: skip


@pytest.mark.parametrize(("code", "kind", "message", "line"), FAILURES)
def test_failures_have_their_first_cause_and_place(job: Job, code: str, kind: str, message: str, line: int) -> None:
    error = job.fail(HEAD + code)
    assert (error["type"], error["message"], error["line"]) == (kind, message, line)
    assert error["file"] == str(job.lake.folder / "job.py")
    assert error["code"] == (HEAD + code).splitlines()[line - 1].strip()


def test_a_failure_inside_a_module_points_there(job: Job) -> None:
    module = job.lake.folder / "lib" / "sums.py"
    module.parent.mkdir()
    module.write_text("def total(values):\n    return sum(values) / len(values)\n")
    error = job.fail(HEAD + "from sums import total\ntotal([])\n", modules=[str(module.parent)])
    assert (error["file"], error["line"]) == (str(module), 2)
    assert error["code"] == "return sum(values) / len(values)"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("", "wrote no files to its `out` location"),
        (
            'spark.range(2).write.mode("overwrite").parquet(args["out"])\n',
            "column `id` of table `out` is declared int, but was given bigint; cast it, or declare bigint",
        ),
        (
            'spark.range(2).selectExpr("1 as x").write.mode("overwrite").parquet(args["out"])\n',
            "table `out` declares column `id`, but was given `x`",
        ),
        (
            'spark.range(2).selectExpr("cast(id as int) id", "1 x").write.mode("overwrite").parquet(args["out"])\n',
            "column `x` is not declared by table `out`, which has `id`",
        ),
    ],
)
def test_what_a_job_wrote_is_checked(job: Job, code: str, message: str) -> None:
    assert job.fail(HEAD + code)["message"].endswith(message)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            '"cast(id as double) + 0.5 as id"',
            "column `id` of table `out` is declared int, but was given a number with a fraction; "
            "cast it, or declare its type",
        ),
        ('"string(id) as id"', "is declared int, but was given text; cast it, or declare its type"),
        ('"1 as x"', "table `out` declares column `id`, but was given `x`"),
        ('"id", "1 as x"', "column `x` is not declared by table `out`, which has `id`"),
        ('"9999999999 as id"', "9999999999"),
        ('"array(cast(id as int)) as id"', "is declared int, but was given a list; cast it, or declare its type"),
    ],
)
def test_what_a_job_writes_as_json_is_checked(job: Job, columns: str, message: str) -> None:
    job.output = job.lake.table("out", "json", id="int")
    error = job.fail(HEAD + f'spark.range(2).selectExpr({columns}).write.mode("overwrite").json(args["out"])\n')
    assert message in error["message"]


def test_a_row_of_json_may_leave_out_what_it_does_not_have(job: Job) -> None:
    job.output = job.lake.table("out", "json", id="int", note="string")
    rows = 'spark.range(2).selectExpr("id", "nullif(string(id), 0) as note")'
    script = HEAD + rows + '.write.mode("overwrite").json(args["out"])\n'
    assert job.run(script) == {"rows": {"out": 2}}


def test_all_types_pass_from_sql_to_spark_and_back(job: Job) -> None:
    types = {
        "a": "tinyint", "b": "smallint", "c": "int", "d": "bigint", "e": "float", "f": "double", "g": "decimal(10,2)",
        "h": "string", "i": "boolean", "j": "date", "k": "timestamp", "l": "binary",
        "m": "array<struct<a:int,b:string>>", "n": "map<string,double>", "o": "struct<p:array<date>,q:decimal(5,1)>",
    }  # fmt: skip
    source = job.lake.table("source", "parquet", **types)
    sql = (
        "select cast(1 as tinyint) a, cast(2 as smallint) b, 3 c, cast(4 as bigint) d, cast(1.5 as real) e, 2.5e0 f, "
        "cast(3.25 as decimal(10,2)) g, 'x' h, true i, date '2020-02-29' j, timestamp '2020-02-29 23:59:59.123' k, "
        "cast('yz' as varbinary) l, array[cast(row(1, 'z') as row(a integer, b varchar))] m, "
        "map(array['k'], array[1e0]) n, "
        "cast(row(array[date '2020-02-29'], 2.5) as row(p array(date), q decimal(5,1))) o"
    )
    job.worker.ask("query", sql=sql, tables=[], output=source)
    job.output = job.lake.table("typed", "parquet", **types)
    job.run('spark.read.parquet(args["source"]).write.mode("overwrite").parquet(args["out"])\n'.join([HEAD.replace(
        '"out"]', '"out", "source"]'), ""]), source=source["dir"])  # fmt: skip
    answer = job.worker.ask("select", sql="select * from typed", tables=[job.output], limit=1)
    assert answer["rows"] == [
        [1, 2, 3, 4, 1.5, 2.5, "3.25", "x", True, "2020-02-29", "2020-02-29 23:59:59.123", "eXo=",
         [{"a": 1, "b": "z"}], {"k": 1.0}, {"p": ["2020-02-29"], "q": "2.5"}]
    ]  # fmt: skip


def test_spark_dies_with_its_worker(tmp_path: Path) -> None:
    settings = {"memory": "600m", "c1": True, "local_dir": str(tmp_path)}
    own = Worker(tmp_path, LAKEGEN_SPARK=json.dumps(settings))
    own.send("warm")
    own.receive()
    listed: list[str] = []
    while not listed:
        listed = subprocess.run(
            ["pgrep", "-g", str(own.process.pid), "java"], capture_output=True, text=True, check=False
        ).stdout.split()
    os.kill(own.process.pid, 15)
    own.process.wait(timeout=10)
    from test_worker import wait_until_gone

    wait_until_gone(own.process.pid)
