"""Glue jobs: the user's own PySpark script, run in this process with one Spark session after another in one JVM."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lakegen_local import formats, sources
from lakegen_local.errors import StepError, UserFiles, describe
from lakegen_local.jvm import Jvm, Settings
from lakegen_local.sources import Table

Progress = Callable[[str], None]

_jvm: Jvm | None = None


class JobError(Exception):
    """A user's script failed; `failure` is the finished account of it."""

    def __init__(self, failure: dict[str, Any]) -> None:
        super().__init__(failure["message"])
        self.failure = failure


def settings() -> Settings:
    return Settings.of(json.loads(os.environ.get("LAKEGEN_SPARK") or "{}"))


def warm(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Operation `warm`: starts Spark ahead of the first job."""
    if request.get("spark"):
        os.environ["LAKEGEN_SPARK"] = json.dumps(request["spark"])
    progress("starting Spark")
    return {"version": context().version}


def archive(_request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Operation `archive`: writes the class data archive that makes later starts of Spark faster."""
    path = settings().archive
    if path is None:
        raise StepError("NoArchive", "LAKEGEN_SPARK names no archive")
    if not Path(path).exists():
        progress("exercising Spark")
        context()
        with session() as spark:
            _exercise(spark)
        progress("writing the class data archive")
        assert _jvm is not None
        _jvm.save_classes(Path(path))
    return {"archive": path, "bytes": Path(path).stat().st_size}


def _exercise(spark: Any) -> None:
    """Loads the classes that feature jobs use: files, joins, windows, aggregates."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    folder = tempfile.mkdtemp(dir=settings().local_dir)
    try:
        frame = spark.range(1000).select(F.col("id"), (F.col("id") % 7).alias("k"), F.rand(1).alias("x"))
        frame.write.csv(f"{folder}/csv", header=True)
        frame.write.parquet(f"{folder}/parquet")
        rows = spark.read.csv(f"{folder}/csv", header=True, schema="id bigint, k bigint, x double")
        ranked = rows.withColumn("r", F.row_number().over(Window.partitionBy("k").orderBy(F.desc("x"))))
        sums = rows.groupBy("k").agg(F.sum("x").alias("s"), F.countDistinct("id").alias("n"), F.collect_list("id"))
        joined = ranked.join(spark.read.parquet(f"{folder}/parquet").select("id"), "id").join(sums, "k", "left")
        joined.cache().filter("r < 5").dropDuplicates(["id"]).write.partitionBy("k").parquet(f"{folder}/out")
        spark.createDataFrame([(1, "a")], ["i", "s"]).crossJoin(joined.limit(3)).orderBy("id").collect()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def context() -> Any:
    """The running SparkContext; a new JVM when there is none or it died, a new context when a script stopped it."""
    global _jvm
    if _jvm is None or not _jvm.alive():
        _jvm = Jvm(settings())
        import pyspark

        pyspark.SparkContext._active_spark_context = None
        pyspark.SparkContext._gateway = pyspark.SparkContext._jvm = None
        pyspark.sql.SparkSession._instantiatedSession = None
        _jvm.connect()
        _share_context()
    from pyspark.sql import SparkSession

    return SparkSession.builder.getOrCreate().sparkContext


@functools.cache
def _share_context() -> None:
    """Makes `SparkContext()`, with which Glue scripts begin, give the running context instead of refusing a second."""
    from pyspark import SparkContext

    original = SparkContext.__init__

    def new(cls: Any, *_: Any, **__: Any) -> Any:
        return cls._active_spark_context or object.__new__(cls)

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if self is not SparkContext._active_spark_context:
            original(self, *args, **kwargs)

    SparkContext.__new__ = new
    SparkContext.__init__ = init


@contextlib.contextmanager
def session() -> Iterator[Any]:
    """A Spark session with settings, temporary views and cached data of its own, as the one that scripts find."""
    import pyspark
    from py4j.protocol import Py4JError
    from pyspark.sql import SparkSession

    running = context()
    fresh = SparkSession.builder.getOrCreate().newSession()
    SparkSession._instantiatedSession = fresh
    jvm = running._jvm
    jvm.SparkSession.setDefaultSession(fresh._jsparkSession)
    jvm.SparkSession.setActiveSession(fresh._jsparkSession)
    try:
        yield fresh
    finally:
        try:
            if (active := pyspark.SparkContext._active_spark_context) is not None:
                active.cancelAllJobs()
                SparkSession.builder.getOrCreate().catalog.clearCache()
                _end_python_workers(jvm)
        except (Py4JError, OSError):  # the JVM died under the script; the next job gets a new one
            assert _jvm is not None
            _jvm.end()


def _end_python_workers(jvm: Any) -> None:
    """Ends the Python processes of the job that is over.

    Spark keeps them, and their memory, for a minute in case that it asks for more of the same; but every job brings
    other modules, so no later job can use them. Spark has no call for this.
    """
    env = jvm.org.apache.spark.SparkEnv.get()
    for field in env.getClass().getDeclaredFields():
        if field.getName().endswith("pythonWorkers"):
            field.setAccessible(True)
            factories = field.get(env)
            values = factories.values().iterator()
            while values.hasNext():
                values.next().stop()
            factories.clear()


def glue_job(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Operation `glue_job`: runs the script as `__main__` with its arguments, then checks what it wrote."""
    script, modules = request["script"], request.get("modules") or []
    outputs = [Table.of(output) for output in request["outputs"]]
    argv = [script, "--JOB_NAME", request["name"]]
    for name, value in request["arguments"].items():
        argv += [f"--{name}", str(value)]
    if request.get("source"):
        Path(script).write_text(request["source"], encoding="utf-8")
    if not Path(script).is_file():
        raise StepError("MissingScript", f"there is no script `{script}`")
    progress("starting Spark")
    context()
    files = UserFiles.of([script, *modules])
    installed = _packages(request.get("packages") or [], progress)
    progress("running")
    with session() as spark, _modules(modules) as folder, _as_main(argv, folder, request.get("environment") or {}):
        sys.path[1:1] = installed
        spark.sparkContext.environment["PYTHONPATH"] = os.pathsep.join([folder, *installed])
        _configure(spark, request.get("spark") or {})
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as ending:
            if ending.code not in (None, 0):
                raise JobError(describe(ending, files)) from ending
        except BaseException as error:
            raise JobError(describe(error, files)) from error
    progress("checking what it wrote")
    return {"rows": {table.name: written_rows(table, script) for table in outputs}}


def written_rows(table: Table, script: str) -> int:
    """Rows of a table that a job wrote; its files must be there and have the declared columns."""
    if not table.files() and not Path(table.dir, "_SUCCESS").exists():
        raise StepError("NothingWritten", f"`{script}` wrote no files to its `{table.name}` location")
    if table.format in ("parquet", "orc"):
        sources.check_files(table)
        return sum(formats.rows(table, file) for file in table.files())
    database = sources.connect({})
    try:
        if table.format == "json" and table.files():
            return sources.check_json(database, table)
        return int(database.execute(f"SELECT count(*) FROM ({sources.read(database, table)})").fetchall()[0][0])
    except sources.duckdb.Error as error:
        raise sources.reading_error(error, [table]) from error


def _configure(spark: Any, settings: dict[str, str]) -> None:
    """Gives a session the job's settings; those that only a new JVM could have are Glue's alone."""
    for key, value in settings.items():
        if spark.conf.isModifiable(key):
            spark.conf.set(key, value)


def _packages(packages: list[str], progress: Progress) -> list[str]:
    """The folder with exactly these packages, as a list of one; installed with pip when it is not there yet."""
    if not packages:
        return []
    digest = hashlib.sha256("\n".join(packages).encode()).hexdigest()[:16]
    place = Path(sys.prefix, "job-packages", digest)
    if not place.is_dir():
        progress(f"installing {', '.join(packages)}")
        place.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix="new-") as folder:
            new = Path(folder, "packages")
            pip = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
            pip += ["--progress-bar", "off", "--target", str(new), *packages]
            done = subprocess.run(pip, capture_output=True, text=True, check=False)
            print(done.stdout, done.stderr, sep="\n")
            if done.returncode:
                complaint = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "pip failed")
                raise StepError("MissingPackage", f"cannot install {', '.join(packages)}: {complaint}")
            if not place.is_dir():
                new.rename(place)
    return [str(place)]


