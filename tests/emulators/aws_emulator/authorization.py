"""What a call takes, for the services whose calls MiniStack holds against `*` or the wrong resource, or lets through.

Only with `AUTH=true`. MiniStack evaluates policies; what a call is about, and what it takes besides the action of its
own name, is said here. Calls count as made through TLS, which the emulator itself does not speak. Every decision about
a role is a line of the file `trail` in the folder that the emulator was started in: its `role`, `action`, `resource`,
and whether it was `allowed`.

Sources: the Service Authorization Reference of each service, for `iam:PassRole` "Granting a user permissions to pass a
role to an AWS service", for `aws:PrincipalArn` "AWS global condition context keys".
"""

import json
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import athena

from aws_emulator import quality

Check = tuple[str, str, dict[str, str]]
"""An action, the resource that it works on, and the keys that conditions may ask for."""

TRAIL = Path("trail")

GLUE = {
    "crawler/": ("StartCrawler", "StopCrawler", "GetCrawler"),
    "dataQualityRuleset/": ("StartDataQualityRulesetEvaluationRun",),
    "job/": ("StartJobRun", "GetJobRun", "GetJobRuns", "BatchStopJobRun", "GetJob", "UpdateJob"),
}

WITH_A_ROLE = (
    "cloudformation:CreateChangeSet",
    "cloudformation:CreateStack",
    "cloudformation:DeleteStack",
    "cloudformation:UpdateStack",
)
"""Calls that hand a role to CloudFormation, with which it works on the stack."""

WITH_A_NAME = tuple(f"cloudformation:{verb}ChangeSet" for verb in ("Create", "Delete", "Describe", "Execute"))
"""Calls whose policies can ask for the name of a change set, or for its ARN where the call says that."""

request: ContextVar[dict[str, Any]] = ContextVar("request")
"""Body of the request that is being authorized."""


def register() -> None:
    iam_actions.SERVICE_TO_IAM_NAMESPACE |= {"databrew": "databrew", "sagemaker": "sagemaker"}
    iam_actions._BOTOCORE_SERVICE_MAP["databrew"] = ["databrew"]
    bare_resource, bare_enforce = iam_actions.extract_resource_arn, iam_evaluator.enforce
    bare_key = iam_evaluator._resolve_condition_key

    def resource(
        service: str, method: str, path: str, headers: dict, body: bytes, query: dict, region: str, account: str
    ) -> str:
        request.set(content(headers, body))
        action = iam_actions.extract_iam_action(service, method, path, headers, body, query) or ""
        known = about(action.partition(":")[2], service, path, request.get())
        if known is None:
            return bare_resource(service, method, path, headers, body, query, region, account)
        return known and f"arn:aws:{service}:{region}:{account}:{known}"

    def enforce(key: str, action: str, service: str, region: str, resource_arn: str = "*", **more: Any) -> Any:
        said = request.get({})
        context = {**(more.get("service_context") or {}), **keys(action, said)}
        checks = alarms(said, region) if action == "cloudwatch:DescribeAlarms" else [(action, resource_arn, context)]
        for one, of, known in [*checks, *besides(action, resource_arn, said)]:
            denial = bare_enforce(key, one, service, region, resource_arn=of, service_context=known)
            note(one, of, denial is None)
            if denial:
                return denial
        return None

    iam_actions.extract_resource_arn = resource
    iam_evaluator.enforce = enforce
    iam_evaluator._resolve_condition_key = lambda key, context: known_of(key, context) or bare_key(key, context)


def known_of(key: str, context: iam_evaluator.EvalContext) -> str | None:
    """What MiniStack knows otherwise of a request."""
    match key.lower():
        case "aws:securetransport":
            return "true"
        case "aws:principalarn":
            return role_of(context.principal_arn)
    return None


def role_of(caller: str) -> str:
    """What `aws:PrincipalArn` is: of a session, the ARN of its role."""
    account, found, session = caller.partition(":assumed-role/")
    return f"{account.replace(':sts:', ':iam:')}:role/{session.partition('/')[0]}" if found else caller


