"""The part of Glue's API that evaluates data quality rules; MiniStack has none of it.

An evaluation is over as soon as it is started, and EventBridge is told, if it was to publish metrics. Its verdict is
what the tag `verdict` of the ruleset says, `PASS` without one: the stand-in for rows that would have been looked at.
The same `ClientToken` is the same evaluation.

Actions and answers: botocore's service model `glue` (2017-03-31); the event: "Setting up alerts, deployments, and
scheduling" of AWS Glue's guide.
"""

import json
from typing import Any
from uuid import uuid4

from ministack import app
from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region
from ministack.services import eventbridge, glue

from aws_emulator.resource_types import TYPES

Answer = tuple[int, dict[str, str], bytes]

RULESETS = TYPES["AWS::Glue::DataQualityRuleset"].known
runs = AccountRegionScopedDict()
"""Evaluations, as they are described, by id."""
tokens = AccountRegionScopedDict()
"""Ids of evaluations, by token."""


def register() -> None:
    bare = app.SERVICE_HANDLERS["glue"]

    async def handle(method: str, path: str, headers: dict, body: bytes, query: dict) -> Answer:
        action = headers.get("x-amz-target", "").removeprefix("AWSGlue.")
        known = ACTIONS.get(action)
        return known(json.loads(body)) if known else await bare(method, path, headers, body, query)

    app.SERVICE_HANDLERS["glue"] = handle


def start(request: dict[str, Any]) -> Answer:
    (ruleset,) = request["RulesetNames"]
    if ruleset not in RULESETS:
        return error("EntityNotFoundException", f"Cannot find Data Quality Ruleset {ruleset}")
    token = request.get("ClientToken", uuid4().hex)
    if token not in tokens:
        name = tokens[token] = f"dqrun-{uuid4().hex}"
        runs[name] = {**request, "RunId": name, "Status": "SUCCEEDED", "ResultIds": [f"dqresult-{name}"]}
        if request.get("AdditionalRunOptions", {}).get("CloudWatchMetricsEnabled"):
            tell(runs[name])
    return answer({"RunId": tokens[token]})


def verdict(ruleset: str) -> str:
    arn = f"arn:aws:glue:{get_region()}:{get_account_id()}:dataQualityRuleset/{ruleset}"
    return glue._tags.get(arn, {}).get("verdict", "PASS")


def tell(run: dict[str, Any]) -> None:
    (ruleset,) = run["RulesetNames"]
    table = run["DataSource"]["GlueTable"]
    context = {
        "contextType": "GLUE_DATA_CATALOG",
        "runId": run["RunId"],
        "databaseName": table["DatabaseName"],
        "tableName": table["TableName"],
        "catalogId": get_account_id(),
    }
    passed = verdict(ruleset) == "PASS"
    detail = {
        "context": context,
        "resultID": run["ResultIds"][0],
        "rulesetNames": [ruleset],
        "state": "SUCCEEDED" if passed else "FAILED",
        "score": float(passed),
    }
    entry = {
        "Source": "aws.glue-dataquality",
        "DetailType": "Data Quality Evaluation Results Available",
        "Detail": json.dumps(detail),
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def look(request: dict[str, Any]) -> Answer:
    run = runs.get(request["RunId"])
    return answer(run) if run else error("EntityNotFoundException", f"Cannot find evaluation {request['RunId']}")


def ruleset_of(result: str) -> str:
    """The rules that a result is about."""
    return "".join(runs.get(result.removeprefix("dqresult-"), {}).get("RulesetNames", ()))


def result(request: dict[str, Any]) -> Answer:
    run = runs.get(request["ResultId"].removeprefix("dqresult-"))
    if not run:
        return error("EntityNotFoundException", f"Cannot find result {request['ResultId']}")
    (ruleset,) = run["RulesetNames"]
    said = verdict(ruleset)
    rules = [{"Name": "Rule_1", "Description": RULESETS[ruleset]["Ruleset"].split("\n")[1].strip(), "Result": said}]
    if said != "PASS":
        rules[0]["EvaluationMessage"] = "as tagged"
    return answer({"ResultId": request["ResultId"], "RulesetName": ruleset, "RuleResults": rules})


def cancel(request: dict[str, Any]) -> Answer:
    runs[request["RunId"]] |= {"Status": "STOPPED"}
    return answer({})


ACTIONS = {
    "StartDataQualityRulesetEvaluationRun": start,
    "GetDataQualityRulesetEvaluationRun": look,
    "GetDataQualityResult": result,
    "CancelDataQualityRulesetEvaluationRun": cancel,
}


def error(code: str, message: str) -> Answer:
    return answer({"__type": code, "Message": message}, 400)


def answer(content: dict[str, Any], status: int = 200) -> Answer:
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(content).encode()