@contextlib.contextmanager
def _modules(paths: list[str]) -> Iterator[str]:
    """A folder that has the job's helper modules, and nothing else, under the names they are imported by.

    A folder with `__init__.py` is a package; the content of any other folder is importable directly.
    """
    with tempfile.TemporaryDirectory(dir=settings().local_dir, prefix="modules-") as folder:
        for path in map(Path, paths):
            package = path.is_file() or (path / "__init__.py").exists()
            for entry in [path] if package else sorted(path.iterdir()):
                link = Path(folder, entry.name)
                if not link.exists():
                    link.symlink_to(entry.resolve())
        yield folder


@contextlib.contextmanager
def _as_main(argv: list[str], folder: str, environment: dict[str, str]) -> Iterator[None]:
    """Arguments, module path and environment of a script; everything it changed is put back afterwards."""
    saved = sys.argv, list(sys.path), dict(os.environ), Path.cwd(), set(sys.modules), sys.modules["__main__"]
    sys.argv = list(argv)
    sys.path.insert(0, folder)
    os.environ |= environment
    try:
        yield
    finally:
        sys.argv, sys.path[:] = saved[0], saved[1]
        os.environ.clear()
        os.environ |= saved[2]
        os.chdir(saved[3])
        for name in set(sys.modules) - saved[4]:
            if _of_the_job(sys.modules[name], [folder, str(Path(sys.prefix, "job-packages"))]):
                del sys.modules[name]
        sys.modules["__main__"] = saved[5]


def _of_the_job(module: Any, folders: list[str]) -> bool:
    paths = [getattr(module, "__file__", None), *list(getattr(module, "__path__", []))]
    return any(path and path.startswith(folder + os.sep) for path in paths for folder in folders)
