"""A file arrives, and everything else follows, each part within its rights: rules, function, ledger, services."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lake
import pytest

TOLD = ("landing", "scrub", "sums", "label", "report")
"""The steps whose ends the test tells; the training tells its own."""
STARTS = Counter({
    "glue:StartCrawler": 1,
    "databrew:StartJobRun": 1,
    "athena:StartQueryExecution": 1,
    # `label` and `report`.
    "glue:StartJobRun": 2,
    "sagemaker:CreateTrainingJob": 1,
    # `clean` and `totals` have rules.
    "glue:StartDataQualityRulesetEvaluationRun": 2,
})  # fmt: skip
"""What the services are asked to start in a run in which nothing fails."""


@pytest.fixture(scope="session", autouse=True)
def ready() -> None:
    """A release looks every second at what becomes of it, and what people are told is heard."""
    lake.impatient()
    lake.listen()


def begun() -> tuple[str, Counter[str]]:
    """The run that an arriving file becomes, and what had been started before."""
    before, starts = {item["run"] for item in lake.runs()}, lake.starts()
    lake.put(f"file-{len(before)}")
    return lake.new_run(before), starts


def states(run: str) -> dict[str, str]:
    return {name: item["state"] for name, item in lake.steps(run).items()}


def test_a_file_starts_the_first_step_and_every_end_the_next() -> None:
    run, _ = begun()
    lake.trained(run)
    for step in TOLD:
        item = lake.step(run, step, "RUNNING")
        # `label` and `report` could run together, but the pipeline says one at a time.
        assert list(states(run).values()).count("RUNNING") == 1
        lake.tell_end(item)
    assert lake.ended(run)["state"] == "SUCCEEDED"
    assert states(run) == dict.fromkeys([*TOLD, "taste"], "SUCCEEDED")
    assert lake.starts() == STARTS
    # What was trained goes live by itself.
    assert lake.released(run)["state"] == "RELEASED"


def test_whatever_is_told_twice_late_or_at_once_starts_once() -> None:
    known, starts = {item["run"] for item in lake.runs()}, lake.starts()
    arrived = {"bucket": {"name": lake.RAW}, "object": {"key": "orders/twice.csv", "sequencer": "0055AED6DCD90281E5"}}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: lake.tell("aws.s3", "Object Created", arrived), range(4)))
    run = lake.new_run(known)
    past = [item for name in known for item in lake.steps(name).values() if item["step"] in TOLD]
    for step in TOLD:
        item = lake.step(run, step, "RUNNING")
        # The ends of an earlier run once more, then this one three times at once.
        for old in past:
            lake.tell_end(old)
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lake.tell_end, [item] * 3))
    assert lake.ended(run)["state"] == "SUCCEEDED"
    assert lake.new_run(known) == run
    assert lake.starts() - starts == STARTS


def test_what_fails_is_tried_again_and_then_told() -> None:
    run, starts = begun()
    lake.tell_end(lake.step(run, "landing", "RUNNING"))
    for attempt in (1, 2):
        lake.tell_end(lake.step(run, "scrub", "RUNNING", attempt), "FAILED")
    ended = lake.ended(run)
    assert (ended["state"], ended["message"]) == ("FAILED", "scrub: as told")
    assert states(run) == {"landing": "SUCCEEDED", "scrub": "FAILED"} | dict.fromkeys(
        ["sums", "label", "report", "taste"], "SKIPPED"
    )
    assert (lake.starts() - starts)["databrew:StartJobRun"] == 2
    assert "scrub: as told" in lake.told(run)


def test_a_broken_rule_stops_what_reads_the_table() -> None:
    lake.verdict("clean", "FAIL")
    run, starts = begun()
    for step in ("landing", "scrub"):
        lake.tell_end(lake.step(run, step, "RUNNING"))
    ended = lake.ended(run)
    lake.verdict("clean", "PASS")
    assert ended["message"] == "scrub: table `clean` breaks a rule: `RowCount > 0,`: as tagged"
    scrub = lake.steps(run)["scrub"]
    # What was written once would be the same a second time.
    assert (scrub["state"], scrub["attempt"], scrub["broken"]) == ("FAILED", 1, True)
    assert states(run)["sums"] == "SKIPPED"
    assert not (lake.starts() - starts)["athena:StartQueryExecution"]


def test_a_broken_rule_that_only_warns_is_said_and_things_go_on() -> None:
    lake.verdict("totals", "FAIL")
    run, _ = begun()
    for step in TOLD:
        lake.tell_end(lake.step(run, step, "RUNNING"))
    assert lake.ended(run)["state"] == "SUCCEEDED"
    lake.verdict("totals", "PASS")
    assert lake.steps(run)["sums"]["message"] == "table `totals` breaks a rule: `RowCount > 0`: as tagged"


@pytest.mark.parametrize(
    ("step", "asked"),
    [
        ("landing", "glue:StopCrawler"),
        ("scrub", "databrew:StopJobRun"),
        ("sums", "athena:StopQueryExecution"),
        ("label", "glue:BatchStopJobRun"),
    ],
)
def test_a_run_that_is_cancelled_stops_what_is_under_way(step: str, asked: str) -> None:
    run = lake.call({"start": {"steps": [step]}})["run"]
    item = lake.step(run, step, "RUNNING")
    assert lake.call({"cancel": run}) == {"run": run, "state": "CANCELLING"}
    assert any(line["action"] == asked and line["allowed"] for line in lake.trail("shop-dev-pipeline"))
    lake.tell_end(item, "STOPPED")
    assert lake.ended(run)["state"] == "CANCELLED"
    # A crawl is over so soon here that it may be too late to stop it.
    assert states(run).pop(step) in {"STOPPED", "SUCCEEDED" if step == "landing" else "STOPPED"}
    assert set(states(run).values()) <= {"STOPPED", "SUCCEEDED", "SKIPPED"}


@pytest.mark.parametrize(
    ("step", "state"), [("landing", "SUCCEEDED"), ("scrub", "STOPPED"), ("sums", "FAILED"), ("label", "SUCCEEDED")]
)
def test_an_end_that_nobody_told_is_found_by_asking(step: str, state: str) -> None:
    run = lake.call({"start": {"steps": [step]}})["run"]
    item = lake.step(run, step, "RUNNING")
    if step == "scrub":
        # It would run for ever here.
        lake.databrew.stop_job_run(Name=f"{lake.NAME}-{step}", RunId=item["execution"])
    lake.age(item)

    def look() -> bool:
        lake.call({"reconcile": True})
        found = lake.steps(run)[step]
        # A query that the emulator cannot run has failed, and is tried again.
        return found["state"] == state or (state, found["attempt"]) == ("FAILED", 2)

    lake.until(look, f"{step} {state}")
    lake.finish(run)


def test_an_event_that_cannot_be_acted_on_is_kept_and_alarmed() -> None:
    known = {item["run"] for item in lake.runs()}
    with lake.refusing("dynamodb:GetItem"):
        lake.put("lost")
        kept = lake.until(lake.given_up, "what was given up")
    assert {item["run"] for item in lake.runs()} == known
    lake.count_given_up(1)
    assert "ALARM" in lake.told("shop-dev-run-failed")
    # Whoever has mended what was wrong gives the function what was kept.
    lake.call(kept["requestPayload"])
    assert lake.finish(lake.new_run(known))["state"] == "CANCELLED"


def test_a_call_that_cannot_be_meant_is_refused() -> None:
    for payload, why in (
        ({"start": {"pipeline": "no"}}, "no pipeline named `no`"),
        ({"start": {"steps": ["no"]}}, "no step named `no`"),
        ({"cancel": "no"}, "no run named `no`"),
        ({}, "say `start`, `cancel` or `reconcile`, or send an event"),
    ):
        assert lake.call(payload)["errorMessage"] == why


def test_no_role_was_refused_what_it_needed_and_none_may_what_it_did_not_need() -> None:
    refused = [line for line in lake.trail() if not line["allowed"] and not line["action"].startswith("dynamodb:Get")]
    assert refused == []
    asked = {line["action"] for line in lake.trail("shop-dev-pipeline") if line["allowed"]}
    granted = lake.granted("shop-dev-pipeline")
    assert asked - granted == set()
    assert granted - asked <= {
        # A training is over as soon as it is created here, so there is none to look after or to stop.
        "sagemaker:DescribeTrainingJob",
        "sagemaker:StopTrainingJob",
        # Nor is there an evaluation to stop.
        "glue:CancelDataQualityRulesetEvaluationRun",
        # No function was killed between asking a service and writing down what it said.
        "databrew:ListJobRuns",
        "glue:GetJobRuns",
        # The emulator encrypts nothing, and writes logs and puts events into queues itself.
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:SendMessage",
    }


def calls(*them: tuple[str, str, dict[str, Any]]) -> list[tuple[str, str, dict[str, Any]]]:
    return list(them)


TRAINING: dict[str, Any] = {
    "RoleArn": f"arn:aws:iam::{lake.ACCOUNT}:role/shop-dev-model-taste",
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://models/"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}
NAMED = {"TrainingJobName": "shop-dev-taste-1"}
ROLE = f"arn:aws:iam::{lake.ACCOUNT}:role"
UPDATE: dict[str, Any] = {"StackName": "shop-dev-endpoint-taste", "UsePreviousTemplate": True}
LEDGER = {"TableName": f"{lake.NAME}-run-ledger"}
EVERYBODY = calls(
    ("iam", "create_user", {"UserName": "eve"}),
    ("iam", "put_role_policy", {"RoleName": "shop-dev-pipeline", "PolicyName": "more", "PolicyDocument": "{}"}),
    ("s3", "list_buckets", {}),
    ("s3", "delete_bucket", {"Bucket": lake.RAW}),
    ("s3", "put_bucket_policy", {"Bucket": lake.RAW, "Policy": "{}"}),
    ("kms", "schedule_key_deletion", {"KeyId": "alias/shop-dev"}),
    ("lambda", "invoke", {"FunctionName": lake.ADVANCE}),
    ("lambda", "update_function_code", {"FunctionName": lake.ADVANCE, "ZipFile": ""}),
    ("dynamodb", "delete_table", LEDGER),
    ("dynamodb", "scan", LEDGER),
    ("events", "put_events", {"Entries": [{"Source": "eve", "DetailType": "d", "Detail": "{}"}]}),
    ("events", "disable_rule", {"Name": "shop-dev-run-tick"}),
    ("sts", "assume_role", {"RoleArn": f"{ROLE}/shop-dev-model-taste", "RoleSessionName": "eve"}),
    ("cloudformation", "delete_stack", {"StackName": "shop-dev-storage"}),
    ("glue", "start_crawler", {"Name": "shop-prod-landing"}),
    ("glue", "start_job_run", {"JobName": "other-dev-label"}),
    ("glue", "delete_crawler", {"Name": "shop-dev-landing"}),
    ("glue", "delete_table", {"DatabaseName": "shop_dev", "Name": "clean"}),
    ("athena", "start_query_execution", {"QueryString": "select 1", "WorkGroup": "shop-dev"}),
    ("sagemaker", "create_training_job", TRAINING | {"TrainingJobName": "other-1"}),
)
"""What no role but the one that is named may."""
MAY: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
    "shop-dev-pipeline": calls(
        ("glue", "get_crawler", {"Name": "shop-dev-landing"}),
        ("glue", "get_job_runs", {"JobName": "shop-dev-label"}),
        ("databrew", "list_job_runs", {"Name": "shop-dev-scrub"}),
        ("sagemaker", "describe_training_job", {"TrainingJobName": "shop-dev-taste-0"}),
        ("sagemaker", "stop_training_job", {"TrainingJobName": "shop-dev-taste-0"}),
        ("sts", "assume_role", {"RoleArn": f"{ROLE}/shop-dev-query-sums", "RoleSessionName": "probe"}),
    ),
    "shop-dev-query-sums": calls(
        ("athena", "start_query_execution", {"QueryString": "select 1", "WorkGroup": "shop-dev"}),
        ("s3", "get_object", {"Bucket": lake.CURATED, "Key": "clean/a"}),
        ("s3", "put_object", {"Bucket": lake.CURATED, "Key": "totals/a"}),
    ),
    "shop-dev-job-label": calls(
        ("s3", "get_object", {"Bucket": lake.CURATED, "Key": "totals/a"}),
        ("s3", "put_object", {"Bucket": lake.CURATED, "Key": "training/a"}),
    ),
    "shop-dev-crawler-landing": calls(("s3", "get_object", {"Bucket": lake.RAW, "Key": "orders/a"})),
    "shop-dev-recipe-scrub": calls(
        ("s3", "get_object", {"Bucket": lake.RAW, "Key": "orders/a"}),
        ("s3", "put_object", {"Bucket": lake.CURATED, "Key": "clean/a"}),
    ),
    "shop-dev-check-clean": calls(("s3", "get_object", {"Bucket": lake.CURATED, "Key": "clean/a"})),
    "shop-dev-model-taste": calls(("s3", "get_object", {"Bucket": lake.CURATED, "Key": "training/a"})),
    "shop-dev-recipe-publisher": calls(("databrew", "publish_recipe", {"Name": "shop-dev-scrub"})),
    "shop-dev-visual-jobs": calls(("glue", "get_job", {"JobName": "shop-dev-report"})),
    "shop-dev-releaser": calls(
        ("sagemaker", "describe_training_job", {"TrainingJobName": "shop-dev-taste-0"}),
        ("cloudformation", "describe_stacks", {"StackName": "shop-dev-endpoint-taste"}),
        ("cloudwatch", "describe_alarms", {"AlarmNames": ["shop-dev-taste-errors"]}),
    ),
}
"""What a role may, besides what it did above."""
MAY_NOT: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
    "shop-dev-pipeline": calls(
        ("s3", "get_object", {"Bucket": lake.RAW, "Key": "orders/a"}),
        ("dynamodb", "delete_item", LEDGER | {"Key": {"pk": {"S": "LAKE"}, "sk": {"S": "RUNS"}}}),
        ("sagemaker", "create_training_job", TRAINING | NAMED | {"RoleArn": f"{ROLE}/shop-dev-endpoint-taste"}),
    ),
    "shop-dev-query-sums": calls(
        ("s3", "get_object", {"Bucket": lake.RAW, "Key": "orders/a"}),
        ("s3", "put_object", {"Bucket": lake.CURATED, "Key": "clean/a"}),
        ("athena", "stop_query_execution", {"QueryExecutionId": "0" * 36}),
    ),
    "shop-dev-job-label": calls(
        ("s3", "get_object", {"Bucket": lake.RAW, "Key": "orders/a"}),
        ("s3", "put_object", {"Bucket": lake.CURATED, "Key": "totals/a"}),
    ),
    "shop-dev-crawler-landing": calls(
        ("s3", "put_object", {"Bucket": lake.RAW, "Key": "orders/a"}),
        ("s3", "get_object", {"Bucket": lake.CURATED, "Key": "clean/a"}),
    ),
    "shop-dev-recipe-scrub": calls(
        ("s3", "put_object", {"Bucket": lake.RAW, "Key": "orders/a"}),
        ("s3", "put_object", {"Bucket": lake.CURATED, "Key": "totals/a"}),
    ),
    "shop-dev-check-clean": calls(("s3", "put_object", {"Bucket": lake.CURATED, "Key": "clean/a"})),
    "shop-dev-model-taste": calls(("s3", "put_object", {"Bucket": lake.CURATED, "Key": "training/a"})),
    "shop-dev-recipe-publisher": calls(
        ("databrew", "start_job_run", {"Name": "shop-dev-scrub"}),
        ("databrew", "publish_recipe", {"Name": "shop-prod-scrub"}),
    ),
    "shop-dev-visual-jobs": calls(
        ("glue", "get_job", {"JobName": "shop-prod-report"}),
        ("glue", "update_job", {"JobName": "shop-dev-report", "JobUpdate": {"Role": f"{ROLE}/shop-dev-pipeline"}}),
        ("glue", "start_job_run", {"JobName": "shop-dev-report"}),
        ("s3", "put_object", {"Bucket": lake.CURATED, "Key": "report/a"}),
    ),
    "shop-dev-releaser": calls(
        ("cloudformation", "describe_stacks", {"StackName": "shop-dev-storage"}),
        # Without the role of the endpoint, and with that of another lake.
        ("cloudformation", "update_stack", UPDATE),
        ("cloudformation", "update_stack", UPDATE | {"RoleARN": f"{ROLE}/shop-prod-release-taste"}),
        ("cloudwatch", "describe_alarms", {"AlarmNames": ["shop-prod-taste-errors"]}),
    ),
}
"""What a role may not, though it is near to what it may."""


@pytest.mark.parametrize("role", MAY)
def test_a_role_may_what_it_needs_and_nothing_else(role: str) -> None:
    allowed = MAY[role]
    with lake.probe(role) as probe:
        assert [(call, probe(*call)) for call in allowed if not probe(*call)] == []
        forbidden = [call for call in EVERYBODY if call not in allowed] + MAY_NOT[role]
        assert [call for call in forbidden if probe(*call)] == []
