"""How many requests `lakegen serve` answers, and how fast.

`load.py PROJECT [--requests N] [--clients N] [--users N | --customers FILE] [ROUTE…]`: PROJECT is a folder with a lake
that was run locally and is being served. Each client keeps a connection open and asks again as soon as it is answered.
A route is `GET /users/{user}/buy-again`, or `POST /users/{user}/cart/next` followed by a space and the body; `{user}`
stands for a customer, another one each time.

An average customer has bought 65 products, so that is how many a request to `buy-again` scores. Those who have bought
some 500 are few; with their ids in FILE, one a line, only they are asked for:

    lakegen query --env local --format csv --limit 100000 "select user_id from order_products_prior
        group by user_id having count(distinct product_id) between 400 and 600" | tail -n +2 > customers.txt
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROUTES = [
    "GET /users/{user}/buy-again?limit=100",
    "GET /users/{user}/try-next?limit=100",
    'POST /users/{user}/cart/next {"cart": [24852, 13176, 21137]}',
]


class Client:
    """One connection, and what was answered on it."""

    def __init__(self, host: str, port: int, key: str) -> None:
        self.host, self.port, self.key = host, port, key
        self.milliseconds: list[float] = []
        self.statuses: Counter[int] = Counter()

    async def run(self, requests: asyncio.Queue[tuple[str, str, str]]) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        while not requests.empty():
            method, path, body = requests.get_nowait()
            head = f"{method} {path} HTTP/1.1\r\nhost: {self.host}\r\nx-api-key: {self.key}\r\n"
            head += f"content-type: application/json\r\ncontent-length: {len(body.encode())}\r\n\r\n"
            began = time.perf_counter()
            writer.write((head + body).encode())
            status = await self._answer(reader)
            self.milliseconds.append((time.perf_counter() - began) * 1e3)
            self.statuses[status] += 1
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> int:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        length = next(int(line.split(":")[1]) for line in head if line.startswith("content-length:"))
        await reader.readexactly(length)
        return int(head[0].split(" ")[1])


def processor_seconds(root: int) -> float:
    """What a process and all that it started have used so far; on Linux."""
    used, children = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(folder.name))
            used[int(folder.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    family = [root]
    for process in family:
        family += children.get(process, [])
    return sum(used.get(process, 0.0) for process in family)


async def measure(project: Path, route: str, requests: int, clients: int, users: Sequence[int]) -> str:
    local = project / ".lakegen" / "local"
    server = json.loads((local / "serve.json").read_text())
    host, _, port = server["address"].rpartition(":")
    key = (local / "api_key").read_text().strip()
    method, path, body = (*route.split(" ", 2), "")[:3]
    rng = random.Random(2017)

    async def ask(count: int) -> tuple[list[float], Counter[int], float]:
        queue: asyncio.Queue[tuple[str, str, str]] = asyncio.Queue()
        for _ in range(count):
            queue.put_nowait((method, path.replace("{user}", str(rng.choice(users))), body))
        workers = [Client(host, int(port), key) for _ in range(clients)]
        began = time.perf_counter()
        await asyncio.gather(*(worker.run(queue) for worker in workers))
        took = time.perf_counter() - began
        return (
            [ms for worker in workers for ms in worker.milliseconds],
            sum((w.statuses for w in workers), Counter()),
            took,
        )

    await ask(max(20 * clients, 100))  # every process has started, every model is loaded
    before = processor_seconds(server["pid"])
    milliseconds, statuses, took = await ask(requests)
    used = (processor_seconds(server["pid"]) - before) / requests * 1e3
    milliseconds.sort()
    p50, p99 = (milliseconds[min(int(len(milliseconds) * part), len(milliseconds) - 1)] for part in (0.5, 0.99))
    answers = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    speed = f"{requests / took:.0f} | {p50:.1f} ms | {p99:.1f} ms | {used:.1f} ms"
    return f"| `{method} {path}` | {clients} | {speed} | {answers} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("routes", nargs="*", metavar="ROUTE", default=ROUTES)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--customers", type=Path, metavar="FILE")
    args = parser.parse_args()
    users: Sequence[int] = range(1, args.users + 1)
    if args.customers:
        users = [int(line) for line in args.customers.read_text().split()]
    print("| route | clients | requests/s | p50 | p99 | processor time each | answers |\n|---|---|---|---|---|---|---|")
    for route in args.routes:
        print(asyncio.run(measure(args.project, route, args.requests, args.clients, users)), flush=True)


if __name__ == "__main__":
    main()
