"""What to do next: pure functions over what the ledger knows. Nothing here has a clock or talks to anyone."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

STARTING, RUNNING = "STARTING", "RUNNING"
SUCCEEDED, FAILED, STOPPED, SKIPPED = "SUCCEEDED", "FAILED", "STOPPED", "SKIPPED"
#: How work ends that was done, but whose outcome must not be used: the step has failed, and would again.
BROKEN = "BROKEN"
WAITING, CANCELLING, CANCELLED = "WAITING", "CANCELLING", "CANCELLED"

#: Where a run does not go on from.
ENDS = frozenset({SUCCEEDED, FAILED, CANCELLED})

#: Direct predecessors of each step.
Graph = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Record:
    """What the ledger knows of a step in a run; a step that waits has none."""

    state: str
    attempt: int = 1
    message: str | None = None
    ended: str | None = None
    #: Whether another attempt would fail alike.
    final: bool = False


@dataclass(frozen=True)
class Decision:
    """What is to be done about a run."""

    #: Steps to start, each with its attempt.
    start: tuple[tuple[str, int], ...]
    #: Steps that will never start in this run.
    skip: tuple[str, ...]
    #: What the run's state is.
    state: str
    #: The first failure, if the run has failed.
    message: str | None = None


def dependents(graph: Graph, roots: Collection[str]) -> frozenset[str]:
    """`roots`, as far as the graph knows them, and everything that depends on them."""
    followers: dict[str, list[str]] = {}
    for step, befores in graph.items():
        for before in befores:
            followers.setdefault(before, []).append(step)
    found: set[str] = set()
    pending = [root for root in roots if root in graph]
    while pending:
        step = pending.pop()
        if step not in found:
            found.add(step)
            pending.extend(followers.get(step, ()))
    return frozenset(found)


def decide(
    graph: Graph,
    steps: Collection[str],
    records: Mapping[str, Record],
    *,
    retries: Callable[[str], int],
    limit: int | None = None,
    cancelled: bool = False,
) -> Decision:
    """What follows from the records of a run of `steps`.

    A step is ready when every predecessor that is in the run has succeeded; predecessors outside of the run are as
    fresh as they are. A failed step is tried again as often as `retries` says of it, unless its failure is final. What
    depends on a step that has failed for good, was stopped or is skipped, is skipped. No more than `limit` steps run at
    a time.
    """
    steps = set(steps) & set(graph)
    lost: set[str] = set()
    again: list[tuple[str, int]] = []
    busy = 0
    for step in steps & set(records):
        record = records[step]
        if record.state in (STARTING, RUNNING):
            busy += 1
        elif record.state == FAILED and record.attempt <= retries(step) and not (record.final or cancelled):
            again.append((step, record.attempt + 1))
        elif record.state in (FAILED, STOPPED, SKIPPED):
            lost.add(step)

    waiting = steps - set(records)
    skip = waiting if cancelled else (dependents(graph, lost) & waiting)
    waiting = waiting - skip
    done = {step for step in steps & set(records) if records[step].state == SUCCEEDED}
    ready = [(step, 1) for step in waiting if all(before in done or before not in steps for before in graph[step])]

    start = sorted(again) + sorted(ready)
    if limit is not None:
        start = start[: max(0, limit - busy)]
    if busy or waiting or again:
        return Decision(tuple(start), tuple(sorted(skip)), CANCELLING if cancelled else RUNNING)
    failures = [(records[step].ended or "", step) for step in lost if step in records and records[step].state == FAILED]
    if cancelled:
        return Decision((), tuple(sorted(skip)), CANCELLED)
    if failures:
        _, first = min(failures)
        return Decision((), tuple(sorted(skip)), FAILED, f"{first}: {records[first].message or 'failed'}")
    stopped = sorted(step for step in lost if step in records and records[step].state == STOPPED)
    if stopped:
        return Decision((), tuple(sorted(skip)), CANCELLED, f"{stopped[0]}: stopped")
    return Decision((), tuple(sorted(skip)), SUCCEEDED)


def touch(graph: Graph, one: Collection[str], other: Collection[str]) -> bool:
    """Whether runs of these steps get in each other's way: a step is in both, or one reads what the other writes."""
    one, other = set(one), set(other)
    if one & other:
        return True
    reads = any(before in other for step in one for before in graph.get(step, ()))
    return reads or any(before in one for step in other for before in graph.get(step, ()))


def admit(graph: Graph, active: Iterable[Collection[str]], waiting: Sequence[tuple[str, Collection[str]]]) -> list[str]:
    """Which waiting runs may begin beside the active ones; none overtakes an earlier one that it touches."""
    ahead = [set(steps) for steps in active]
    admitted = []
    for run, steps in waiting:
        if not any(touch(graph, steps, others) for others in ahead):
            admitted.append(run)
        ahead.append(set(steps))
    return admitted
