"""A proxy before an AWS emulator that counts calls and breaks one of them.

    python fault_proxy.py PORT UPSTREAM_PORT

Every call is a line on standard output: its number from 1, and what it asks for (`CreateStack`, `PUT /bucket/key`).
`POST /_fault?at=N&kind=KIND` counts anew and breaks call N; kinds:

    throttle   the emulator is not asked; AWS's answer to too many calls
    error      the emulator is not asked; 500
    lost       the emulator does it; 500
    reset      the emulator does it; the connection is closed without an answer
    truncated  the emulator does it; half of its answer arrives
    slow       the emulator does it; its answer arrives a few bytes at a time
    silent     the emulator does it; no answer ever comes
    twice      the emulator is asked twice; its second answer arrives
    doubled    the emulator does it; each event in its answer is there twice

and some that hold for this and every later call:

    expired    the credentials are no longer good
    skewed     the clock of whoever asks is wrong
    foreign    buckets belong to somebody else
    taken      the names of buckets that are made belong to somebody else
"""

import http.client
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, list[tuple[str, str]], bytes]


class State:
    """What is counted and what breaks."""

    lock = threading.Lock()
    calls = 0
    at = 0
    kind = ""


def error(status: int, code: str, message: str, is_s3: bool) -> Answer:
    inner = f"<Code>{code}</Code><Message>{message}</Message>"
    body = f"<Error>{inner}</Error>" if is_s3 else f"<ErrorResponse><Error>{inner}</Error></ErrorResponse>"
    return status, [("Content-Type", "text/xml")], body.encode()


def refusal(kind: str, method: str, path: str, is_s3: bool) -> Answer | None:
    """What AWS says to a call for as long as something is wrong with whoever asks."""
    makes_bucket = is_s3 and method == "PUT" and "/" not in path.strip("/") and "?" not in path
    match kind:
        case "expired":
            return error(400, "ExpiredToken", "The security token included in the request is expired", is_s3)
        case "skewed" if is_s3:
            message = "The difference between the request time and the current time is too large."
            return error(403, "RequestTimeTooSkewed", message, is_s3)
        case "skewed":
            message = "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z"
            return error(403, "SignatureDoesNotMatch", message, is_s3)
        case "foreign" if is_s3:
            return error(403, "AccessDenied", "Access Denied", is_s3)
        case "taken" if makes_bucket:
            message = (
                "The requested bucket name is not available. The bucket namespace is shared by all users of the system."
            )
            return error(409, "BucketAlreadyExists", message, is_s3)
    return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def handle_any(self) -> None:
        body = self.read_body()
        url = urlsplit(self.path)
        if url.path == "/_fault":
            query = parse_qs(url.query)
            with State.lock:
                State.calls, State.at, State.kind = 0, int(query["at"][0]), query["kind"][0]
            return self.answer((200, [], b""))
        form = parse_qs(body.decode("latin-1")) if self.command == "POST" and url.path == "/" else {}
        what = form["Action"][0] if "Action" in form else f"{self.command} {self.path}"
        with State.lock:
            State.calls += 1
            number, at, kind = State.calls, State.at, State.kind
            print(number, what, flush=True)
        is_s3 = "Action" not in form
        hit = number == at
        if at and number >= at and (no := refusal(kind, self.command, self.path, is_s3)):
            return self.answer(no)
        if hit and kind == "throttle":
            code = "SlowDown" if is_s3 else "Throttling"
            return self.answer(error(503 if is_s3 else 400, code, "Rate exceeded", is_s3))
        if hit and kind == "error":
            return self.answer(error(500, "InternalFailure", "We are sorry", is_s3))
        answered = self.upstream(body)
        if not hit:
            return self.answer(answered)
        match kind:
            case "twice":
                return self.answer(self.upstream(body))
            case "doubled" if what == "DescribeStackEvents":
                status, headers, content = answered
                return self.answer((status, headers, re.sub(rb"(<member>.*?</member>)", rb"\1\1", content, flags=re.S)))
            case "silent":
                time.sleep(600)
                return self.hang_up()
            case "lost":
                return self.answer(error(500, "InternalFailure", "We are sorry", is_s3))
            case "reset":
                return self.hang_up()
            case "truncated":
                self.answer(answered, keep=len(answered[2]) // 2)
                return self.hang_up()
            case "slow":
                return self.answer(answered, pause=0.01)
        return self.answer(answered)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def upstream(self, body: bytes) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", UPSTREAM, timeout=60)
        of_the_hop = ("transfer-encoding", "expect", "connection")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in of_the_hop}
        connection.request(self.command, self.path, body, {**headers, "Content-Length": str(len(body))})
        response = connection.getresponse()
        answer = response.status, response.getheaders(), response.read()
        connection.close()
        return answer

    def answer(self, answer: Answer, keep: int | None = None, pause: float = 0) -> None:
        status, headers, body = answer
        self.send_response_only(status)
        skipped = ("content-length", "transfer-encoding", "connection")
        for name, value in headers:
            if name.lower() not in skipped:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        body = body if keep is None else body[:keep]
        if pause:
            step = max(1, len(body) // 20)
            for start in range(0, len(body), step):
                self.wfile.write(body[start : start + step])
                self.wfile.flush()
                time.sleep(pause)
        else:
            self.wfile.write(body)

    def hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    PORT, UPSTREAM = int(sys.argv[1]), int(sys.argv[2])
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
