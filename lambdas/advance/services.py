"""How each service starts a step's work, finds it again, says how it goes, and stops it.

A start may be asked for twice, by a function that was killed and by one that cleans up after it; each service says here
how it then still starts once.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from decide import BROKEN, FAILED, STOPPED, SUCCEEDED
from events import outcome

Item = Mapping[str, Any]
Step = Mapping[str, Any]
#: How an execution has ended, and why; `None` while it goes on.
Sight = tuple[str, str | None] | None

#: Not now, perhaps later: throttling, quotas and troubles of the service's own.
_LATER = frozenset({
    "ConcurrentRunsExceededException",
    "ConflictException",
    "InternalFailure",
    "InternalServerException",
    "InternalServiceException",
    "OperationTimeoutException",
    "ResourceLimitExceeded",
    "ResourceNumberLimitExceededException",
    "ServiceQuotaExceededException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
})  # fmt: skip
#: What SageMaker says when a quota is reached: how much there may be, and how much more was asked for.
_QUOTA = re.compile(r"is (\d+) Instances.* request delta of (\d+) Instances")
#: Clocks differ a little.
_SLACK = timedelta(seconds=2)


class Later(Exception):
    """The service cannot start it now."""


class Refused(Exception):
    """The service will not start it; the text says why."""


class Service(Protocol):
    """What a kind of step can do."""

    def prepare(self, step: Step, item: Item) -> bool:
        """Does what must not happen again once the work may have begun; false when there is nothing of that sort."""

    def begin(self, step: Step, item: Item) -> str:
        """Starts the work; the answer is what the service calls it."""

    def find(self, step: Step, item: Item) -> str | None:
        """Work that an earlier `begin` for the same item has started, if it did and that can be seen."""

    def look(self, step: Step, item: Item) -> Sight:
        """How the work goes."""

    def stop(self, step: Step, item: Item) -> None:
        """Asks for its end."""


def attempt_name(item: Item) -> str:
    """The attempt as a text of its own."""
    return f"{item['run']}/{item['step']}/{item['attempt']}"


def ask(call: Callable[[], Any]) -> Any:
    """Calls a service.

    Raises:
        Later: it, or the way to it, is not in a state to answer.
        Refused: it says no.
    """
    try:
        return call()
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        quota = _QUOTA.search(message)
        if quota and int(quota[2]) > int(quota[1]):
            # Waiting is of no use: the request alone is larger than the quota, which new accounts have at nought.
            raise Refused(f"{code}: {message}"[:500]) from error
        if code in _LATER or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) >= 500:
            raise Later(str(error)) from error
        raise Refused(f"{code}: {message}"[:500]) from error
    except BotoCoreError as error:
        raise Later(str(error)) from error


def _since(item: Item) -> datetime:
    return datetime.fromisoformat(item["started"].replace("Z", "+00:00")) - _SLACK


class _Plain:
    def prepare(self, step: Step, item: Item) -> bool:
        return False


class Crawler(_Plain):
    """Glue runs a crawler once at a time and numbers no crawls: the claimed one began after the claim."""

    def __init__(self, glue: Any):
        self.glue = glue

    def begin(self, step: Step, item: Item) -> str:
        try:
            self.glue.start_crawler(Name=step["crawler"])
        except self.glue.exceptions.CrawlerRunningException as error:
            found = self.find(step, item)
            if found is None:
                raise Later("an earlier crawl is still running") from error
            return found
        return item["started"]

    def find(self, step: Step, item: Item) -> str | None:
        crawler = self.glue.get_crawler(Name=step["crawler"])["Crawler"]
        if crawler["State"] != "READY":
            began = datetime.now(UTC) - timedelta(milliseconds=crawler.get("CrawlElapsedTime", 0))
        else:
            began = crawler.get("LastCrawl", {}).get("StartTime")
        return item["started"] if began is not None and began >= _since(item) else None

    def look(self, step: Step, item: Item) -> Sight:
        crawler = self.glue.get_crawler(Name=step["crawler"])["Crawler"]
        last = crawler.get("LastCrawl", {})
        if crawler["State"] != "READY":
            return None
        if "StartTime" not in last or last["StartTime"] < _since(item):
            # The last crawl is put down a moment after the crawler is ready; one not there long after never was.
            gone = datetime.now(UTC) - _since(item) > timedelta(minutes=15)
            return (FAILED, "the crawl is gone") if gone else None
        ended = outcome(last["Status"])
        return (ended, last.get("ErrorMessage")) if ended else None

    def stop(self, step: Step, item: Item) -> None:
        self.glue.stop_crawler(Name=step["crawler"])


class Job(_Plain):
    """Glue's StartJobRun takes no token, so the run carries the attempt as an argument by which it is found again."""

    ARGUMENT = "--lakegen_attempt"

    def __init__(self, glue: Any):
        self.glue = glue

    def begin(self, step: Step, item: Item) -> str:
        arguments = {self.ARGUMENT: attempt_name(item)}
        return self.glue.start_job_run(JobName=step["job"], Arguments=arguments)["JobRunId"]

    def find(self, step: Step, item: Item) -> str | None:
        for page in self.glue.get_paginator("get_job_runs").paginate(JobName=step["job"]):
            for run in page["JobRuns"]:
                if run["StartedOn"] < _since(item):
                    return None
                if run.get("Arguments", {}).get(self.ARGUMENT) == attempt_name(item):
                    return run["Id"]
        return None

    def look(self, step: Step, item: Item) -> Sight:
        run = self.glue.get_job_run(JobName=step["job"], RunId=item["execution"])["JobRun"]
        ended = outcome(run["JobRunState"])
        return (ended, run.get("ErrorMessage")) if ended else None

    def stop(self, step: Step, item: Item) -> None:
        self.glue.batch_stop_job_run(JobName=step["job"], JobRunIds=[item["execution"]])


