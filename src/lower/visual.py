"""Registers the nodes of a visual job in Glue Studio: CloudFormation writes jobs, but not their nodes."""

import json

import boto3
import cfnresponse

glue = boto3.client("glue")


def handler(event, context):
    properties = event["ResourceProperties"]
    job = properties["Job"]
    try:
        # The nodes go with their job.
        if event["RequestType"] != "Delete":
            register(job, json.loads(properties["Nodes"]), properties["Script"])
        cfnresponse.send(event, context, cfnresponse.SUCCESS, {}, job)
    except Exception as error:
        cfnresponse.send(event, context, cfnresponse.FAILED, {}, job, reason=f"{job}: {error}")


def register(name, nodes, script):
    """Glue writes the script that it makes of the nodes to `script`; the job then gets its own one back."""
    job = glue.get_job(JobName=name)["Job"]
    members = glue.meta.service_model.shape_for("JobUpdate").members
    update = {key: value for key, value in job.items() if key in members}
    update.pop("AllocatedCapacity", None)
    update.pop("CodeGenConfigurationNodes", None)
    if "WorkerType" in update:
        update.pop("MaxCapacity", None)
    update["JobMode"] = "VISUAL"
    studio = update | {"CodeGenConfigurationNodes": nodes, "Command": update["Command"] | {"ScriptLocation": script}}
    glue.update_job(JobName=name, JobUpdate=studio)
    glue.update_job(JobName=name, JobUpdate=update)
