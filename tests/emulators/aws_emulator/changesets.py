"""A change set is found by its name, and its name is taken, whether the stack is called by name or by ARN.

MiniStack sees it by the stack's name alone. Source: `StackName` and `AlreadyExistsException` of CreateChangeSet, and
`StackName` of DescribeChangeSet, in the CloudFormation API reference.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ministack.services.cloudformation import handlers

Handler = Callable[[Mapping[str, Any]], Any]


def _by_name(handler: Handler) -> Handler:
    def handle(params: Mapping[str, Any]) -> Any:
        given = params.get("StackName", "")
        stack = given[0] if isinstance(given, list) else given
        if stack.startswith("arn:"):
            params = {**params, "StackName": stack.split("/")[1]}
        return handler(params)

    return handle


def register() -> None:
    for action in ("CreateChangeSet", "DescribeChangeSet"):
        handlers._ACTION_HANDLERS[action] = _by_name(handlers._ACTION_HANDLERS[action])
