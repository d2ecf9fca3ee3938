"""Breaks generated templates on purpose and tells which judge sees it.

Usage: breakages.py CFN_LINT [TABLE]: prints the table of `docs/judges.md`, or compares it with that file and exits
with 1 when they differ. What is broken are reviewed templates of `snapshots/shop`.

Each breakage also says why no blueprint comes to it: `check` refuses it (the words are in a reviewed snapshot of what
`check` says), or the types of `src/cfn` cannot express it (the words are there, or are absent).
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from cloudformation_validate import (
    CompositeEngine,
    CompositeEngineConfig,
    PseudoParameterOverrides,
    ValidateConfig,
)

ROOT = Path(__file__).parents[2]
REGION = "eu-west-1"

Properties = dict[str, Any]


class Ours(NamedTuple):
    """Why no blueprint comes to it: some words, and the file that has them, or has them not."""

    words: str
    file: str
    absent: bool = False

    def holds(self) -> bool:
        return (self.words in (ROOT / self.file).read_text()) != self.absent

    def __str__(self) -> str:
        if self.file.startswith(("snapshots/", "src/kind/")):
            return f"`check`: {self.words}"
        if self.absent:
            return f"cannot be expressed: `{self.file}` has no `{self.words}`"
        return f"cannot be expressed: `{self.words}`"


def said(file: str, words: str) -> Ours:
    return Ours(words, f"snapshots/check/everything_that_is_wrong_is_said_at_its_place@{file}.yaml.snap")


class Breakage(NamedTuple):
    """One property set to something wrong."""

    what: str
    stack: str
    resource: str
    path: str
    value: Any
    ours: Ours


TYPED = "src/cfn/lambda.rs"
BREAKAGES = [
    Breakage("a cron expression of five fields on a crawler", "processing", "GlueCrawlerRaw",
             "Schedule.ScheduleExpression", "cron(0 3 * * *)",
             said("schedules", "a cron expression of AWS has six fields, found 5")),
    Breakage("a rate in the plural on a rule", "pipelines", "EventRule*Nightly*", "ScheduleExpression", "rate(1 hours)",
             said("schedules", "one is written in the singular: `rate(1 hour)`")),
    Breakage("a role's name where its ARN is due", "serving", "FunctionCodeRecommend", "Role",
             {"Ref": "FunctionRoleRecommend"}, Ours("role: Value<Arn<Role>>", TYPED)),
    Breakage("`MaxCapacity` beside `WorkerType`", "processing", "GlueJobFeatures", "MaxCapacity", 10,
             Ours("MaxCapacity", "src/cfn/glue.rs", absent=True)),
    Breakage("a worker type that Glue has not", "processing", "GlueJobFeatures", "WorkerType", "G.3X",
             said("jobs", "no worker type named `G.3X`")),
    Breakage("a job that may run for 14 days", "processing", "GlueJobFeatures", "Timeout", 20160,
             said("jobs", "a job runs at least 1 minute and less than 7 days")),
    Breakage("a version of Glue that there is not", "processing", "GlueJobFeatures", "GlueVersion", "4.7",
             said("jobs", "is not supported")),
    Breakage("a workgroup with a space in its name", "processing", "AthenaWorkGroup", "Name", "my lake!",
             said("names", "cannot be the name of a lake")),
    Breakage("SQL that names a column nobody has", "processing", "AthenaQuerySeen", "QueryString",
             "select custmer from clicks", said("sql", "in the tables of this query")),
    Breakage("a column of a type that Glue has not", "processing", "CatalogTableSales",
             "TableInput.StorageDescriptor.Columns.0.Type", "integr",
             said("column_types", "no column type named `dubble`")),
    Breakage("a projection without a range", "processing", "CatalogTableVisits",
             "TableInput.Parameters.projection\\.day\\.range", "NOW",
             said("partitions", "the range ends before it begins")),
    Breakage("a recipe step that DataBrew has not", "processing", "RecipeStepsClean", "Steps.0.Action.Operation",
             "REMOVE_MISING", said("recipe_steps", "no recipe step named `renam`")),
    Breakage("a rule type that DQDL has not", "processing", "QualityRulesetSales", "Ruleset",
             "Rules = [ IsFresh \"id\" ]", said("checks", "no rule type named `IsFresh`")),
    Breakage("a crawler that deletes declared tables", "processing", "GlueCrawlerRaw",
             "SchemaChangePolicy.DeleteBehavior", "DELETE_FROM_DATABASE",
             said("crawlers", "`removals` is for crawlers that discover tables")),
    Breakage("a function with 64 MB", "serving", "FunctionCodeRecommend", "MemorySize", 64,
             said("models", "a function has 128 MB to 10,240 MB")),
    Breakage("a function that may run for an hour", "serving", "FunctionCodeRecommend", "Timeout", 3600,
             Ours("a function runs 1 second to 15 minutes", "src/kind/function.rs")),
    Breakage("a variable that Lambda keeps for itself", "serving", "FunctionCodeRecommend",
             "Environment.Variables.AWS_REGION", "eu-west-1", said("models", "Lambda sets `AWS_REGION` itself")),
    Breakage("a retention that CloudWatch has not", "serving", "FunctionLogsRecommend", "RetentionInDays", 45,
             Ours("if cx.environment.protected { 365 } else { 30 }", "src/lower/logs.rs")),
    Breakage("a method that HTTP has not", "serving", "ApiMethodPOST*", "HttpMethod", "FETCH",
             said("api", "is not a route")),
    Breakage("objects in infrequent access after a day", "storage", "ZoneBucketCurated",
             "LifecycleConfiguration.Rules.0.Transitions",
             [{"StorageClass": "STANDARD_IA", "TransitionInDays": 1}],
             said("partitions", "S3 takes objects to infrequent access after 30 days at the earliest")),
    Breakage("a table's key that is no attribute", "storage", "ItemTableProfiles",
             "KeySchema.0.AttributeName", "custmer", said("formats", "no column named `idd` in `g`")),
    Breakage("a serverless endpoint with 2,500 MB", "endpoint-taste", "EndpointSettings",
             "ProductionVariants.0.ServerlessConfig.MemorySizeInMB", 2500,
             said("models", "a serverless endpoint has 1 to 6 GB, in whole gigabytes")),
    Breakage("an endpoint that scales to fewer than it has", "endpoint-price", "EndpointTarget", "MaxCapacity", 1,
             said("endpoints", "that scales from 4 has more than that at most")),
    Breakage("an instance that SageMaker has not", "endpoint-price", "EndpointSettings",
             "ProductionVariants.0.InstanceType", "ml.m5.huge",
             said("limits", "SageMaker has no `ml.m5.huge` for training")),
    Breakage("a function that outlasts the API before it", "serving", "FunctionCodeRecommend", "Timeout", 30,
             said("api", "API Gateway waits 29 seconds for a function, and this one has more")),
    Breakage("a data lake format that Glue has not", "processing", "GlueJobFeatures",
             "DefaultArguments.--datalake-formats", "detla", said("jobs", "Glue has no data lake format `detla`")),
    Breakage("an argument that Glue keeps for itself", "processing", "GlueJobFeatures", "DefaultArguments.--mode", "a",
             said("jobs", "Glue keeps the argument `tempdir` for itself")),
    Breakage("spare machines of a large worker type", "processing", "GlueJobLetters", "WorkerType", "G.4X",
             said("jobs", "Glue has no spare machines of the type `G.4X`")),
    Breakage("eleven retries of a job", "processing", "GlueJobFeatures", "MaxRetries", 11,
             said("escape_properties", "`MaxRetries` of `AWS::Glue::Job` is 0 to 10, not 11")),
    Breakage("workers without their number", "processing", "GlueJobFeatures", "NumberOfWorkers", None,
             said("escape_properties", "`AWS::Glue::Job` needs `NumberOfWorkers` beside `WorkerType`")),
    Breakage("a scan limit of a kilobyte", "processing", "AthenaWorkGroup",
             "WorkGroupConfiguration.BytesScannedCutoffPerQuery", 1000,
             said("workgroups", "Athena limits how much a query scans to 10 MB at the least")),
    Breakage("a crawler every minute", "processing", "GlueCrawlerRaw", "Schedule.ScheduleExpression",
             "cron(* * * * ? *)", said("limits", "Glue starts a crawler every 5 minutes at the most")),
    Breakage("a comment of two lines in the catalog", "processing", "CatalogTableSales",
             "TableInput.StorageDescriptor.Columns.0.Comment", "one\ntwo",
             said("limits", "the catalog takes comments of one line")),
    Breakage("a throttle beyond the account's", "serving", "RestStage", "MethodSettings.0.ThrottlingBurstLimit", 100000,
             said("api", "API Gateway takes 1 to 5000 here")),
    Breakage("a path in the origin of web pages", "serving", "ApiCorsMethodCustomersCustomerTaste*",
             "Integration.IntegrationResponses.0.ResponseParameters.method\\.response\\.header\\."
             "Access-Control-Allow-Origin", "'shop.example/path'",
             said("api", "`shop.example/path` is not where a web page comes from")),
    Breakage("objects that expire before they come", "storage", "ZoneBucketCurated",
             "LifecycleConfiguration.Rules.0.ExpirationInDays", 0,
             said("escape_properties", "of `AWS::S3::Bucket` is at least 1, not 0")),
    Breakage("provisioned capacity that nobody gives", "storage", "ItemTableProfiles", "BillingMode", "PROVISIONED",
             said("escape_properties", "a table whose capacity is provisioned needs `ProvisionedThroughput`")),
    Breakage("a public ACL on a bucket that has none", "storage", "ZoneBucketRaw", "AccessControl", "PublicRead",
             said("escape_properties", "`AWS::S3::Bucket` needs `OwnershipControls` for `AccessControl: PublicRead`")),
    Breakage("an ordered queue whose name does not say so", "pipelines", "FailedEventsQueue", "FifoQueue", True,
             said("escape_properties", "with `FifoQueue: true` a name ends in `.fifo`")),
    Breakage("an alarm of two statistics", "pipelines", "FailedEventsAlarm", "ExtendedStatistic", "p90",
             said("escape_properties", "`AWS::CloudWatch::Alarm` takes `ExtendedStatistic` or `Statistic`, not both")),
    Breakage("an alarm that looks every 90 seconds", "pipelines", "FailedEventsAlarm", "Period", 90,
             said("escape_properties", "an alarm looks every 10, 20, 30 or a multiple of 60 seconds, not 90")),
    Breakage("a function without a runtime", "serving", "FunctionCodeRecommend", "Runtime", None,
             said("escape_properties", "`AWS::Lambda::Function` needs `Runtime` where its code is no image")),
    Breakage("a rule that waits for nothing", "pipelines", "EventRule*Nightly*", "ScheduleExpression", None,
             said("escape_properties", "needs at least one of `EventPattern` and `ScheduleExpression`")),
    Breakage("an action of IAM that is misspelt", "serving", "FunctionRoleRecommend",
             "Policies.0.PolicyDocument.Statement.0.Action.0", "dynamodb:GetItm",
             Ours("pub struct Action(&'static str);", "src/cfn/iam.rs")),
]


def template(stack: str) -> dict[str, Any]:
    text = (ROOT / f"snapshots/shop/shop-dev-{stack}.yaml.snap").read_text()
    return yaml.safe_load(text.split("---\n", 2)[2])


def mentioned(value: Any, known: set[str]) -> set[str]:
    """The resources that a value speaks of."""
    words = set(re.findall(r"[A-Za-z0-9]+", json.dumps(value)))
    return words & known


def alone(whole: dict[str, Any], name: str) -> dict[str, Any]:
    """The template with one resource, and those that it needs."""
    known, needed, new = set(whole["Resources"]), set(), {name}
    while new:
        needed |= new
        new = set().union(*(mentioned(whole["Resources"][one], known) for one in new)) - needed
    resources = {key: value for key, value in whole["Resources"].items() if key in needed}
    used = json.dumps(resources)
    parameters = {key: value for key, value in whole.get("Parameters", {}).items() if key in used}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Parameters": parameters, "Resources": resources}


def set_at(properties: Properties, path: str, value: Any) -> None:
    """Sets what a path leads to; a dot in a key stands behind a backslash, and maps on the way are made.

    Nothing (`None`) takes it away.
    """
    *way, last = [part.replace("\0", ".") for part in path.replace("\\.", "\0").split(".")]
    at: Any = properties
    for part in way:
        at = at[int(part)] if isinstance(at, list) else at.setdefault(part, {})
    if value is None:
        del at[last]
    elif isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value


def found_by_validate(path: Path) -> set[str]:
    engine = CompositeEngine(CompositeEngineConfig())
    pseudo = PseudoParameterOverrides(region=REGION)
    report = engine.validate_template(path, ValidateConfig(pseudo_parameter_overrides=pseudo))
    return {one.rule_id for one in report.diagnostics if not one.rule_id.startswith("I")}


def found_by_cfn_lint(program: str, paths: list[Path]) -> dict[str, set[str]]:
    command = [program, "--format", "json", "-r", REGION, "--", *map(str, paths)]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found: dict[str, set[str]] = {path.name: set() for path in paths}
    for match in json.loads(output):
        found[Path(match["Filename"]).name].add(match["Rule"]["Id"])
    return found


def table(program: str) -> str:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        pairs = []
        for number, broken in enumerate(BREAKAGES):
            assert broken.ours.holds(), f"{broken.what}: {broken.ours.file} says something else"
            whole = template(broken.stack)
            pattern = re.compile(re.escape(broken.resource).replace(r"\*", ".*"))
            name = next(name for name in whole["Resources"] if pattern.fullmatch(name))
            paths = [Path(folder, f"{number:02}-{state}.json") for state in ("sound", "broken")]
            part = alone(whole, name)
            paths[0].write_text(json.dumps(part))
            set_at(part["Resources"][name]["Properties"], broken.path, broken.value)
            paths[1].write_text(json.dumps(part))
            assert paths[0].read_text() != paths[1].read_text(), f"{broken.what}: nothing is broken"
            pairs.append(paths)
        lint = found_by_cfn_lint(program, [path for pair in pairs for path in pair])
        for broken, (sound, wrong) in zip(BREAKAGES, pairs, strict=True):
            by_lint = lint[wrong.name] - lint[sound.name]
            by_validate = found_by_validate(wrong) - found_by_validate(sound)
            seen = [", ".join(sorted(rules)) or "—" for rules in (by_lint, by_validate)]
            rows.append(f"| {broken.what} | {seen[0]} | {seen[1]} | {broken.ours} |")
    head = (
        "| broken on purpose | cfn-lint | cloudformation-validate | why no blueprint comes to it |\n"
        "|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def main(arguments: list[str], say: Callable[[str], Any] = print) -> int:
    made = table(arguments[0])
    if len(arguments) < 2:
        say(made)
        return 0
    if made not in Path(arguments[1]).read_text():
        say(f"{arguments[1]} does not hold this table:\n{made}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
