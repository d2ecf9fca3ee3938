"""Stacks and what happens to them, one step at a time. Knows nothing of HTTP."""

import json
import re
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

ACCOUNT = "111122223333"
MAX_TEMPLATE = 1_000_000
UNCHANGED = "The submitted information didn't contain changes. Submit different information to create a change set."
CREATE_ONLY = {"BucketName", "TableName", "RoleName", "FunctionName", "Name", "KeySchema"}
"""Properties whose change makes a new resource, of whichever type."""

Template = dict[str, Any]
Steps = Generator[str | None, None, None]
FailedSteps = Generator[str | None, None, list[str]]
PAUSE = "pause"
"""What is given between two steps that no look takes together."""


class Refused(Exception):
    """CloudFormation does not take a request."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> Refused:
    return Refused("ValidationError", message)


@dataclass
class Failure:
    """What is to fail: see `POST /_fail`."""

    what: str
    when: str
    reason: str
    times: int = 1


@dataclass
class Event:
    id: str
    logical: str
    physical: str
    type: str
    status: str
    reason: str
    time: datetime
    token: str


@dataclass
class ChangeSet:
    name: str
    id: str
    template: Template
    parameters: dict[str, str]
    tags: dict[str, str]
    changes: list[dict[str, Any]]
    made_for: int
    """Which state of the stack it was made for."""
    status: str = "CREATE_PENDING"
    execution: str = "UNAVAILABLE"
    reason: str = ""


@dataclass
class Stack:
    name: str
    id: str
    region: str
    created: datetime
    status: str = "REVIEW_IN_PROGRESS"
    reason: str = ""
    updated: datetime | None = None
    template: Template = field(default_factory=lambda: {"Resources": {}})
    parameters: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    physical: dict[str, str] = field(default_factory=dict)
    """Names of the resources that are there, by logical id."""
    protected: bool = False
    policy: str = ""
    events: list[Event] = field(default_factory=list)
    sets: dict[str, ChangeSet] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    token: str = ""
    state: int = 0
    """Counts what has changed the stack."""
    pending: list[str] = field(default_factory=list)
    """What a rollback that failed has not led back."""
    before: "tuple[Template, dict[str, str], dict[str, str]] | None" = None
    """Template, parameters and resources before the update that is under way or has failed."""
    steps: Steps | None = None

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        return self.template["Resources"]

    @property
    def busy(self) -> bool:
        return self.steps is not None


class Engine:
    """All stacks of an account, and what is to fail."""

    def __init__(self) -> None:
        self.stacks: dict[str, Stack] = {}
        """By name."""
        self.deleted: dict[str, Stack] = {}
        """By ARN."""
        self.failures: list[Failure] = []
        self.repeat = False
        self.stride = 1
        self.numbers = 0
        self.now = datetime(2026, 11, 25, 3, tzinfo=UTC)

    # What is asked for.

    def look(self) -> None:
        """Moves everything by one step."""
        self.now += timedelta(milliseconds=250)
        for stack in [*self.stacks.values()]:
            self.step(stack)
            for one in stack.sets.values():
                match one.status:
                    case "CREATE_PENDING":
                        one.status = "CREATE_IN_PROGRESS"
                    case "CREATE_IN_PROGRESS" if one.changes:
                        one.status, one.execution = "CREATE_COMPLETE", "AVAILABLE"
                    case "CREATE_IN_PROGRESS":
                        one.status, one.reason = "FAILED", UNCHANGED
                if one.execution == "AVAILABLE" and one.made_for != stack.state:
                    one.execution = "OBSOLETE"

    def step(self, stack: Stack) -> None:
        for _ in range(self.stride):
            if stack.steps is None:
                return
            match next(stack.steps, "ended"):
                case "ended":
                    stack.steps = None
                    stack.state += 1
                case "pause":
                    return

    def find(self, name: str) -> Stack:
        """By name, or by ARN even when it is deleted."""
        by_id = {stack.id: stack for stack in self.stacks.values()} | self.deleted
        stack = self.stacks.get(name) or by_id.get(name)
        if stack is None:
            raise invalid(f"Stack with id {name} does not exist")
        return stack

    def create(
        self, name: str, region: str, template: Template, parameters: dict[str, str], tags: dict[str, str], token: str
    ) -> Stack:
        if name in self.stacks:
            if token and token in self.stacks[name].tokens:
                return self.stacks[name]
            raise Refused("AlreadyExistsException", f"Stack [{name}] already exists")
        check(template, parameters)
        self.numbers += 1
        arn = f"arn:aws:cloudformation:{region}:{ACCOUNT}:stack/{name}/{self.numbers:032x}"
        stack = self.stacks[name] = Stack(name, arn, region, self.now)
        stack.template, stack.parameters, stack.tags = template, parameters, tags
        self.begin(stack, token, "CREATE_IN_PROGRESS", self.creating(stack), at_once=True)
        return stack

    def change_set(
        self, stack: Stack, name: str, template: Template, parameters: dict[str, str], tags: dict[str, str]
    ) -> ChangeSet:
        self.refuse_when_busy(stack, "updated")
        if name in stack.sets:
            raise Refused("AlreadyExistsException", f"ChangeSet {name} already exists")
        check(template, parameters)
        changes = [*changes_between(stack, template)]
        same = stack.parameters == parameters and stack.tags == tags and stack.template == template
        if not same and not changes:
            changes = [{"Action": "Dynamic"}]
        self.numbers += 1
        arn = f"arn:aws:cloudformation:{stack.region}:{ACCOUNT}:changeSet/{name}/{self.numbers:032x}"
        stack.sets[name] = ChangeSet(name, arn, template, parameters, tags, changes, stack.state)
        return stack.sets[name]

    def set_of(self, name: str, stack: str | None) -> tuple[Stack, ChangeSet]:
        """A change set by its ARN, or by its name and its stack."""
        for owner in [self.find(stack)] if stack else [*self.stacks.values()]:
            for one in owner.sets.values():
                if name in (one.name, one.id):
                    return owner, one
        raise Refused("ChangeSetNotFound", f"ChangeSet [{name}] does not exist")

    def execute(self, stack: Stack, one: ChangeSet, token: str) -> None:
        if self.is_repeated(stack, token):
            return
        if one.execution != "AVAILABLE":
            raise Refused(
                "InvalidChangeSetStatus",
                f"ChangeSet [{one.id}] cannot be executed in its current status of [{one.status}]",
            )
        self.refuse_when_busy(stack, "updated")
        stack.sets.clear()
        self.update(stack, one.template, one.parameters, one.tags, token)

    def update(
        self,
        stack: Stack,
        template: Template,
        parameters: dict[str, str],
        tags: dict[str, str],
        token: str,
        hold: int = 0,
    ) -> None:
        steps = self.updating(stack, template, parameters, tags, hold)
        self.begin(stack, token, "UPDATE_IN_PROGRESS", steps)

    def delete(self, name: str, token: str, hold: int = 0) -> None:
        stack = self.stacks.get(name) or next((s for s in self.stacks.values() if s.id == name), None)
        if stack is None or stack.status == "DELETE_IN_PROGRESS" or self.is_repeated(stack, token):
            return
        if stack.protected:
            raise invalid(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        self.refuse_when_busy(stack, "deleted")
        self.begin(stack, token, "DELETE_IN_PROGRESS", self.deleting(stack, hold))

    def continue_rollback(self, stack: Stack, skipped: Iterable[str], token: str) -> None:
        if self.is_repeated(stack, token):
            return
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not continue rolling back.")
        stack.pending = [id for id in stack.pending if id not in skipped]
        self.begin(stack, token, "UPDATE_ROLLBACK_IN_PROGRESS", self.rolling_back(stack))

    def roll_back(self, stack: Stack, token: str) -> None:
        if self.is_repeated(stack, token):
            return
        if stack.status != "UPDATE_FAILED":
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be rolled back.")
        self.begin(stack, token, "UPDATE_ROLLBACK_IN_PROGRESS", self.rolling_back(stack))

    # What happens then.

    def is_repeated(self, stack: Stack, token: str) -> bool:
        return bool(token) and token in stack.tokens

    def refuse_when_busy(self, stack: Stack, wanted: str) -> None:
        dead = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED"}
        stuck = wanted == "updated" and stack.status in dead | {"DELETE_COMPLETE", "UPDATE_FAILED"}
        if stack.busy or stuck:
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be {wanted}.")

    def begin(self, stack: Stack, token: str, status: str, steps: Steps, at_once: bool = False) -> None:
        stack.tokens |= {token} - {""}
        if at_once:
            stack.token = token
            self.tell_stack(stack, status, "User Initiated")
            stack.steps = steps
        else:
            stack.steps = self.later(stack, token, status, steps)

    def later(self, stack: Stack, token: str, status: str, steps: Steps) -> Steps:
        yield PAUSE
        stack.token = token
        self.tell_stack(stack, status, "User Initiated")
        yield
        yield from steps

    def creating(self, stack: Stack) -> Steps:
        failed = yield from self.making(stack, [*stack.resources], "CREATE")
        if not failed:
            self.tell_stack(stack, "CREATE_COMPLETE")
            return
        self.tell_stack(stack, "ROLLBACK_IN_PROGRESS", f"{sentence(failed, 'create')} Rollback requested by user.")
        yield
        left = yield from self.unmaking(stack, [*stack.physical], honour_retention=False)
        end = ("ROLLBACK_FAILED", sentence(left, "delete")) if left else ("ROLLBACK_COMPLETE", "")
        self.tell_stack(stack, *end)

    def updating(
        self, stack: Stack, template: Template, parameters: dict[str, str], tags: dict[str, str], hold: int
    ) -> Steps:
        for _ in range(hold):
            yield PAUSE
        stack.before = stack.template, stack.parameters, dict(stack.physical)
        old = stack.resources
        stack.template, stack.parameters, stack.tags, stack.updated = template, parameters, tags, self.now
        added = [id for id in stack.resources if id not in old]
        changed = [id for id, resource in stack.resources.items() if id in old and resource != old[id]]
        failed = yield from self.making(stack, changed, "UPDATE")
        if not failed:
            failed = yield from self.making(stack, added, "CREATE")
        if failed:
            self.tell_stack(stack, "UPDATE_ROLLBACK_IN_PROGRESS", sentence(failed, "update"))
            yield
            stack.pending = changed
            yield from self.rolling_back(stack)
            return
        self.tell_stack(stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        yield
        gone = [id for id in old if id not in stack.resources]
        yield from self.unmaking(stack, gone, honour_retention=True, template=stack.before[0])
        stack.before = None
        self.tell_stack(stack, "UPDATE_COMPLETE")

    def rolling_back(self, stack: Stack) -> Steps:
        for id in [*stack.pending]:
            self.tell(stack, id, "UPDATE_IN_PROGRESS")
            yield
            if reason := self.fails(stack, id, "rollback"):
                self.tell(stack, id, "UPDATE_FAILED", reason)
                self.tell_stack(stack, "UPDATE_ROLLBACK_FAILED", sentence([id], "update"))
                return
            self.tell(stack, id, "UPDATE_COMPLETE")
            stack.pending.remove(id)
        self.tell_stack(stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        yield
        if stack.before is not None:
            template, parameters, physical = stack.before
            new = [id for id in stack.physical if id not in physical]
            yield from self.unmaking(stack, new, honour_retention=False)
            stack.template, stack.parameters, stack.before = template, parameters, None
        self.tell_stack(stack, "UPDATE_ROLLBACK_COMPLETE")

    def deleting(self, stack: Stack, hold: int) -> Steps:
        for _ in range(hold):
            yield PAUSE
        left = yield from self.unmaking(stack, [*stack.physical], honour_retention=True)
        if left:
            self.tell_stack(stack, "DELETE_FAILED", sentence(left, "delete"))
            return
        self.tell_stack(stack, "DELETE_COMPLETE")
        del self.stacks[stack.name]
        self.deleted[stack.id] = stack

    def making(self, stack: Stack, ids: list[str], verb: str) -> FailedSteps:
        """Creates or changes resources in the order in which they need each other; gives those that failed."""
        for wave in waves(ids, stack.resources):
            for id in wave:
                self.tell(stack, id, f"{verb}_IN_PROGRESS")
            yield
            failed: list[str] = []
            for id in wave:
                if failed:
                    word = "creation" if verb == "CREATE" else "update"
                    self.tell(stack, id, f"{verb}_FAILED", f"Resource {word} cancelled")
                    failed.append(id)
                elif reason := self.fails(stack, id, verb.lower()):
                    self.tell(stack, id, f"{verb}_FAILED", reason)
                    failed.append(id)
                else:
                    stack.physical[id] = named(stack, id)
                    if verb == "CREATE":
                        self.tell(stack, id, "CREATE_IN_PROGRESS", "Resource creation Initiated")
                    self.tell(stack, id, f"{verb}_COMPLETE")
                yield
            if failed:
                return failed
        return []

    def unmaking(
        self, stack: Stack, ids: list[str], honour_retention: bool, template: Template | None = None
    ) -> FailedSteps:
        """Deletes resources, those that others need last; gives those that are left."""
        left = []
        resources = (template or stack.template)["Resources"]
        for wave in reversed([*waves([id for id in ids if id in stack.physical], resources)]):
            for id in wave:
                if honour_retention and resources.get(id, {}).get("DeletionPolicy", "").startswith("Retain"):
                    self.tell(stack, id, "DELETE_SKIPPED", type=resources[id]["Type"])
                    del stack.physical[id]
                    continue
                self.tell(stack, id, "DELETE_IN_PROGRESS", type=resources[id]["Type"])
                yield
                if reason := self.fails(stack, id, "delete", resources[id]["Type"]):
                    self.tell(stack, id, "DELETE_FAILED", reason, resources[id]["Type"])
                    left.append(id)
                else:
                    self.tell(stack, id, "DELETE_COMPLETE", type=resources[id]["Type"])
                    del stack.physical[id]
            if left:
                break
        return left

    def fails(self, stack: Stack, id: str, when: str, type: str = "") -> str:
        type = type or stack.resources.get(id, {}).get("Type", "")
        for failure in self.failures:
            if failure.when == when and failure.what in (id, type) and failure.times > 0:
                failure.times -= 1
                return failure.reason
        return ""

    def tell(self, stack: Stack, id: str, status: str, reason: str = "", type: str = "") -> None:
        type = type or stack.resources.get(id, {}).get("Type", "")
        self.note(stack, id, stack.physical.get(id, ""), type, status, reason)

    def tell_stack(self, stack: Stack, status: str, reason: str = "") -> None:
        stack.status, stack.reason = status, reason
        self.note(stack, stack.name, stack.id, "AWS::CloudFormation::Stack", status, reason)

    def note(self, stack: Stack, logical: str, physical: str, type: str, status: str, reason: str) -> None:
        self.numbers += 1
        number = f"{logical}-{self.numbers:08x}"
        stack.events.append(Event(number, logical, physical, type, status, reason, self.now, stack.token))

    # What is there.

    def outputs(self, stack: Stack) -> dict[str, str]:
        if stack.status.startswith(("CREATE_IN", "ROLLBACK", "REVIEW")):
            return {}
        outputs = stack.template.get("Outputs", {})
        return {name: value_of(output["Value"], stack) for name, output in outputs.items()}


def check(template: Template, parameters: dict[str, str]) -> None:
    declared = template.get("Parameters", {})
    lacking = [name for name, one in declared.items() if name not in parameters and "Default" not in one]
    if lacking:
        raise invalid(f"Parameters: [{', '.join(lacking)}] must have values")
    if not template.get("Resources"):
        raise invalid("Template format error: At least one Resources member must be defined.")


def parse(text: str) -> Template:
    if len(text.encode()) > MAX_TEMPLATE:
        raise invalid("Template may not exceed 1000000 bytes in size.")
    try:
        return json.loads(text)
    except ValueError as error:
        raise invalid("Template format error: unsupported structure.") from error


def sentence(failed: list[str], verb: str) -> str:
    return f"The following resource(s) failed to {verb}: [{', '.join(failed)}]."


def named(stack: Stack, id: str) -> str:
    """What a resource is called: by one of its properties, or after its stack."""
    properties = stack.resources[id].get("Properties", {})
    own = (properties.get(key) for key in ("BucketName", "TableName", "RoleName", "FunctionName", "Name"))
    name = next((name for name in own if name is not None), None)
    return value_of(name, stack) if name is not None else f"{stack.name}-{id}"


def references(value: Any) -> set[str]:
    """Logical ids, and other names, that a value refers to."""
    match value:
        case {"Ref": str(name)}:
            return {name}
        case {"Fn::GetAtt": [str(name), *_]}:
            return {name}
        case {"Fn::Sub": str(text)} | {"Fn::Sub": [str(text), _]}:
            return {name.partition(".")[0] for name in re.findall(r"\$\{([^}!]+)\}", text)}
        case dict():
            own = value.get("DependsOn", [])
            found = {own} if isinstance(own, str) else {name for name in own if isinstance(name, str)}
            return found.union(*(references(inner) for inner in value.values()))
        case list():
            return set().union(*(references(inner) for inner in value))
    return set()


def waves(ids: list[str], resources: dict[str, Any]) -> Iterable[list[str]]:
    left = [id for id in ids if id in resources]
    needs = {id: references(resources[id]) & set(left) - {id} for id in left}
    while left:
        now = [id for id in left if not needs[id] & set(left)] or left
        yield now
        left = [id for id in left if id not in now]


def value_of(value: Any, stack: Stack) -> str:
    """What CloudFormation's functions come to, as far as outputs and names need them."""
    pseudo: dict[str, Callable[[], str]] = {
        "AWS::AccountId": lambda: ACCOUNT,
        "AWS::Region": lambda: stack.region,
        "AWS::StackName": lambda: stack.name,
        "AWS::StackId": lambda: stack.id,
        "AWS::Partition": lambda: "aws",
        "AWS::URLSuffix": lambda: "amazonaws.com",
    }

    def of(name: str) -> str:
        if name in pseudo:
            return pseudo[name]()
        if name in stack.parameters:
            return stack.parameters[name]
        id, _, attribute = name.partition(".")
        physical = stack.physical.get(id, id)
        return f"arn:aws:fake:{stack.region}:{ACCOUNT}:{physical}/{attribute}" if attribute else physical

    match value:
        case {"Ref": str(name)}:
            return of(name)
        case {"Fn::GetAtt": [str(id), str(attribute)]}:
            return of(f"{id}.{attribute}")
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}!]+)\}", lambda found: of(found[1]), text)
        case {"Fn::Join": [str(by), [*parts]]}:
            return by.join(value_of(part, stack) for part in parts)
        case str():
            return value
    return json.dumps(value)


def changes_between(stack: Stack, template: Template) -> Iterable[dict[str, Any]]:
    old, new = stack.resources, template["Resources"]
    for id, resource in new.items():
        if id not in old:
            yield change("Add", id, resource["Type"])
        elif resource != old[id]:
            before, after = old[id].get("Properties", {}), resource.get("Properties", {})
            names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
            replaced = [name for name in names if name in CREATE_ONLY]
            details = [
                {
                    "Target": {
                        "Attribute": "Properties",
                        "Name": name,
                        "RequiresRecreation": "Always" if name in CREATE_ONLY else "Never",
                    },
                    "Evaluation": "Static",
                    "ChangeSource": "DirectModification",
                }
                for name in names
            ]
            yield change("Modify", id, resource["Type"]) | {
                "PhysicalResourceId": stack.physical.get(id, ""),
                "Replacement": "True" if replaced else "False",
                "Details": details,
            }
    for id, resource in old.items():
        if id not in new:
            yield change("Remove", id, resource["Type"]) | {"PhysicalResourceId": stack.physical.get(id, "")}


def change(action: str, id: str, type: str) -> dict[str, Any]:
    return {"Action": action, "LogicalResourceId": id, "ResourceType": type}
