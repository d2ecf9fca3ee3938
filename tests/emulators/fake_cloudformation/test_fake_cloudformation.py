"""Holds the fake to its `README.md`: `python -m unittest discover -s fake_cloudformation -t .` in the folder above."""

import json
import socket
import subprocess
import sys
import unittest
import urllib.request
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

ROOT = Path(__file__).resolve().parent.parent
BUCKET = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "data"}}
JOB = {"Type": "AWS::Glue::Job", "Properties": {"Name": "job", "Role": {"Ref": "Bucket"}}}
QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 1}}


def template(**resources: Any) -> str:
    return json.dumps({"Resources": resources, "Outputs": {"First": {"Value": {"Ref": next(iter(resources))}}}})


class FakeTest(unittest.TestCase):
    def setUp(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        command = [sys.executable, "-m", "fake_cloudformation", str(port)]
        self.server = subprocess.Popen(command, cwd=ROOT)
        self.url = f"http://127.0.0.1:{port}"
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "eu-west-1"}
        self.aws = boto3.client("cloudformation", endpoint_url=self.url, **keys)
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break

    def tearDown(self) -> None:
        self.aws.close()
        self.server.kill()
        self.server.wait()

    def tell(self, path: str, /, **told: Any) -> None:
        request = urllib.request.Request(f"{self.url}/_{path}", json.dumps(told).encode(), method="POST")
        urllib.request.urlopen(request).close()

    def create(self, name: str = "s", body: str | None = None, **more: Any) -> str:
        return self.aws.create_stack(StackName=name, TemplateBody=body or template(Bucket=BUCKET), **more)["StackId"]

    def status(self, name: str = "s") -> str:
        return self.aws.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]

    def settle(self, name: str = "s") -> list[str]:
        """The statuses that a stack goes through until nothing moves any more."""
        seen = [self.status(name)]
        still = 0
        while still < 4:
            now = self.status(name)
            still = still + 1 if now == seen[-1] and not now.endswith("_IN_PROGRESS") else 0
            if now != seen[-1]:
                seen.append(now)
        return seen

    def events(self, name: str = "s") -> list[dict[str, Any]]:
        """Everything that has happened, the earliest first."""
        pages = self.aws.get_paginator("describe_stack_events").paginate(StackName=name)
        return [event for page in pages for event in page["StackEvents"]][::-1]

    def told(self, name: str = "s") -> list[str]:
        return [f"{event['LogicalResourceId']} {event['ResourceStatus']}" for event in self.events(name)]

    def change(self, body: str, name: str = "c", stack: str = "s", **more: Any) -> dict[str, Any]:
        self.aws.create_change_set(StackName=stack, ChangeSetName=name, TemplateBody=body, **more)
        while True:
            found = self.aws.describe_change_set(StackName=stack, ChangeSetName=name)
            if not found["Status"].endswith(("_PENDING", "_IN_PROGRESS")):
                return found

    def execute(self, **more: Any) -> None:
        self.aws.execute_change_set(StackName="s", ChangeSetName="c", **more)

    def update(self, body: str) -> list[str]:
        self.change(body)
        self.execute()
        return self.settle()

    def refused(self, code: str, call: Any, **more: Any) -> str:
        with self.assertRaises(ClientError) as refused:
            call(**more)
        self.assertEqual(refused.exception.response["Error"]["Code"], code)
        return refused.exception.response["Error"]["Message"]

    def test_1_time_is_counted_in_looks(self) -> None:
        self.create()
        self.aws.get_template(StackName="s")
        self.aws.list_stack_resources(StackName="s")
        self.assertEqual(self.status(), "CREATE_IN_PROGRESS")
        self.assertEqual(self.settle()[-1], "CREATE_COMPLETE")
        self.tell("settings", stride=100)
        self.tell("begin", stack="s", operation="update", hold=2)
        seen = [self.status() for _ in range(5)]
        self.assertEqual(seen, ["CREATE_COMPLETE"] + 2 * ["UPDATE_IN_PROGRESS"] + 2 * ["UPDATE_COMPLETE"])

    def test_2_what_is_begun_shows_a_look_later(self) -> None:
        stack = self.create()
        self.settle()
        self.aws.delete_stack(StackName="s")
        self.assertEqual(self.status(stack), "CREATE_COMPLETE")
        self.assertEqual(self.settle(stack), ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"])

    def test_3_events_come_newest_first_in_pages_with_their_token(self) -> None:
        self.create(body=template(Bucket=BUCKET, Queue=QUEUE), ClientRequestToken="mine")
        self.settle()
        page = self.aws.describe_stack_events(StackName="s")
        self.assertEqual(len(page["StackEvents"]), 5)
        self.assertEqual(page["StackEvents"][0]["ResourceStatus"], "CREATE_COMPLETE")
        self.assertEqual({event["ClientRequestToken"] for event in self.events()}, {"mine"})
        once = [event["EventId"] for event in self.events()]
        self.assertEqual(len(once), len(set(once)))
        self.tell("settings", repeat=True)
        again = [event["EventId"] for event in self.events()]
        self.assertGreater(len(again), len(once))
        self.assertEqual(set(again), set(once))

    def test_4_what_is_needed_comes_first(self) -> None:
        self.create(body=template(Job=JOB, Queue=QUEUE, Bucket=BUCKET))
        self.settle()
        told = self.told()
        self.assertLess(told.index("Bucket CREATE_COMPLETE"), told.index("Job CREATE_IN_PROGRESS"))
        self.assertLess(told.index("Queue CREATE_IN_PROGRESS"), told.index("Bucket CREATE_COMPLETE"))
        stack = self.aws.describe_stacks(StackName="s")["Stacks"][0]
        self.assertEqual(stack["Outputs"], [{"OutputKey": "First", "OutputValue": "job"}])

    def test_5_a_creation_that_fails_is_rolled_back(self) -> None:
        self.tell("fail", what="AWS::S3::Bucket", when="create", reason="data already exists")
        self.create(body=template(Bucket=BUCKET, Queue=QUEUE))
        self.assertEqual(self.settle(), ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"])
        reasons = [event.get("ResourceStatusReason") for event in self.events()]
        self.assertLess(reasons.index("data already exists"), reasons.index("Resource creation cancelled"))
        self.assertIn(
            "The following resource(s) failed to create: [Bucket, Queue]. Rollback requested by user.", reasons
        )
        self.tell("fail", what="Queue", when="create", reason="no")
        self.tell("fail", what="Bucket", when="delete", reason="not empty")
        self.create("t", template(Bucket=BUCKET, Queue=QUEUE))
        self.assertEqual(self.settle("t")[-1], "ROLLBACK_FAILED")

    def test_6_an_update_that_fails_leads_back_or_is_stuck(self) -> None:
        self.create(body=template(Queue=QUEUE))
        self.settle()
        other = template(Queue=QUEUE | {"Properties": {"DelaySeconds": 2}}, Bucket=BUCKET)
        self.tell("fail", what="Bucket", when="create", reason="no")
        back = [
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            "UPDATE_ROLLBACK_COMPLETE",
        ]
        self.assertEqual(self.update(other)[-3:], back)
        self.assertEqual(self.aws.get_template(StackName="s")["TemplateBody"]["Resources"], {"Queue": QUEUE})
        self.tell("fail", what="Bucket", when="create", reason="no")
        self.tell("fail", what="Queue", when="rollback", reason="worse", times=2)
        self.assertEqual(self.update(other)[-1], "UPDATE_ROLLBACK_FAILED")
        message = self.refused("ValidationError", self.change, body=other, name="d")
        self.assertIn("is in UPDATE_ROLLBACK_FAILED state and can not be updated", message)
        self.aws.continue_update_rollback(StackName="s")
        self.assertEqual(self.settle()[-1], "UPDATE_ROLLBACK_FAILED")
        self.aws.continue_update_rollback(StackName="s")
        self.assertEqual(self.settle()[-1], "UPDATE_ROLLBACK_COMPLETE")

    def test_7_what_is_gone_is_removed_at_the_end_and_need_not_succeed(self) -> None:
        self.create(body=template(Bucket=BUCKET, Queue=QUEUE))
        self.settle()
        self.tell("fail", what="Queue", when="delete", reason="in use")
        self.assertEqual(
            self.update(template(Bucket=BUCKET))[-2:], ["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"]
        )
        self.assertIn("Queue DELETE_FAILED", self.told())

    def test_8_a_deletion_fails_is_refused_or_leaves_what_is_retained(self) -> None:
        body = template(Bucket=BUCKET, Queue=QUEUE | {"DeletionPolicy": "Retain"})
        stack = self.create(body=body, EnableTerminationProtection=True)
        self.settle()
        self.refused("ValidationError", self.aws.delete_stack, StackName="s")
        self.aws.update_termination_protection(StackName="s", EnableTerminationProtection=False)
        self.tell("fail", what="Bucket", when="delete", reason="The bucket you tried to delete is not empty")
        self.aws.delete_stack(StackName="s")
        self.assertEqual(self.settle()[-1], "DELETE_FAILED")
        self.refused("ValidationError", self.change, body=template(Queue=QUEUE))
        self.aws.delete_stack(StackName="s")
        self.assertEqual(self.settle(stack)[-1], "DELETE_COMPLETE")
        self.assertIn("Queue DELETE_SKIPPED", self.told(stack))
        self.refused("ValidationError", self.aws.describe_stacks, StackName="s")

    def test_9_change_sets(self) -> None:
        self.create()
        self.settle()
        same = self.change(template(Bucket=BUCKET), name="same")
        self.assertEqual(same["Status"], "FAILED")
        self.assertIn("didn't contain changes", same["StatusReason"])
        body = template(Bucket=BUCKET | {"Properties": {"BucketName": "other"}}, Queue=QUEUE)
        changes = [change["ResourceChange"] for change in self.change(body)["Changes"]]
        self.assertEqual(
            [(one["Action"], one.get("Replacement")) for one in changes], [("Modify", "True"), ("Add", None)]
        )
        self.refused("AlreadyExistsException", self.change, body=body)
        self.change(body, name="old")
        self.execute()
        self.settle()
        self.assertEqual(self.aws.list_change_sets(StackName="s")["Summaries"], [])
        self.refused("ChangeSetNotFound", self.aws.execute_change_set, StackName="s", ChangeSetName="old")

    def test_9_a_change_set_of_an_earlier_state_is_obsolete(self) -> None:
        self.create()
        self.settle()
        self.change(template(Queue=QUEUE))
        self.tell("begin", stack="s", operation="update")
        self.settle()
        found = self.aws.describe_change_set(StackName="s", ChangeSetName="c")
        self.assertEqual(found["ExecutionStatus"], "OBSOLETE")
        self.refused("InvalidChangeSetStatus", self.execute)

    def test_10_one_operation_at_a_time(self) -> None:
        self.create()
        message = self.refused("ValidationError", self.change, body=template(Queue=QUEUE))
        self.assertIn("is in CREATE_IN_PROGRESS state and can not be updated", message)
        self.settle()
        self.tell("begin", stack="s", operation="update", token="theirs", hold=3)
        self.refused("ValidationError", self.aws.delete_stack, StackName="s")
        self.settle()
        self.assertEqual(self.events()[-1]["ClientRequestToken"], "theirs")
        self.tell("status", stack="s", status="ROLLBACK_COMPLETE")
        self.refused("ValidationError", self.change, body=template(Queue=QUEUE))

    def test_11_the_same_token_is_the_same_request(self) -> None:
        stack = self.create(ClientRequestToken="a")
        self.assertEqual(self.create(ClientRequestToken="a"), stack)
        self.refused("AlreadyExistsException", self.create, ClientRequestToken="b")
        self.settle()
        self.tell("fail", what="Bucket", when="delete", reason="not empty")
        self.aws.delete_stack(StackName="s", ClientRequestToken="c")
        self.assertEqual(self.settle()[-1], "DELETE_FAILED")
        self.aws.delete_stack(StackName="s", ClientRequestToken="c")
        self.assertEqual(self.settle(), ["DELETE_FAILED"])

    def test_12_templates_have_limits(self) -> None:
        long = template(Queue=QUEUE | {"Metadata": "x" * 51_200})
        self.assertIn("51200", self.refused("ValidationError", self.create, body=long))


if __name__ == "__main__":
    unittest.main()
