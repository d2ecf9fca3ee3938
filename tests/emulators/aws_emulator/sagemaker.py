"""The part of SageMaker's API that trains; MiniStack has no SageMaker at all.

A training job is over as soon as it is created, and EventBridge is told. Its metrics are what its environment variable
`METRICS` says, a JSON map: the stand-in for a script that would have logged them. Stopping a job that is over does
nothing but tell EventBridge again, as SageMaker now and then does by itself.

Actions and answers: botocore's service model `sagemaker` (2017-07-24).
"""

import json
import time
from typing import Any

from ministack import app
from ministack.core import router
from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region
from ministack.services import eventbridge, s3

Answer = tuple[int, dict[str, str], bytes]

jobs = AccountRegionScopedDict()
"""Training jobs, as they are described, by name."""


def register() -> None:
    router.SERVICE_PATTERNS["sagemaker"] = {"target_prefixes": ["SageMaker."], "host_patterns": [r"sagemaker\."]}
    app.SERVICE_HANDLERS["sagemaker"] = handle


async def handle(_method: str, _path: str, headers: dict, body: bytes, _query: dict) -> Answer:
    action = headers.get("x-amz-target", "").removeprefix("SageMaker.")
    request = json.loads(body or b"{}")
    name = request.get("TrainingJobName")
    match action:
        case "CreateTrainingJob" if name in jobs:
            return error("ResourceInUse", "Training job names must be unique within an AWS account and region")
        case "CreateTrainingJob":
            jobs[name] = job(request)
            tell(jobs[name])
            return answer(200, {"TrainingJobArn": jobs[name]["TrainingJobArn"]})
        case "StopTrainingJob" if name in jobs:
            tell(jobs[name])
            return answer(200, {})
        case "DescribeTrainingJob" if name in jobs:
            return answer(200, jobs[name])
        case "DescribeTrainingJob":
            return error("ValidationException", "Requested resource not found.")
    return answer(501, {"message": f"the emulator has no {action}"})


def job(request: dict[str, Any]) -> dict[str, Any]:
    name, now = request["TrainingJobName"], time.time()
    metrics = json.loads(request.get("Environment", {}).get("METRICS", "{}"))
    output = request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
    return request | {
        "TrainingJobArn": f"arn:aws:sagemaker:{get_region()}:{get_account_id()}:training-job/{name}",
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "CreationTime": now,
        "LastModifiedTime": now,
        "TrainingEndTime": now,
        "ModelArtifacts": {"S3ModelArtifacts": f"{output}/{name}/output/model.tar.gz"},
        "FinalMetricDataList": [
            {"MetricName": metric, "Value": value, "Timestamp": now} for metric, value in metrics.items()
        ],
    }


def tell(job: dict[str, Any]) -> None:
    entry = {
        "Source": "aws.sagemaker",
        "DetailType": "SageMaker Training Job State Change",
        "Detail": json.dumps({"FailureReason": "", **job}),
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def find_model_data(properties: dict[str, Any]) -> None:
    """A model is made only of data that is there."""
    place = properties["PrimaryContainer"]["ModelDataUrl"]
    bucket, _, key = place.removeprefix("s3://").partition("/")
    if key not in s3._buckets.get(bucket, {}).get("objects", {}):
        raise ValueError(f"Could not find model data at {place}.")


def error(code: str, message: str) -> Answer:
    return answer(400, {"__type": code, "message": message})


def answer(status: int, content: dict[str, Any]) -> Answer:
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(content).encode()
