"""What MiniStack's services leave out of what a pipeline needs of them.

- Athena answers the same `ClientRequestToken` with the same query. Source: `StartQueryExecution` of its API reference.
- A crawl is over soon, and one that was stopped at once, as `CANCELLED`.
- EventBridge calls functions asynchronously: what fails is tried again, and kept where the function says. Source:
  "Lambda functions as targets" of EventBridge's guide.
- The root of the account may speak to EventBridge for the services, because none of them tells how work ends.
"""

import json
import time
from typing import Any

from ministack.core.iam_evaluator import caller_arn
from ministack.core.responses import AccountRegionScopedDict
from ministack.services import athena, eventbridge, glue, lambda_svc

Answer = tuple[int, dict[str, str], bytes]

tokens = AccountRegionScopedDict()
"""What Athena has answered, by token."""


def register() -> None:
    glue.CRAWLER_RUN_SECONDS = 0.2
    start, stop, put = athena._start_query_execution, glue._stop_crawler, eventbridge._put_events

    def start_once(data: dict[str, Any]) -> Answer:
        token = data.get("ClientRequestToken")
        if token not in tokens:
            answer = start(data)
            if token is None or answer[0] != 200:
                return answer
            tokens[token] = answer
        return tokens[token]

    def stop_crawl(data: dict[str, Any]) -> Answer:
        answer = stop(data)
        if answer[0] == 200:
            began = time.time() - glue.CRAWLER_RUN_SECONDS
            glue._crawlers[data["Name"]] |= {"State": "READY", "LastCrawl": {"Status": "CANCELLED", "StartTime": began}}
        return answer

    def call_function(arn: str, payload: str) -> None:
        function, config, _name = lambda_svc._get_func_record_for_ref(arn)
        if function:
            record = lambda_svc._execution_record_for_config(function, config)
            lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    eventbridge._dispatch_to_lambda = call_function
    athena._start_query_execution, glue._stop_crawler = start_once, stop_crawl
    eventbridge._put_events = lambda data, allow_aws_source=False: put(
        data, allow_aws_source or caller_arn().endswith(":root")
    )
