"""The fake over HTTP: AWS's query protocol (form in, XML out), and JSON to `/_…` to tell it what to do.

Actions and shapes: botocore's service model `cloudformation` (2010-05-15).
"""

import json
import sys
import threading
import urllib.request
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from fake_cloudformation import engine
from fake_cloudformation.engine import ChangeSet, Engine, Event, Failure, Refused, Stack, invalid

PAGE = 5
MAX_BODY = 51_200

Form = dict[str, str]


class Service:
    """Requests, one at a time."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.lock = threading.Lock()

    def answer(self, form: Form, region: str) -> dict[str, Any]:
        action = form.get("Action", "")
        with self.lock:
            if action in ("DescribeStacks", "DescribeStackEvents", "DescribeChangeSet"):
                self.engine.look()
            handler = getattr(self, f"do_{action}", None)
            if handler is None:
                raise Refused("InvalidAction", f"the fake has no {action}")
            return handler(form, region)

    def tell(self, path: str, told: dict[str, Any]) -> None:
        with self.lock:
            match path:
                case "/_fail":
                    self.engine.failures.append(Failure(**told))
                case "/_settings":
                    self.engine.repeat = told.get("repeat", self.engine.repeat)
                    self.engine.stride = told.get("stride", self.engine.stride)
                case "/_status":
                    self.engine.tell_stack(self.engine.find(told["stack"]), told["status"])
                case "/_begin":
                    stack, token, hold = self.engine.find(told["stack"]), told.get("token", ""), told.get("hold", 0)
                    if told["operation"] == "delete":
                        self.engine.delete(stack.name, token, hold)
                    else:
                        self.engine.update(stack, stack.template, stack.parameters, stack.tags, token, hold)

    def do_CreateStack(self, form: Form, region: str) -> dict[str, Any]:
        parameters, tags = pairs(form, "Parameters", "Parameter"), pairs(form, "Tags", "")
        token = form.get("ClientRequestToken", "")
        stack = self.engine.create(form["StackName"], region, template(form), parameters, tags, token)
        stack.protected = form.get("EnableTerminationProtection") == "true"
        stack.policy = form.get("StackPolicyBody", "")
        return {"StackId": stack.id}

    def do_DescribeStacks(self, form: Form, _region: str) -> dict[str, Any]:
        name = form.get("StackName")
        stacks = [self.engine.find(name)] if name else [*self.engine.stacks.values()]
        return {"Stacks": [self.described(stack) for stack in stacks]}

    def described(self, stack: Stack) -> dict[str, Any]:
        outputs = self.engine.outputs(stack).items()
        return {
            "StackId": stack.id,
            "StackName": stack.name,
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason or None,
            "CreationTime": stack.created,
            "LastUpdatedTime": stack.updated,
            "EnableTerminationProtection": stack.protected,
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in stack.parameters.items()],
            "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs],
            "Tags": [{"Key": key, "Value": value} for key, value in stack.tags.items()],
        }

    def do_DescribeStackEvents(self, form: Form, _region: str) -> dict[str, Any]:
        stack = self.engine.find(form["StackName"])
        newest = [*reversed(stack.events)]
        token = form.get("NextToken")
        # A token names an event, so that events which are added meanwhile do not move the pages.
        start = next((n for n, event in enumerate(newest) if event.id == token), 0)
        page, rest = newest[start : start + PAGE], newest[start + PAGE :]
        following = page[-1] if self.engine.repeat and rest else next(iter(rest), None)
        return {
            "StackEvents": [self.event(stack, event) for event in page],
            "NextToken": following.id if following else None,
        }

    def event(self, stack: Stack, event: Event) -> dict[str, Any]:
        return {
            "StackId": stack.id,
            "StackName": stack.name,
            "EventId": event.id,
            "LogicalResourceId": event.logical,
            "PhysicalResourceId": event.physical,
            "ResourceType": event.type,
            "ResourceStatus": event.status,
            "ResourceStatusReason": event.reason or None,
            "Timestamp": event.time.replace(microsecond=0),
            "ClientRequestToken": event.token or None,
        }

    def do_CreateChangeSet(self, form: Form, _region: str) -> dict[str, Any]:
        stack = self.engine.find(form["StackName"])
        parameters = {
            key: stack.parameters[key] if value is None else value
            for key, value in pairs(form, "Parameters", "Parameter").items()
        }
        made = self.engine.change_set(stack, form["ChangeSetName"], template(form), parameters, pairs(form, "Tags", ""))
        return {"Id": made.id, "StackId": stack.id}

    def do_DescribeChangeSet(self, form: Form, _region: str) -> dict[str, Any]:
        stack, made = self.found(form)
        changes = [
            {"Type": "Resource", "ResourceChange": change} for change in made.changes if change["Action"] != "Dynamic"
        ]
        return {
            "ChangeSetName": made.name,
            "ChangeSetId": made.id,
            "StackId": stack.id,
            "StackName": stack.name,
            "Status": made.status,
            "StatusReason": made.reason or None,
            "ExecutionStatus": made.execution,
            "Changes": changes,
        }

    def found(self, form: Form) -> tuple[Stack, ChangeSet]:
        return self.engine.set_of(form["ChangeSetName"], form.get("StackName"))

    def do_ExecuteChangeSet(self, form: Form, _region: str) -> dict[str, Any]:
        token = form.get("ClientRequestToken", "")
        self.engine.execute(*self.found(form), token)
        return {}

    def do_DeleteChangeSet(self, form: Form, _region: str) -> dict[str, Any]:
        stack, made = self.found(form)
        del stack.sets[made.name]
        return {}

    def do_ListChangeSets(self, form: Form, _region: str) -> dict[str, Any]:
        stack = self.engine.find(form["StackName"])
        return {"Summaries": [{"ChangeSetName": made.name, "Status": made.status} for made in stack.sets.values()]}

    def do_DeleteStack(self, form: Form, _region: str) -> dict[str, Any]:
        self.engine.delete(form["StackName"], form.get("ClientRequestToken", ""))
        return {}

    def do_ContinueUpdateRollback(self, form: Form, _region: str) -> dict[str, Any]:
        skipped = members(form, "ResourcesToSkip")
        token = form.get("ClientRequestToken", "")
        self.engine.continue_rollback(self.engine.find(form["StackName"]), skipped, token)
        return {}

    def do_RollbackStack(self, form: Form, _region: str) -> dict[str, Any]:
        stack = self.engine.find(form["StackName"])
        self.engine.roll_back(stack, form.get("ClientRequestToken", ""))
        return {"StackId": stack.id}

    def do_GetTemplate(self, form: Form, _region: str) -> dict[str, Any]:
        return {"TemplateBody": json.dumps(self.engine.find(form["StackName"]).template)}

    def do_SetStackPolicy(self, form: Form, _region: str) -> dict[str, Any]:
        self.engine.find(form["StackName"]).policy = form["StackPolicyBody"]
        return {}

    def do_GetStackPolicy(self, form: Form, _region: str) -> dict[str, Any]:
        return {"StackPolicyBody": self.engine.find(form["StackName"]).policy or None}

    def do_UpdateTerminationProtection(self, form: Form, _region: str) -> dict[str, Any]:
        stack = self.engine.find(form["StackName"])
        stack.protected = form["EnableTerminationProtection"] == "true"
        return {"StackId": stack.id}

    def do_ListStackResources(self, form: Form, _region: str) -> dict[str, Any]:
        stack = self.engine.find(form["StackName"])
        summaries = [
            {
                "LogicalResourceId": id,
                "PhysicalResourceId": physical,
                "ResourceType": stack.resources[id]["Type"],
                "ResourceStatus": "CREATE_COMPLETE",
                "LastUpdatedTimestamp": stack.created,
            }
            for id, physical in stack.physical.items()
        ]
        return {"StackResourceSummaries": summaries}


def members(form: Form, name: str) -> list[str]:
    found = []
    while (value := form.get(f"{name}.member.{len(found) + 1}")) is not None:
        found.append(value)
    return found


def pairs(form: Form, name: str, prefix: str) -> dict[str, Any]:
    """A list of keys and values; nothing for a value that is to stay as it is."""
    found: dict[str, Any] = {}
    while (key := form.get(f"{name}.member.{len(found) + 1}.{prefix}Key")) is not None:
        found[key] = form.get(f"{name}.member.{len(found) + 1}.{prefix}Value")
    return found


def template(form: Form) -> engine.Template:
    if (body := form.get("TemplateBody")) is not None:
        if len(body.encode()) > MAX_BODY:
            where, must = "at 'templateBody' failed to satisfy constraint", "have length less than or equal to 51200"
            raise invalid(f"1 validation error detected: Value {where}: Member must {must}")
        return engine.parse(body)
    try:
        with urllib.request.urlopen(form["TemplateURL"]) as answer:
            return engine.parse(answer.read().decode())
    except OSError as error:
        raise invalid(f"S3 error: Access Denied {error}") from error


def xml(value: Any) -> str:
    match value:
        case dict():
            return "".join(f"<{key}>{xml(inner)}</{key}>" for key, inner in value.items() if inner is not None)
        case list():
            return "".join(f"<member>{xml(inner)}</member>" for inner in value)
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
    return escape(str(value))


SERVICE = Service()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path.startswith("/_"):
            SERVICE.tell(self.path, json.loads(body))
            return self.send(200, "")
        form = {key: values[0] for key, values in parse_qs(body, keep_blank_values=True).items()}
        action = form.get("Action", "")
        try:
            result = SERVICE.answer(form, self.region())
        except Refused as refused:
            error = {"Type": "Sender", "Code": refused.code, "Message": str(refused)}
            return self.send(400, f"<ErrorResponse>{xml({'Error': error, 'RequestId': 'fake'})}</ErrorResponse>")
        inner = {f"{action}Result": result, "ResponseMetadata": {"RequestId": "fake"}}
        return self.send(200, f"<{action}Response>{xml(inner)}</{action}Response>")

    def region(self) -> str:
        """As the signature's scope says: `Credential=KEY/DATE/REGION/cloudformation/aws4_request`."""
        scope = self.headers.get("Authorization", "").partition("Credential=")[2].split("/")
        return scope[2] if len(scope) > 2 else "us-east-1"

    def send(self, status: int, text: str) -> None:
        content = text.encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
