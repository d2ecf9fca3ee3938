"""First and no-change deploys beside the AWS CLI's, against one emulator: `python3 benches/deploy.py [RUNS]`.

Needs the release binary (or another one as `LAKEGEN_BINARY`), and as `EMULATOR_PYTHON` an interpreter with the packages
of `tests/emulators.txt`. The AWS CLI comes from `benches/requirements-deploy.txt` into a virtual environment under
`target/`. Both deploy the same templates of the same lake; each run is a lake of another name, A B A B …. Prints
medians of wall time, calls and peak memory.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "target"
LAKEGEN = os.environ.get("LAKEGEN_BINARY", str(TARGET / "release" / "lakegen"))
ACCOUNT = "111122223333"
REGION = "eu-central-1"


@dataclass
class Run:
    """One run of one tool."""

    seconds: float
    mebibytes: float
    calls: int


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the emulator does not start")


class Emulator:
    """MiniStack with the stand-ins, behind the proxy that counts calls."""

    def __init__(self, folder: Path) -> None:
        python = os.environ["EMULATOR_PYTHON"]
        port, proxied = free_port(), free_port()
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "tests" / "emulators"),
            "GATEWAY_PORT": str(port),
            "TMPDIR": str(folder),
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
        }
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.log = folder / "calls"
        self.emulator = subprocess.Popen([python, "-m", "aws_emulator"], cwd=folder, env=environment, **quiet)
        wait_for(port)
        with self.log.open("w") as log:
            proxy = [python, str(ROOT / "tests/emulators/fault_proxy.py"), str(proxied), str(port)]
            self.proxy = subprocess.Popen(proxy, stdout=log, stderr=subprocess.DEVNULL)
        wait_for(proxied)
        none = str(folder / "none")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxied}",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": none,
            "AWS_SHARED_CREDENTIALS_FILE": none,
        }

    def calls(self) -> int:
        return len(self.log.read_text().splitlines())

    def stop(self) -> None:
        self.proxy.kill()
        self.emulator.kill()

    def run(self, commands: list[list[str]], folder: Path) -> Run:
        before, start, peak = self.calls(), time.perf_counter(), 0.0
        for command in commands:
            with (folder / "said").open("w+") as said:
                process = subprocess.Popen(command, cwd=folder, env=self.environment, stdout=said, stderr=said)
                _, status, usage = os.wait4(process.pid, 0)
                if status != 0:
                    said.seek(0)
                    raise SystemExit(f"{' '.join(command)} failed:\n{said.read()}")
            peak = max(peak, usage.ru_maxrss / 1024)
        return Run(time.perf_counter() - start, peak, self.calls() - before)


def lake(folder: Path, name: str, jobs: int = 1, asset: int = 100) -> None:
    """A lake of two stacks with as many jobs, each with a script of that size."""
    (folder / "blueprints").mkdir(parents=True)
    lines = [f"name: {name}", f"environments: {{ dev: {{ region: {REGION} }} }}", "zones: { raw: { keep: 400 days } }"]
    lines += ["tables:", "  orders: { zone: raw, format: csv, columns: { order_id: int } }"]
    lines += [f"  t{n}: {{ zone: raw, format: parquet, columns: {{ n: int }} }}" for n in range(jobs)]
    lines += ["jobs:"]
    for n in range(jobs):
        lines.append(f"  j{n}: {{ script: j{n}.py, reads: [orders], writes: [t{n}] }}")
        (folder / f"j{n}.py").write_text(f"# {name} {n}\n" + "#" * asset + "\n")
    (folder / "blueprints" / "lake.yaml").write_text("\n".join(lines) + "\n")


def aws_cli() -> str:
    home = TARGET / "bench-aws"
    if not (home / "bin" / "aws").exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        lock = str(ROOT / "benches" / "requirements-deploy.txt")
        subprocess.run([str(home / "bin" / "pip"), "install", "-q", "--require-hashes", "-r", lock], check=True)
    return str(home / "bin" / "aws")


def aws_commands(aws: str, folder: Path, name: str) -> list[list[str]]:
    """What deploys the assembly with the AWS CLI: assets, then each stack packaged and deployed."""
    bucket = f"{name}-dev-{ACCOUNT}-{REGION}-assets"
    manifest = json.loads((folder / "out" / "dev" / "manifest.json").read_text())
    commands = [[aws, "s3", "sync", "out/dev/assets", f"s3://{bucket}/assets", "--quiet"]]
    for stack in manifest["stacks"]:
        template, packaged = f"out/dev/{stack['template']}", f"packaged-{stack['name']}.yaml"
        places = ["--s3-bucket", bucket, "--s3-prefix", "templates"]
        package = [aws, "cloudformation", "package", "--template-file", template, *places]
        commands.append([*package, "--output-template-file", packaged])
        deploy = [aws, "cloudformation", "deploy", "--template-file", packaged, "--stack-name", stack["name"], *places]
        deploy += ["--capabilities", "CAPABILITY_NAMED_IAM", "--no-fail-on-empty-changeset"]
        values = {"KeyArn": "arn:aws:kms:eu-central-1:111122223333:key/k", "AssetBucket": bucket}
        given = [f"{key}={values[key]}" for key in stack["parameters"]]
        commands.append(deploy + (["--parameter-overrides", *given] if given else []))
    return commands


def compare(runs: int) -> None:
    results: dict[str, list[Run]] = {}
    aws = aws_cli()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        emulator = Emulator(folder)
        try:
            for number in range(runs):
                ours, theirs = folder / f"a{number}", folder / f"b{number}"
                lake(ours, f"a{number}")
                deploy = [[LAKEGEN, "deploy", "--env", "dev", "--quiet"]]
                lake(theirs, f"b{number}")
                synth = [LAKEGEN, "synth", "--env", "dev", "--out", "out", "-q"]
                subprocess.run(synth, cwd=theirs, check=True, stdout=subprocess.DEVNULL)
                make = [aws, "s3", "mb", f"s3://b{number}-dev-{ACCOUNT}-{REGION}-assets"]
                cli = aws_commands(aws, theirs, f"b{number}")
                results.setdefault("lakegen first", []).append(emulator.run(deploy, ours))
                results.setdefault("aws first", []).append(emulator.run([make, *cli], theirs))
                results.setdefault("lakegen no change", []).append(emulator.run(deploy, ours))
                results.setdefault("aws no change", []).append(emulator.run(cli, theirs))
            many = folder / "many"
            lake(many, "many", jobs=200, asset=1_000_000)
            results["lakegen first, 200 assets of 1 MB"] = [emulator.run(deploy, many)]
            results["lakegen no change, 200 assets of 1 MB"] = [emulator.run(deploy, many)]
        finally:
            emulator.stop()
    report(results)


def report(results: dict[str, list[Run]]) -> None:
    for what in ("first", "no change"):
        pairs = zip(results[f"lakegen {what}"], results[f"aws {what}"], strict=True)
        ratio = statistics.median(ours.seconds / theirs.seconds for ours, theirs in pairs)
        print(f"{what}: lakegen takes {ratio:.2f} of the AWS CLI's time")
    for what, found in results.items():
        seconds = statistics.median(run.seconds for run in found)
        memory = statistics.median(run.mebibytes for run in found)
        print(f"{what:40} {seconds:7.2f} s {found[0].calls:5} calls {memory:6.0f} MiB")


if __name__ == "__main__":
    compare(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
