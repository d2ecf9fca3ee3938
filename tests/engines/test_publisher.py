"""The function that publishes recipes, held to DataBrew's service model by botocore's stubber."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

SOURCE = Path(__file__).parents[2] / "src" / "lower" / "publisher.py"


class Publisher:
    """The loaded module, its stubbed client, and what it answered to CloudFormation."""

    def __init__(self, module: ModuleType, stub: Stubber, answers: list[dict[str, Any]]) -> None:
        self.module, self.stub, self.answers = module, stub, answers

    def ask(self, kind: str, physical: str | None = None) -> dict[str, Any]:
        event: dict[str, Any] = {"RequestType": kind, "ResourceProperties": {"Recipe": "clean"}}
        self.module.handler(event | ({"PhysicalResourceId": physical} if physical else {}), None)
        self.stub.assert_no_pending_responses()
        return self.answers.pop()

    def list(self, *versions: str) -> None:
        found = [{"Name": "clean", "RecipeVersion": version} for version in versions]
        self.stub.add_response("list_recipe_versions", {"Recipes": found}, {"Name": "clean"})

    def delete(self, version: str) -> None:
        asked = {"Name": "clean", "RecipeVersion": version}
        self.stub.add_response("delete_recipe_version", asked, asked)


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    client = boto3.client("databrew", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    answers: list[dict[str, Any]] = []

    def send(_event: Any, _context: Any, status: str, data: Any, physical: str, reason: str | None = None) -> None:
        answers.append({"status": status, "data": data, "physical": physical, "reason": reason})

    monkeypatch.setitem(sys.modules, "cfnresponse", SimpleNamespace(SUCCESS="SUCCESS", FAILED="FAILED", send=send))
    monkeypatch.setattr(boto3, "client", lambda _name: client)
    specification = importlib.util.spec_from_file_location("publisher", SOURCE)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    with Stubber(client) as stub:
        yield Publisher(module, stub, answers)


@pytest.mark.parametrize(("kind", "physical"), [("Create", None), ("Update", "clean:1.0")])
def test_a_recipe_is_published_and_its_version_told(publisher: Publisher, kind: str, physical: str | None) -> None:
    publisher.stub.add_response("publish_recipe", {"Name": "clean"}, {"Name": "clean"})
    publisher.stub.add_response("describe_recipe", {"Name": "clean", "RecipeVersion": "2.0"}, {"Name": "clean"})
    answer = publisher.ask(kind, physical)
    assert answer == {"status": "SUCCESS", "data": {"Version": "2.0"}, "physical": "clean:2.0", "reason": None}


def test_the_cleanup_of_an_update_keeps_the_new_version(publisher: Publisher) -> None:
    publisher.list("10.0", "9.0")
    publisher.delete("9.0")
    assert publisher.ask("Delete", "clean:9.0")["status"] == "SUCCESS"


def test_deleting_leaves_no_version(publisher: Publisher) -> None:
    publisher.list("10.0", "9.0", "2.0")
    for version in ("10.0", "9.0", "2.0"):
        publisher.delete(version)
    assert publisher.ask("Delete", "clean:10.0")["status"] == "SUCCESS"


def test_nothing_is_deleted_of_what_was_never_published(publisher: Publisher) -> None:
    assert publisher.ask("Delete", "clean")["status"] == "SUCCESS"


def test_a_recipe_that_is_gone_is_no_failure(publisher: Publisher) -> None:
    publisher.stub.add_client_error("list_recipe_versions", "ResourceNotFoundException")
    assert publisher.ask("Delete", "clean:1.0")["status"] == "SUCCESS"


def test_a_refusal_is_told_with_the_recipe(publisher: Publisher) -> None:
    publisher.stub.add_client_error("publish_recipe", "ServiceQuotaExceededException", "too many versions")
    answer = publisher.ask("Create")
    assert (answer["status"], answer["physical"]) == ("FAILED", "clean")
    assert answer["reason"].startswith("clean: ") and "too many versions" in answer["reason"]
