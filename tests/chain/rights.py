"""What roles may, by their policies as they were deployed: an evaluator of its own, which asks nobody."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import boto3

Statement = Mapping[str, Any]
Context = Mapping[str, str]

iam = boto3.client("iam")


def many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def like(pattern: str, value: str) -> bool:
    """IAM's wildcards: `*` is any text, `?` any character."""
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", pattern))
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


#: How the operators that policies here use compare.
OPERATORS = {
    "StringEquals": str.__eq__,
    "StringLike": like,
    "ArnEquals": like,
    "ArnLike": like,
    "Bool": lambda pattern, value: pattern == value.lower(),
}


def holds(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    for operator, tests in conditions.items():
        compare = OPERATORS[operator.removesuffix("IfExists")]
        for key, patterns in tests.items():
            if key not in context:
                if not operator.endswith("IfExists"):
                    return False
            elif not any(compare(pattern, context[key]) for pattern in many(patterns)):
                return False
    return True


def statements(role: str) -> Iterator[Statement]:
    """What the policies of a role say, inline and attached."""
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        yield from parsed(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        yield from parsed(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])


def parsed(document: Any) -> list[Statement]:
    return (json.loads(unquote(document)) if isinstance(document, str) else document)["Statement"]


def service(role: str) -> str:
    """The service that takes on a role; empty when another role does."""
    (trust,) = parsed(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])
    return trust["Principal"].get("Service", "")


def allows(statement: Statement, action: str, resource: str, context: Context) -> bool:
    return (
        action in many(statement["Action"])
        and any(like(pattern, resource) for pattern in many(statement["Resource"]))
        and holds(statement.get("Condition", {}), context)
    )