class Recipe(_Plain):
    """DataBrew's StartJobRun takes neither token nor argument: a run that began after the claim is the claimed one."""

    def __init__(self, databrew: Any):
        self.databrew = databrew

    def begin(self, step: Step, item: Item) -> str:
        return self.databrew.start_job_run(Name=step["job"])["RunId"]

    def find(self, step: Step, item: Item) -> str | None:
        runs = self.databrew.list_job_runs(Name=step["job"], MaxResults=20)["JobRuns"]
        ours = [run for run in runs if run.get("StartedOn") and run["StartedOn"] >= _since(item)]
        return min(ours, key=lambda run: run["StartedOn"])["RunId"] if ours else None

    def look(self, step: Step, item: Item) -> Sight:
        run = self.databrew.describe_job_run(Name=step["job"], RunId=item["execution"])
        ended = outcome(run["State"])
        return (ended, run.get("ErrorMessage")) if ended else None

    def stop(self, step: Step, item: Item) -> None:
        self.databrew.stop_job_run(Name=step["job"], RunId=item["execution"])


class Query:
    """Athena knows a query again by its ClientRequestToken. It does what its caller may do, so the caller takes on the
    query's own role."""

    def __init__(self, athena: Any, assume: Callable[[Step, Item], boto3.Session]):
        self.athena, self.assume = athena, assume

    def prepare(self, step: Step, item: Item) -> bool:
        """Empties the places that the statements write, which must be empty."""
        if item["statement"] or not step["clear"]:
            return False
        s3 = self.assume(step, item).client("s3")
        for place in step["clear"]:
            for keys in _keys(s3, place["bucket"], place["prefix"]):
                answer = s3.delete_objects(Bucket=place["bucket"], Delete={"Objects": keys, "Quiet": True})
                for error in answer.get("Errors", ()):
                    raise Refused(f"cannot clear s3://{place['bucket']}/{error['Key']}: {error['Code']}")
        return True

    def begin(self, step: Step, item: Item) -> str:
        token = sha256(f"{attempt_name(item)}/{item['statement']}".encode()).hexdigest()
        query = self.assume(step, item).client("athena").start_query_execution(
            QueryString=step["statements"][item["statement"]],
            ClientRequestToken=token,
            QueryExecutionContext={"Database": step["database"]},
            WorkGroup=step["workgroup"],
        )  # fmt: skip
        return query["QueryExecutionId"]

    def find(self, step: Step, item: Item) -> str | None:
        return None

    def look(self, step: Step, item: Item) -> Sight:
        status = self.athena.get_query_execution(QueryExecutionId=item["execution"])["QueryExecution"]["Status"]
        ended = outcome(status["State"])
        return (ended, status.get("StateChangeReason")) if ended else None

    def stop(self, step: Step, item: Item) -> None:
        self.athena.stop_query_execution(QueryExecutionId=item["execution"])


