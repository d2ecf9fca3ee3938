"""What MiniStack's services leave out of what a pipeline needs of them.

- Athena answers the same `ClientRequestToken` with the same query. Source: `StartQueryExecution` of its API reference.
- A crawl is over soon.
- The root of the account may speak to EventBridge for the services, because none of them tells how work ends.
"""

from typing import Any

from ministack.core.iam_evaluator import caller_arn
from ministack.core.responses import AccountRegionScopedDict
from ministack.services import athena, eventbridge, glue

Answer = tuple[int, dict[str, str], bytes]

tokens = AccountRegionScopedDict()
"""What Athena has answered, by token."""


def register() -> None:
    glue.CRAWLER_RUN_SECONDS = 0.2
    start, put = athena._start_query_execution, eventbridge._put_events

    def start_once(data: dict[str, Any]) -> Answer:
        token = data.get("ClientRequestToken")
        if token not in tokens:
            answer = start(data)
            if token is None or answer[0] != 200:
                return answer
            tokens[token] = answer
        return tokens[token]

    athena._start_query_execution = start_once
    eventbridge._put_events = lambda data, allow_aws_source=False: put(
        data, allow_aws_source or caller_arn().endswith(":root")
    )
