"""What the function that releases models decides, and what it asks of AWS."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from conftest import function_modules

gate, stack, releases, handler = function_modules("release", "gate", "stack", "releases", "handler")

NOW = datetime(2026, 11, 25, 3, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(days=1), NOW + timedelta(days=1)


def trained(**metrics: float) -> Any:
    return gate.Training("shop-dev-taste-1", NOW, metrics, "s3://models/taste/1/output/model.tar.gz", "image")


def around(**different: Any) -> Any:
    return gate.Surroundings(**({"stack": "UPDATE_COMPLETE", "live": EARLIER} | different))


@pytest.mark.parametrize(
    ("demand", "refusal"),
    [
        ({}, None),
        ({"at_least": 0.4}, None),
        ({"at_least": 0.41}, "`ndcg` is 0.4000, not at least 0.41"),
        ({"at_most": 0.3}, "`ndcg` is 0.4000, not at most 0.3"),
        ({"at_most": 0.4}, None),
        ({"above": ["popularity"]}, None),
        ({"above": ["same"]}, "`ndcg` is 0.4000, not above `same`, 0.4000"),
        ({"below": ["popularity"]}, "`ndcg` is 0.4000, not below `popularity`, 0.1000"),
        ({"above": ["loss"]}, "`ndcg` is 0.4000, not above `loss`, which was not reported"),
        ({"at_least": 0.1, "above": ["popularity", "same"]}, "`ndcg` is 0.4000, not above `same`, 0.4000"),
        ({"at_least": 1}, "`ndcg` is 0.4000, not at least 1"),
    ],
)
def test_the_gate_is_the_one_of_a_local_run(demand: dict[str, Any], refusal: str | None) -> None:
    # 0.4 in single precision, as SageMaker gives it.
    metrics = {"ndcg": 0.4000000059604645, "popularity": 0.1, "same": 0.4}
    assert gate.judge([{"metric": "ndcg"} | demand], metrics) == ([refusal] if refusal else [])


@pytest.mark.parametrize("metrics", [{}, {"ndcg": float("nan")}, {"recall": 1.0}])
def test_a_metric_that_is_missing_or_no_number_meets_no_demand(metrics: dict[str, float]) -> None:
    assert gate.judge([{"metric": "ndcg", "at_least": 0.0}], metrics) == ["`ndcg` was not reported"]


def test_a_metric_at_its_bar_gets_through_in_single_precision() -> None:
    assert gate.judge([{"metric": "auc", "at_least": 0.7}], {"auc": 0.699999988079071}) == []
    assert gate.judge([{"metric": "loss", "at_most": 0.1}], {"loss": 0.10000000149011612}) == []
    assert gate.judge([{"metric": "loss", "at_most": 1e300}], {"loss": float("inf")}) == []


GATES = [{"metric": "auc", "at_least": 0.7}]


@pytest.mark.parametrize(
    ("met", "by_hand", "decision"),
    [
        ({}, False, gate.Release(watched=True)),
        ({"live": None}, False, gate.Release(watched=True)),
        # Told twice, or late.
        ({"ended": "RELEASED"}, False, gate.Drop("its release has ended before: RELEASED")),
        ({"ended": "FAILED"}, False, gate.Drop("its release has ended before: FAILED")),
        ({"live": LATER}, False, gate.Drop("a newer model is live")),
        ({"live": NOW}, False, gate.Drop("a newer model is live")),
        # In the way.
        ({"stack": "UPDATE_IN_PROGRESS"}, False, gate.Wait("the endpoint's stack is in UPDATE_IN_PROGRESS")),
        ({"stack": "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"}, True, None),
        ({"ringing": ("a-errors",)}, False, gate.Wait("`a-errors` rings, and would take the release back at once")),
        # Impossible.
        ({"missing": ("a-errors",)}, False, gate.Fail("no alarm `a-errors`; `lakegen deploy` makes it")),
        ({"stack": None}, False, gate.Fail("the endpoint's stack is not there; `lakegen deploy` makes it")),
        ({"stack": "UPDATE_ROLLBACK_FAILED"}, False, None),
        # Back to an older model, again, while alarms ring.
        ({"live": LATER, "ended": "RELEASED", "ringing": ("a-errors",)}, True, gate.Release(watched=False)),
        ({"missing": ("a-errors",)}, True, gate.Release(watched=False)),
    ],
)
def test_what_is_done_follows_from_what_a_release_meets(met: dict[str, Any], by_hand: bool, decision: Any) -> None:
    decided = gate.decide(GATES, trained(auc=0.8), around(**met), by_hand)
    assert decided == decision or (decision is None and isinstance(decided, gate.Wait | gate.Fail)), decided
    # Whatever else holds, no model gets around its gate.
    refused = gate.decide(GATES, trained(auc=0.6), around(**met), by_hand)
    assert isinstance(refused, gate.Refuse | gate.Drop), refused
    assert by_hand is False or isinstance(refused, gate.Refuse)


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        ([], None),
        ([("UPDATE_IN_PROGRESS", "User Initiated")], None),
        ([("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None), ("UPDATE_IN_PROGRESS", None)], None),
        ([("UPDATE_COMPLETE", None), ("UPDATE_IN_PROGRESS", None)], ("RELEASED", None)),
        ([("UPDATE_ROLLBACK_IN_PROGRESS", "an alarm"), ("UPDATE_IN_PROGRESS", None)], None),
        (
            [
                ("UPDATE_ROLLBACK_COMPLETE", None),
                ("UPDATE_ROLLBACK_IN_PROGRESS", "an alarm"),
                ("UPDATE_IN_PROGRESS", None),
            ],
            ("FAILED", "an alarm"),
        ),
        ([("UPDATE_ROLLBACK_FAILED", "worse"), ("UPDATE_ROLLBACK_IN_PROGRESS", "bad")], ("FAILED", "bad")),
        ([("UPDATE_ROLLBACK_COMPLETE", None)], ("FAILED", "UPDATE_ROLLBACK_COMPLETE")),
    ],
)
def test_an_update_ends_when_its_stack_says_so(states: list[Any], outcome: Any) -> None:
    assert gate.outcome(states) == outcome


MODEL = {
    "stack": "shop-dev-endpoint-taste",
    "role": "shop-dev-release-taste",
    "alarms": ["a-errors"],
    "watch_minutes": 30,
}
ARN = "arn:aws:lambda:eu-west-1:111122223333:function:shop-dev-release"
STACK = "arn:aws:cloudformation:eu-west-1:111122223333:stack/shop-dev-endpoint-taste/1"


PARAMETERS = ("KeyArn", "ModelData", "ModelImage", "TrainingJob", "ReleaseId", "Watched")


def client(service: str) -> Any:
    return boto3.client(service, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")


def described(**parameters: str) -> dict[str, Any]:
    listed = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    found = {"StackName": "s", "StackStatus": "UPDATE_COMPLETE", "CreationTime": NOW, "Parameters": listed}
    return {"Stacks": [found]}


@pytest.mark.parametrize("watched", [True, False])
def test_an_update_changes_what_is_released_and_nothing_else(watched: bool) -> None:
    cloudformation = client("cloudformation")
    alarm = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:a-errors"
    with Stubber(cloudformation) as stub:
        stub.add_response("describe_stacks", described(**dict.fromkeys(PARAMETERS, "x")), {"StackName": MODEL["stack"]})
        asked = {
            "StackName": MODEL["stack"],
            "UsePreviousTemplate": True,
            "Parameters": [
                {"ParameterKey": "KeyArn", "UsePreviousValue": True},
                {"ParameterKey": "ModelData", "ParameterValue": "s3://models/taste/1/output/model.tar.gz"},
                {"ParameterKey": "ModelImage", "ParameterValue": "image"},
                {"ParameterKey": "TrainingJob", "ParameterValue": "shop-dev-taste-1"},
                {"ParameterKey": "ReleaseId", "ParameterValue": "0f67e234"},
                {"ParameterKey": "Watched", "ParameterValue": "yes" if watched else ""},
            ],
            "RoleARN": "arn:aws:iam::111122223333:role/shop-dev-release-taste",
            "RollbackConfiguration": {
                "RollbackTriggers": [{"Arn": alarm, "Type": "AWS::CloudWatch::Alarm"}] if watched else [],
                "MonitoringTimeInMinutes": 30 if watched else 0,
            },
            "ClientRequestToken": "token",
        }
        stub.add_response("update_stack", {"StackId": STACK}, asked)
        stack.Stack(cloudformation, MODEL, ARN).update(trained(), watched, "token")
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("ValidationError", "No updates are to be performed.", stack.Same),
        ("ValidationError", "Stack is in UPDATE_IN_PROGRESS state and can not be updated.", stack.Refused),
        ("AccessDenied", "not authorized to perform: cloudformation:UpdateStack", stack.Refused),
    ],
)
def test_a_no_of_cloudformation_is_told_from_a_trouble(code: str, message: str, expected: type[Exception]) -> None:
    cloudformation = client("cloudformation")
    with Stubber(cloudformation) as stub:
        stub.add_response("describe_stacks", described(), {"StackName": MODEL["stack"]})
        stub.add_client_error("update_stack", code, message)
        with pytest.raises(expected):
            stack.Stack(cloudformation, MODEL, ARN).update(trained(), True, "token")


def event(status: str, token: str, resource: str = "", reason: str | None = None, at: datetime = NOW) -> dict[str, Any]:
    physical = f"arn:{resource}" if resource else STACK
    found = {"StackId": STACK, "StackName": "s", "EventId": "e", "ResourceStatus": status, "ClientRequestToken": token}
    found |= {"LogicalResourceId": resource or "s", "PhysicalResourceId": physical, "Timestamp": at}
    return found | ({"ResourceStatusReason": reason} if reason else {})


def test_only_events_of_the_own_update_count_and_the_first_failure_is_the_cause() -> None:
    cloudformation = client("cloudformation")
    events = [
        event("UPDATE_ROLLBACK_COMPLETE", "mine"),
        event("UPDATE_ROLLBACK_IN_PROGRESS", "mine", reason="The following resource(s) failed to update: [Two, One]."),
        event("UPDATE_FAILED", "mine", "Two", "Resource update cancelled"),
        event("UPDATE_FAILED", "mine", "Second", "a consequence"),
        event("UPDATE_FAILED", "mine", "One", "the container does not answer"),
        event("UPDATE_IN_PROGRESS", "mine"),
        event("UPDATE_COMPLETE", "other"),
        event("UPDATE_IN_PROGRESS", "mine", at=EARLIER),
    ]
    with Stubber(cloudformation) as stub:
        stub.add_response("describe_stack_events", {"StackEvents": events}, {"StackName": MODEL["stack"]})
        states, failure = stack.Stack(cloudformation, MODEL, ARN).states("mine", NOW)
    assert [state for state, _ in states] == [
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_IN_PROGRESS",
    ]
    assert failure == "One: the container does not answer"


def test_a_training_tells_its_last_metrics_its_model_and_its_container() -> None:
    sagemaker = client("sagemaker")
    job = {
        "TrainingJobName": "t",
        "TrainingJobArn": "arn:aws:sagemaker:eu-west-1:111122223333:training-job/t",
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "CreationTime": NOW,
        "ModelArtifacts": {"S3ModelArtifacts": "s3://models/t"},
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {},
        "FinalMetricDataList": [
            {"MetricName": "auc", "Value": 0.9, "Timestamp": LATER},
            {"MetricName": "auc", "Value": 0.1, "Timestamp": NOW},
        ],
    }
    with Stubber(sagemaker) as stub:
        stub.add_response("describe_training_job", job, {"TrainingJobName": "t"})
        assert stack.training(sagemaker, "t") == gate.Training("t", NOW, {"auc": 0.9}, "s3://models/t", "image")
        stub.add_response("describe_training_job", job | {"TrainingJobStatus": "Stopped"}, {"TrainingJobName": "t"})
        assert stack.training(sagemaker, "t") == "Stopped"


def test_alarms_are_there_and_silent_or_not() -> None:
    cloudwatch = client("cloudwatch")
    with Stubber(cloudwatch) as stub:
        found = [{"AlarmName": "a", "StateValue": "ALARM"}, {"AlarmName": "b", "StateValue": "INSUFFICIENT_DATA"}]
        stub.add_response("describe_alarms", {"MetricAlarms": found})
        assert stack.alarms(cloudwatch, {"alarms": ["a", "b", "c"]}) == (("a",), ("c",))


def test_a_training_belongs_to_the_model_whose_name_it_bears_whole() -> None:
    known = {"taste": {"trainings": "shop-dev-taste"}, "taste_new": {"trainings": "shop-dev-taste-new"}}
    assert handler.model_of("shop-dev-taste-0a1b2c", known)[0] == "taste"
    assert handler.model_of("shop-dev-taste-new-0a1b2c", known)[0] == "taste_new"
    assert handler.model_of("shop-dev-tastes-0a1b2c", known) is None


def test_what_waits_comes_back_with_its_age_and_its_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setenv("QUEUE_URL", "q")
    monkeypatch.setenv("WAIT_SECONDS", "60")
    monkeypatch.setattr(handler, "client", lambda _service: SimpleNamespace(send_message=lambda **m: sent.append(m)))

    def wait(_message: Any, _arn: str) -> None:
        raise handler.Later("something")

    monkeypatch.setattr(handler, "release", wait)
    context = SimpleNamespace(invoked_function_arn=ARN)
    record = {"messageId": "first", "attributes": {"SentTimestamp": "1000"}, "body": json.dumps({"training": "t"})}
    handler.handler({"Records": [record]}, context)
    again = {"messageId": "second", "attributes": {"SentTimestamp": "2000"}, "body": sent[0]["MessageBody"]}
    handler.handler({"Records": [again]}, context)
    assert [json.loads(message["MessageBody"]) for message in sent] == [
        {"training": "t", "id": "first", "since": 1000}
    ] * 2
    assert all(message["DelaySeconds"] == 60 for message in sent)
