"""Deploys that are killed at random moments and run again: `python3 benches/kill.py [KILLS]`.

Needs `EMULATOR_PYTHON` and, if not the release binary, `LAKEGEN_BINARY`, as `benches/deploy.py` does. Each kill is
a lake of its own: its deploy gets SIGKILL at a moment between nothing and the time of a whole deploy, then the same
command runs again. It has converged when stacks, their resources and change sets, and the asset bucket are those of a
lake that nobody disturbed. Prints how many have, of those that were killed in time.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from deploy import LAKEGEN, Emulator, lake

A_SERVER = 20
"""How many lakes an emulator holds before the next one is started: it becomes slow with many stacks."""

LOOK = """
import boto3, json, sys
cloudformation, s3 = boto3.client("cloudformation"), boto3.client("s3")
pages = cloudformation.get_paginator("describe_stacks").paginate()
everything = [stack for page in pages for stack in page["Stacks"]]
found = {}
for name in sys.argv[1:]:
    stacks = [s for s in everything if s["StackName"].startswith(name + "-")]
    state = []
    for stack in sorted(stacks, key=lambda stack: stack["StackName"]):
        of = {"StackName": stack["StackName"]}
        resources = cloudformation.describe_stack_resources(**of)["StackResources"]
        state.append([stack["StackName"].removeprefix(name), stack["StackStatus"]])
        state.append(sorted([r["ResourceType"], r["ResourceStatus"]] for r in resources))
        state.append(len(cloudformation.list_change_sets(**of)["Summaries"]))
    for bucket in s3.list_buckets()["Buckets"]:
        if bucket["Name"].startswith(name + "-") and bucket["Name"].endswith("-assets"):
            objects = s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", [])
            state.append(sorted(o["Key"].rpartition(".")[2] for o in objects))
    found[name] = state
print(json.dumps(found))
"""


def main(kills: int) -> None:
    choose = random.Random(2017)
    killed = converged = lucky = 0
    for start in range(0, kills, A_SERVER):
        with tempfile.TemporaryDirectory() as folder:
            names = [f"k{number}" for number in range(start, min(start + A_SERVER, kills))]
            undisturbed, states, in_time = batch(Path(folder), names, choose)
        killed += len(in_time)
        lucky += len(names) - len(in_time)
        converged += sum(states[name] == undisturbed for name in in_time)
        for name in names:
            if states[name] != undisturbed:
                print(f"{name} is otherwise:\\n{states[name]}\\n{undisturbed}")
        print(f"{converged} of {killed} killed deploys have converged; {lucky} were over before", flush=True)


def batch(folder: Path, names: list[str], choose: random.Random) -> tuple[Any, dict[str, Any], list[str]]:
    """The state of a lake that was left alone, the states of the others, and which of them were killed in time."""
    emulator = Emulator(folder)
    in_time = []
    try:
        for name in ["alone", *names]:
            lake(folder / name, name)
        began = time.perf_counter()
        emulator.run([deploy()], folder / "alone")
        whole = time.perf_counter() - began
        for name in names:
            child = subprocess.Popen(
                deploy(),
                cwd=folder / name,
                env=emulator.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(choose.uniform(0.001, whole))
            if child.poll() is None:
                in_time.append(name)
            child.kill()
            child.wait()
            emulator.run([deploy()], folder / name)
        looking = [os.environ["EMULATOR_PYTHON"], "-c", LOOK, "alone", *names]
        found = json.loads(subprocess.run(looking, env=emulator.environment, check=True, capture_output=True).stdout)
    finally:
        emulator.stop()
    return found.pop("alone"), found, in_time


def deploy() -> list[str]:
    return [LAKEGEN, "deploy", "--env", "dev", "--quiet"]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
