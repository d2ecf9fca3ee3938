"""Inline function code with the module `cfnresponse` beside it, as Lambda has it for custom resources."""

import io
import zipfile

from ministack.services.cloudformation import provisioners

CFNRESPONSE = '''
import json
import urllib.request

SUCCESS, FAILED = "SUCCESS", "FAILED"


def send(event, context, responseStatus, responseData, physicalResourceId=None, noEcho=False, reason=None):
    answer = {
        "Status": responseStatus,
        "Reason": reason or "See the details in CloudWatch Log Stream: " + context.log_stream_name,
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": noEcho,
        "Data": responseData,
    }
    body = json.dumps(answer).encode()
    request = urllib.request.Request(event["ResponseURL"], body, {"content-type": ""}, method="PUT")
    urllib.request.urlopen(request).close()
'''


def register() -> None:
    bare = provisioners._zip_inline

    def with_cfnresponse(source: str | None, handler: str, runtime: str = "python3.12") -> bytes | None:
        archive = bare(source, handler, runtime)
        if archive is None or not runtime.startswith("python"):
            return archive
        whole = io.BytesIO(archive)
        with zipfile.ZipFile(whole, "a") as files:
            files.writestr("cfnresponse.py", CFNRESPONSE)
        return whole.getvalue()

    provisioners._zip_inline = with_cfnresponse
