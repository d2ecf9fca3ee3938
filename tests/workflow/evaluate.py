"""Evaluates IAM policies as AWS does, for the elements that lakegen's `access` stack uses.

Usage: evaluate.py table TEMPLATE TABLE: a table of questions in JSON, each with what the answer must be:

- `{"role": R, "sub": S, "assume": true}`: can a workflow whose token has this subject take on the role?
- `{"role": R, "action": A, "resource": ARN, "context": {…}, "allow": true}`: may the role do that?

Usage: evaluate.py within TEMPLATE FOLDER: whether the boundary of the `access` stack lets every role of the lake's
templates in the folder do what its policies say; a boundary too narrow would be found out only by a step that fails.

The logic is that of "Policy evaluation logic" of the IAM user guide for one account: an explicit denial wins, then
some statement must allow, and what no statement speaks of is denied. An operator or element that is not known here is
an error, never a yes.
"""

import fnmatch
import json
import re
import sys
from pathlib import Path
from typing import Any

ACCOUNT = "111122223333"
REGION = "ap-southeast-2"
PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::URLSuffix": "amazonaws.com",
}


def referenced(name: str, template: dict[str, Any]) -> str:
    """What a reference to a resource or a parameter gives; in angle brackets where only AWS knows."""
    name, _, attribute = name.partition(".")
    resource = template["Resources"].get(name, {})
    properties = resource.get("Properties", {})
    match resource.get("Type"):
        case "AWS::IAM::OIDCProvider":
            return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{properties['Url'].removeprefix('https://')}"
        case "AWS::IAM::Role" if attribute and "RoleName" in properties:
            return f"arn:aws:iam::{ACCOUNT}:role/{properties['RoleName']}"
        case "AWS::S3::Bucket" if attribute:
            return f"arn:aws:s3:::{resolved(properties['BucketName'], template)}"
        case "AWS::SQS::Queue" if attribute:
            return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{resolved(properties['QueueName'], template)}"
        case "AWS::SNS::Topic":
            return f"arn:aws:sns:{REGION}:{ACCOUNT}:{properties['TopicName']}"
        case "AWS::KMS::Key":
            return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
    if name.endswith("KeyArn"):
        return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
    return f"<{name}>"


def resolved(value: Any, template: dict[str, Any]) -> Any:
    """The value with its intrinsic functions replaced by what they give."""
    match value:
        case {"Ref": str(name)}:
            return PSEUDO.get(name) or referenced(name, template)
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return referenced(f"{name}.{attribute}", template)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^!}]+)\}", lambda match: resolved({"Ref": match[1]}, template), text)
        case dict():
            return {key: resolved(inner, template) for key, inner in value.items()}
        case list():
            return [resolved(inner, template) for inner in value]
    return value


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def like(text: str, pattern: str) -> bool:
    """`*` for any letters, `?` for one; nothing else has a meaning."""
    escaped = pattern.replace("[", "[[]")
    return fnmatch.fnmatchcase(text, escaped)


OPERATORS = {
    "StringEquals": lambda given, wanted: given == wanted,
    "ArnEquals": like,
    "ArnLike": like,
    "StringLike": like,
}


def holds(conditions: dict[str, dict[str, Any]], context: dict[str, str]) -> bool:
    for operator, tests in conditions.items():
        for key, wanted in tests.items():
            given = context.get(key)
            if given is None and operator.endswith("IfExists"):
                continue
            test = OPERATORS[operator.removesuffix("IfExists")]
            if given is None or not any(test(given, one) for one in listed(wanted)):
                return False
    return True


def applies(statement: dict[str, Any], action: str, resource: str | None, context: dict[str, str]) -> bool:
    known = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    assert statement.keys() <= known, statement.keys() - known
    named = any(like(action.lower(), one.lower()) for one in listed(statement["Action"]))
    there = resource is None or any(like(resource, one) for one in listed(statement["Resource"]))
    return named and there and holds(statement.get("Condition", {}), context)