def note(action: str, resource: str, allowed: bool) -> None:
    """Leaves a trail."""
    _, _, role = iam_evaluator.caller_arn().partition(":assumed-role/")
    if role:
        line = {"role": role.partition("/")[0], "action": action, "resource": resource, "allowed": allowed}
        with TRAIL.open("a") as trail:
            trail.write(json.dumps(line) + "\n")


def content(headers: dict, body: bytes) -> dict[str, Any]:
    """What a request says, whatever its protocol."""
    try:
        return json.loads(body)
    except ValueError:
        return {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}


def about(action: str, service: str, path: str, said: dict[str, Any]) -> str | None:
    """The resource that a call works on, as its ARN ends; empty for `*`, `None` where MiniStack knows it itself."""
    match service:
        case "glue":
            if action in ("GetDataQualityRulesetEvaluationRun", "CancelDataQualityRulesetEvaluationRun"):
                return "dataQualityRuleset/*"
            if action == "GetDataQualityResult":
                return f"dataQualityRuleset/{quality.ruleset_of(said['ResultId'])}"
            name = said.get("Name") or said.get("JobName") or "".join(said.get("RulesetNames", ()))
            return next((f"{kind}{name}" for kind, actions in GLUE.items() if action in actions), None)
        case "databrew":
            kind, _, name = path.strip("/").partition("/")
            return f"{ {'jobs': 'job', 'recipes': 'recipe'}.get(kind, kind)}/{name.partition('/')[0]}"
        case "athena" if "QueryExecutionId" in said:
            known = athena._executions.get(said["QueryExecutionId"])
            return f"workgroup/{known['WorkGroup']}" if known else ""
        case "sagemaker":
            return f"training-job/{said['TrainingJobName']}" if "TrainingJobName" in said else ""
    return None


def keys(action: str, said: dict[str, Any]) -> dict[str, str]:
    """What conditions may ask for."""
    if not action.startswith("cloudformation:"):
        return {}
    known = {"cloudformation:RoleArn": "RoleARN"} if action in WITH_A_ROLE else {}
    if action in WITH_A_NAME:
        known["cloudformation:ChangeSetName"] = "ChangeSetName"
    return {key: said[name] for key, name in known.items() if name in said}


def besides(action: str, resource: str, said: dict[str, Any]) -> list[Check]:
    """What a call takes besides its own action."""
    match action:
        case "cloudformation:DescribeStacks" if "StackName" not in said:
            every = f"arn:aws:cloudformation:{get_region()}:{get_account_id()}:stack/*/*"
            return [("cloudformation:ListStacks", every, {})]
        case "sagemaker:CreateTrainingJob":
            passed = passing(said["RoleArn"], "sagemaker.amazonaws.com")
            return [passed, *[("sagemaker:AddTags", resource, {}) for _ in said.get("Tags", ())[:1]]]
        case "glue:StartDataQualityRulesetEvaluationRun":
            return [passing(said["Role"], "glue.amazonaws.com")]
        case "glue:UpdateJob":
            return [passing(said["JobUpdate"]["Role"], "glue.amazonaws.com")]
        case _ if action in WITH_A_ROLE and "RoleARN" in said:
            return [passing(said["RoleARN"], "cloudformation.amazonaws.com")]
    return []


def alarms(said: dict[str, Any], region: str) -> list[Check]:
    """`DescribeAlarms` works on the alarms that it names, or on all."""
    names = said.get("AlarmNames") or [name for key, name in said.items() if key.startswith("AlarmNames.member.")]
    of = f"arn:aws:cloudwatch:{region}:{get_account_id()}:alarm:"
    return [("cloudwatch:DescribeAlarms", f"{of}{name}", {}) for name in names or ["*"]]


def passing(role: str, service: str) -> Check:
    return "iam:PassRole", role, {"iam:PassedToService": service}