class Model(_Plain):
    """SageMaker takes a training job's name once, and the name follows from the attempt."""

    def __init__(self, sagemaker: Any):
        self.sagemaker = sagemaker

    @staticmethod
    def name(step: Step, item: Item) -> str:
        return f"{step['prefix']}-{sha256(attempt_name(item).encode()).hexdigest()[:15]}"

    def begin(self, step: Step, item: Item) -> str:
        name = self.name(step, item)
        try:
            self.sagemaker.create_training_job(TrainingJobName=name, **step["request"])
        except self.sagemaker.exceptions.ResourceInUse:
            return name
        return name

    def find(self, step: Step, item: Item) -> str | None:
        return None

    def look(self, step: Step, item: Item) -> Sight:
        job = self.sagemaker.describe_training_job(TrainingJobName=item["execution"])
        ended = outcome(job["TrainingJobStatus"])
        return (ended, job.get("FailureReason")) if ended else None

    def stop(self, step: Step, item: Item) -> None:
        self.sagemaker.stop_training_job(TrainingJobName=item["execution"])


class Check(_Plain):
    """Glue evaluates the rules of a table; the same ClientToken is the same evaluation."""

    def __init__(self, glue: Any):
        self.glue = glue

    def begin(self, step: Step, item: Item) -> str:
        token = sha256(f"{attempt_name(item)}/check/{item['check']}".encode()).hexdigest()
        request = step["checks"][item["check"]]["request"]
        return self.glue.start_data_quality_ruleset_evaluation_run(ClientToken=token, **request)["RunId"]

    def find(self, step: Step, item: Item) -> str | None:
        return None

    def look(self, step: Step, item: Item) -> Sight:
        check = step["checks"][item["check"]]
        run = self.glue.get_data_quality_ruleset_evaluation_run(RunId=item["execution"])
        results = [self.glue.get_data_quality_result(ResultId=result) for result in run.get("ResultIds", ())]
        ended = outcome(run["Status"])
        if results:
            broken = [rule for result in results for rule in result["RuleResults"] if rule["Result"] != "PASS"]
            return verdict(check, broken)
        if ended == FAILED and not check["fails"]:
            return SUCCEEDED, f"the rules of `{check['table']}` were not evaluated: {run.get('ErrorString', '')}"
        return (ended, run.get("ErrorString")) if ended in (FAILED, STOPPED) else None

    def stop(self, step: Step, item: Item) -> None:
        self.glue.cancel_data_quality_ruleset_evaluation_run(RunId=item["execution"])


def verdict(check: Mapping[str, Any], broken: Sequence[Mapping[str, Any]]) -> tuple[str, str | None]:
    """What follows from the rules of a table that do not hold."""
    if not broken:
        return SUCCEEDED, None
    rules = [f"`{rule.get('Description') or rule['Name']}`: {rule.get('EvaluationMessage', 'no')}" for rule in broken]
    message = f"table `{check['table']}` breaks {'a rule' if len(rules) == 1 else 'rules'}: {', '.join(rules)}"
    return BROKEN if check["fails"] else SUCCEEDED, message[:2000]


def _keys(s3: Any, bucket: str, prefix: str) -> Iterator[list[dict[str, str]]]:
    """The keys under a prefix, as many at a time as can be deleted at once."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        if page.get("Contents"):
            yield [{"Key": entry["Key"]} for entry in page["Contents"]]


def assume(step: Step, item: Item) -> boto3.Session:
    """A session in the role of a step."""
    who = boto3.client("sts").assume_role(RoleArn=step["role"], RoleSessionName=f"{item['run']}-{item['attempt']}")
    keys = who["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def services() -> dict[str, Service]:
    """The services of this account and region, by the kind of step."""
    glue, athena = boto3.client("glue"), boto3.client("athena")
    return {
        "crawler": Crawler(glue),
        "job": Job(glue),
        "recipe": Recipe(boto3.client("databrew")),
        "query": Query(athena, assume),
        "model": Model(boto3.client("sagemaker")),
        "check": Check(glue),
    }
