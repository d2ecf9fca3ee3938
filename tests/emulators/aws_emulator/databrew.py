"""The part of DataBrew's API that publishes recipes and runs jobs; MiniStack has no DataBrew at all.

A job that was started runs until it is stopped.

Paths and answers: botocore's service model `databrew` (2017-07-25).
"""

import json
import re
import time
from typing import Any
from uuid import uuid4

from ministack import app
from ministack.core import router
from ministack.core.responses import AccountRegionScopedDict

from aws_emulator.resource_types import TYPES

Answer = tuple[int, dict[str, str], bytes]

RECIPES = TYPES["AWS::DataBrew::Recipe"].known
JOBS = TYPES["AWS::DataBrew::Job"].known
versions = AccountRegionScopedDict()
"""Number of the last published version, by recipe."""
runs = AccountRegionScopedDict()
"""Runs of jobs, as they are described, by id."""


def register() -> None:
    router.SERVICE_PATTERNS["databrew"] = {"host_patterns": [r"databrew\."]}
    app.SERVICE_HANDLERS["databrew"] = handle


async def handle(method: str, path: str, _headers: dict, _body: bytes, query: dict) -> Answer:
    if of_job := re.fullmatch(r"/jobs/([^/]+)/(?:startJobRun|jobRuns|jobRun/([^/]+)(/stopJobRun)?)", path):
        return run(method, *of_job.groups())
    match = re.fullmatch(r"/recipes/([^/]+)(/publishRecipe|/recipeVersion/[^/]+)?", path)
    if path == "/recipeVersions":
        return list_versions(query["name"])
    if not match:
        return answer(501, {"Message": f"the emulator has no {method} {path}"})
    recipe, action = match.groups()
    if recipe not in RECIPES and method != "DELETE":
        return error("ResourceNotFoundException", f"Recipe {recipe} doesn't exist.")
    match method, action:
        case "POST", "/publishRecipe":
            versions[recipe] = versions.get(recipe, 0) + 1
            return answer(200, {"Name": recipe})
        case "GET", None if recipe in versions:
            return answer(200, {"Name": recipe, "RecipeVersion": f"{versions[recipe]}.0"})
        case "DELETE", str():
            return answer(200, {"Name": recipe, "RecipeVersion": action.rpartition("/")[2]})
    return error("ResourceNotFoundException", f"Recipe {recipe} has not been published.")


def list_versions(name: str | list[str]) -> Answer:
    recipe = name if isinstance(name, str) else name[0]
    published = range(1, versions.get(recipe, 0) + 1)
    return answer(200, {"Recipes": [{"Name": recipe, "RecipeVersion": f"{number}.0"} for number in published]})


def run(method: str, job: str, name: str | None, stop: str | None) -> Answer:
    if job not in JOBS or (name and name not in runs):
        return error("ResourceNotFoundException", f"Job {job} or its run {name} doesn't exist.")
    match method, name, stop:
        case "POST", None, None:
            name = f"db_{uuid4().hex}"
            runs[name] = {"JobName": job, "RunId": name, "State": "RUNNING", "StartedOn": time.time()}
            return answer(200, {"RunId": name})
        case "GET", None, None:
            return answer(200, {"JobRuns": [one for one in runs.values() if one["JobName"] == job]})
        case "GET", str(), None:
            return answer(200, runs[name])
        case "POST", str(), str():
            runs[name] |= {"State": "STOPPED"}
            return answer(200, {"RunId": name})
    return answer(501, {"Message": f"the emulator has no {method} of runs"})


def error(code: str, message: str) -> Answer:
    status, headers, body = answer(404, {"Message": message})
    return status, {**headers, "x-amzn-errortype": code}, body


def answer(status: int, content: dict[str, Any]) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(content).encode()
