"""Whole processes side by side, in one run: `python3 benches/compare.py [RUNS]`.

Builds the release binary, makes a virtual environment for the yardstick (`benches/requirements.txt`) under `target/`,
then times each pair in turn, A B A B …, so that a machine that gets slower slows both. Prints the medians and the
median of the ratios.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "target"
LAKEGEN = TARGET / "release" / "lakegen"


def once(command: Sequence[str | Path], folder: Path) -> tuple[float, float]:
    """Wall seconds and peak memory in MiB of one run."""
    start = time.perf_counter()
    with open(os.devnull, "wb") as null:
        process = subprocess.Popen([str(word) for word in command], cwd=folder, stdout=null, stderr=null)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed")
    return seconds, usage.ru_maxrss / 1024


def compare(title: str, ours: Sequence[str | Path], theirs: Sequence[str | Path], folder: Path, runs: int) -> None:
    pairs = [(once(ours, folder), once(theirs, folder)) for _ in range(runs + 1)][1:]
    a, b = (statistics.median(pair[side][0] for pair in pairs) for side in (0, 1))
    memory = [max(pair[side][1] for pair in pairs) for side in (0, 1)]
    ratio = statistics.median(pair[0][0] / pair[1][0] for pair in pairs)
    times = f"{a * 1000:9.1f} ms {b * 1000:9.1f} ms   ratio {ratio:5.2f}"
    print(f"{title:52} {times}   {memory[0]:5.0f} / {memory[1]:5.0f} MiB", flush=True)


def yardstick() -> Path:
    folder = TARGET / "bench-venv"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        requirements = ROOT / "benches" / "requirements.txt"
        subprocess.run([python, "-m", "pip", "install", "-q", "--require-hashes", "-r", requirements], check=True)
        (folder / "ready").touch()
    return python


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    python = yardstick()
    troposphere = ROOT / "benches" / "troposphere_lake.py"
    out = TARGET / "bench-out"
    print(f"{'':52} {'lakegen':>12} {'other':>12}")
    nothing = [sys.executable, "-c", "pass"]
    compare("check the Instacart lake / python3 -c pass", [LAKEGEN, "check"], nothing, ROOT, runs)
    synth = [LAKEGEN, "synth", "--env", "dev", "--out", out / "instacart"]
    compare("synth the Instacart lake / python3 -c pass", synth, nothing, ROOT, runs)
    once(synth, ROOT)
    templates = (out / "instacart" / "dev").glob("*.yaml")
    resources = sum(text.count("\n    Type: AWS::") for text in (path.read_text() for path in templates))
    program = [python, troposphere, str(resources)]
    compare(f"synth the Instacart lake / troposphere, {resources} resources", synth, program, ROOT, runs)
    for jobs in (10, 100, 1_000, 10_000):
        folder = out / f"many-{jobs}"
        subprocess.run([sys.executable, ROOT / "benches" / "many_jobs.py", str(jobs), folder], check=True)
        ours = [LAKEGEN, "synth", "--env", "dev", "--out", folder / "out"]
        program = [python, troposphere, str(jobs)]
        compare(f"synth {jobs} jobs / troposphere, as many", ours, program, folder, max(runs // 3, 3))


if __name__ == "__main__":
    main()
