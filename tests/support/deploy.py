"""Deploys an assembly as any tool could that reads its manifest: run as `python deploy.py FOLDER`.

Prints how each stack ends.
"""

import json
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

cloudformation, s3 = boto3.client("cloudformation"), boto3.client("s3")


def main(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    if not any(bucket["Name"] == "assets" for bucket in s3.list_buckets()["Buckets"]):
        place = {"LocationConstraint": manifest["region"]}
        s3.create_bucket(Bucket="assets", CreateBucketConfiguration=place)
    for asset in manifest["assets"]:
        s3.upload_file(str(folder / asset["path"]), "assets", asset["path"])
    outputs: dict[tuple[str, str], str] = {}
    for stack in manifest["stacks"]:
        s3.upload_file(str(folder / stack["template"]), "assets", stack["template"])
        ended = deploy(stack, outputs)
        print(stack["name"], ended["StackStatus"])
        outputs |= {(stack["name"], one["OutputKey"]): one["OutputValue"] for one in ended.get("Outputs", [])}


def deploy(stack: dict[str, Any], outputs: dict[tuple[str, str], str]) -> dict[str, Any]:
    """Creates or updates a stack; what CloudFormation says when that has ended."""
    known = describe(stack["name"])
    parameters = [parameter(name, source, outputs, known is not None) for name, source in stack["parameters"].items()]
    request = {
        "StackName": stack["name"],
        "TemplateURL": f"{s3.meta.endpoint_url}/assets/{stack['template']}",
        "Parameters": [given for given in parameters if given],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }
    if role := stack["role"]:
        request["RoleARN"] = outputs[role["stack"], role["output"]]
    try:
        (cloudformation.update_stack if known else cloudformation.create_stack)(**request)
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise
    while (described := describe(stack["name"]) or {})["StackStatus"].endswith("_IN_PROGRESS"):
        continue
    for event in cloudformation.describe_stack_events(StackName=stack["name"])["StackEvents"]:
        if "FAILED" in event["ResourceStatus"]:
            print(event["LogicalResourceId"], event.get("ResourceStatusReason"))
    return described


def parameter(name: str, source: Any, outputs: dict[tuple[str, str], str], known: bool) -> dict[str, Any] | None:
    match source:
        case "asset_bucket":
            return {"ParameterKey": name, "ParameterValue": "assets"}
        case "kept":
            return {"ParameterKey": name, "UsePreviousValue": True} if known else None
        case {"output": output}:
            return {"ParameterKey": name, "ParameterValue": outputs[output["stack"], output["output"]]}
    raise ValueError(f"{name} comes from {source}, of which the manifest's documentation says nothing")


def describe(name: str) -> dict[str, Any] | None:
    try:
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError:
        return None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