def decide(statements: list[dict[str, Any]], action: str, resource: str | None, context: dict[str, str]) -> bool:
    speaking = [statement for statement in statements if applies(statement, action, resource, context)]
    effects = {statement["Effect"] for statement in speaking}
    assert effects <= {"Allow", "Deny"}
    return "Deny" not in effects and "Allow" in effects


class Access:
    """A template of an `access` stack."""

    def __init__(self, path: Path) -> None:
        self.template = json.loads(path.read_text())
        self.resources = {
            name: (resource["Type"], resolved(resource["Properties"], self.template))
            for name, resource in self.template["Resources"].items()
        }

    def role(self, name: str) -> dict[str, Any]:
        kind, properties = self.resources[name]
        assert kind == "AWS::IAM::Role"
        return properties

    def statements(self, role: str) -> list[dict[str, Any]]:
        """Of a role, or of a policy by itself."""
        if self.resources[role][0] == "AWS::IAM::ManagedPolicy":
            return self.resources[role][1]["PolicyDocument"]["Statement"]
        documents = [policy["PolicyDocument"] for policy in self.role(role).get("Policies", [])]
        for kind, properties in self.resources.values():
            if kind == "AWS::IAM::ManagedPolicy" and f"<{role}>" in properties.get("Roles", []):
                documents.append(properties["PolicyDocument"])
        return [statement for document in documents for statement in document["Statement"]]

    def assumes(self, role: str, claims: dict[str, str], issuer: str) -> bool:
        trust = self.role(role)["AssumeRolePolicyDocument"]["Statement"]
        vouching = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"
        trusted = [statement for statement in trust if statement["Principal"] == {"Federated": vouching}]
        context = {f"{issuer}:{key}": value for key, value in claims.items()}
        return decide(trusted, "sts:AssumeRoleWithWebIdentity", None, context)

    def answer(self, question: dict[str, Any]) -> bool:
        role = question["role"]
        if "sub" in question:
            issuer = question.get("issuer", "token.actions.githubusercontent.com")
            claims = {"sub": question["sub"], "aud": question.get("aud", "sts.amazonaws.com")}
            return self.assumes(role, claims, issuer)
        return decide(self.statements(role), question["action"], question["resource"], question.get("context", {}))


def within(template: str, folder: str) -> int:
    """Prints what a role of the lake may do and its boundary does not let it."""
    boundary = Access(Path(template)).resources["StepBoundary"][1]["PolicyDocument"]["Statement"]
    asked = wrong = 0
    for path in sorted(Path(folder).glob("*.json")):
        body = json.loads(path.read_text())
        for name, resource in body.get("Resources", {}).items():
            properties = resolved(resource["Properties"], body)
            documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
            if resource["Type"] == "AWS::IAM::ManagedPolicy":
                documents.append(properties["PolicyDocument"])
            if resource["Type"] not in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Role"):
                continue
            for statement in (statement for document in documents for statement in document["Statement"]):
                for action in statement["Action"]:
                    for target in listed(statement["Resource"]):
                        target = target.replace("<AssetBucket>", f"instacart-prod-{ACCOUNT}-{REGION}-assets")
                        asked += 1
                        if not decide(boundary, action, target, {}):
                            wrong += 1
                            print(f"{path.name}: {name}: {action} on {target}")
    assert asked, "roles may do something"
    print(f"{asked} permissions, {wrong} of them beyond the boundary")
    return int(wrong > 0)


def table(template: str, questions_file: str) -> int:
    access = Access(Path(template))
    wrong = 0
    questions = json.loads(Path(questions_file).read_text())
    assert questions, "there are questions"
    for question in questions:
        expected = question["assume"] if "sub" in question else question["allow"]
        if access.answer(question) != expected:
            wrong += 1
            print(f"{'must' if expected else 'must not'} be allowed: {question}")
    print(f"{len(questions)} questions, {wrong} answered wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit({"table": table, "within": within}[sys.argv[1]](*sys.argv[2:]))
