"""Runs: begun, carried on, ended. Reads the ledger, decides, claims, and asks the services."""

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

from decide import (
    BROKEN,
    CANCELLED,
    CANCELLING,
    ENDS,
    FAILED,
    RUNNING,
    SKIPPED,
    STARTING,
    STOPPED,
    SUCCEEDED,
    WAITING,
    Decision,
    admit,
    decide,
)  # fmt: skip
from events import RESULTS, Crawled, Ended
from ledger import Item, Ledger, Lost, again, age, now, over, record
from plan import Plan
from services import Later, Model, Refused, Service, ask

#: A claim or an execution that is older is looked after. Longer than the function lives, so whoever claimed is gone.
LEASE_SECONDS = 360
#: A function that has less time left starts nothing more; the next one goes on.
MARGIN_SECONDS = 20
#: Starts at a time.
THREADS = 8
#: Runs that begin with one write: a transaction of DynamoDB's has at most 100 items.
MOST_BEGUN = 90
#: Characters of what a service says that the ledger keeps; an item has 400 KB.
MOST_SAID = 4_000


def work(item: Mapping[str, Any]) -> str:
    """What is at work for a step: the service of its kind, and after that the checks of what it has written."""
    return "check" if "check" in item else item["kind"]


class Unknown(Exception):
    """There is no such run, pipeline or step; the text is for people."""


class Runs:
    """All runs of a lake."""

    def __init__(
        self,
        ledger: Ledger,
        plan: Plan,
        services: Mapping[str, Service],
        tell: Callable[[Item], None] | None,
        left: Callable[[], float],
    ):
        self.ledger, self.plan, self.services, self.tell, self.left = ledger, plan, services, tell, left

    # Beginning

    def start(self, pipeline: str | None, steps: list[str] | None, cause: str, token: str | None) -> Item:
        """The run that this start becomes, whenever and however often it is asked for."""
        if pipeline is not None and pipeline not in self.plan.pipelines:
            raise Unknown(f"no pipeline named `{pipeline}`")
        for step in steps or ():
            if step not in self.plan.graph:
                raise Unknown(f"no step named `{step}`")
        token = f"{cause}@{token or uuid4()}"
        run = again(lambda: self._start(pipeline, steps, cause, token))
        if run["state"] == RUNNING:
            self.advance(run["run"])
        return run

    def _start(self, pipeline: str | None, steps: list[str] | None, cause: str, token: str) -> Item:
        known = self.ledger.get("TOKEN", token)
        if known:
            return self.find(known["run"])
        lake = self.ledger.lake()
        for other in map(self.find, lake["waiting"]):
            if pipeline is not None and other.get("pipeline") == pipeline:
                # It had not begun when this start was asked for, so it will see whatever this one is about.
                self.ledger.claim_token(token, other["run"])
                return other
        digest = sha256(token.encode()).hexdigest()[:8]
        run = {"run": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{digest}", "cause": cause, "state": WAITING, "asked": now()}
        run |= {"pipeline": pipeline} if pipeline is not None else {"steps": steps or []}
        if self._admitted(lake, [*map(self.find, lake["waiting"]), run])[-1:] == [run["run"]]:
            run |= {"state": RUNNING, "started": now()}
            lake["active"].append(run["run"])
        else:
            lake["waiting"].append(run["run"])
        self.ledger.write_lake(lake, [self.ledger.put_token(token, run["run"]), self.ledger.put_run(run)])
        return run

    def _admitted(self, lake: Item, waiting: Iterable[Item]) -> list[str]:
        active = [self._steps(self.find(run)) for run in lake["active"]]
        return admit(self.plan.graph, active, [(run["run"], self._steps(run)) for run in waiting])

    def _steps(self, run: Item) -> frozenset[str]:
        return self.plan.chosen(run.get("pipeline"), run.get("steps"))

    def find(self, run: str) -> Item:
        """The item of a run."""
        item = self.ledger.run(run)
        if item is None:
            raise Unknown(f"no run named `{run}`")
        return item

    # Carrying on

    def advance(self, run: str) -> None:
        """Starts what can start in a run, and ends it when all is done; then those go on that waited for it."""
        pending = [run]
        while pending:
            current = self.find(pending.pop())
            if over(current) or current["state"] == WAITING:
                continue
            decision = self._decide(current)
            self._each(lambda step, current=current: self._skip(current, step), decision.skip)
            refused = self._each(lambda start, current=current: self._claim(current, *start), decision.start)
            if decision.state in ENDS:
                pending += self._close(current["run"], decision)
            elif any(refused):
                pending.append(current["run"])

    def _decide(self, run: Item) -> Decision:
        records = {step: record(item) for step, item in self.ledger.steps(run["run"]).items()}
        pipeline = run.get("pipeline")
        return decide(
            self.plan.graph,
            self._steps(run),
            records,
            retries=lambda step: self.plan.retries_of(pipeline, step),
            limit=self.plan.limit_of(pipeline),
            cancelled=run["state"] == CANCELLING,
        )

    def _each(self, act: Callable[[Any], Any], things: Iterable[Any]) -> list[Any]:
        things = list(things)
        if len(things) < 2:
            return [act(thing) for thing in things]
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(act, things))

    def _skip(self, run: Item, step: str) -> None:
        try:
            self.ledger.skip(run["run"], step, self.plan.steps[step]["kind"], SKIPPED)
        except Lost:
            return

    def _claim(self, run: Item, step: str, attempt: int) -> bool:
        """Starts a step if nobody else does; true when it failed at once."""
        if self.left() < MARGIN_SECONDS:
            return False
        planned = self.plan.steps[step]
        statements = len(planned["statements"]) if planned["kind"] == "query" else None
        try:
            item = self.ledger.claim(run["run"], step, planned["kind"], attempt, statements)
        except Lost:
            return False
        return self._begin(item)

    def _begin(self, item: Item) -> bool:
        step, service = self.plan.steps[item["step"]], self.services[work(item)]
        try:
            try:
                if not item.get("prepared") and ask(lambda: service.prepare(step, item)):
                    item = self.ledger.change(item, prepared=True)
                execution = ask(lambda: service.begin(step, item))
            except Later as error:
                say("later", item, message=str(error))
                return False
            except Refused as error:
                self.ledger.change(item, state=FAILED, ended=now(), message=str(error))
                say("refused", item, message=str(error))
                return True
            item = self.ledger.change(item, state=RUNNING, execution=execution)
            say("started", item, execution=execution)
            # An execution may end before it is written down; whoever heard of it has left a note.
            note = self.ledger.ended(work(item), execution)
            if note:
                return self._settle(item, note["state"], note.get("message"))
        except Lost:
            pass
        return False

    # Ends

    def ended(self, end: Ended) -> None:
        """An execution has ended, for the first time or again."""
        if self._settle_known(end):
            # Its start may be on the way into the ledger: the note is for whoever writes it down, unless that has
            # happened meanwhile.
            self.ledger.put_ended(end.kind, end.execution, end.state, end.message)
            self._settle_known(end)

    def _settle_known(self, end: Ended) -> bool:
        """Settles the step whose execution has ended; true when there is none and one that starts may be it."""
        early = False
        for run in self.ledger.lake()["active"]:
            for item in self.ledger.steps(run).values():
                if work(item) != end.kind:
                    continue
                if item["state"] == RUNNING and item["execution"] == end.execution:
                    self._settle(item, end.state, end.message)
                    self.advance(run)
                    return False
                early |= item["state"] == STARTING and self._may_be(item, end)
        return early

    def _may_be(self, item: Item, end: Ended) -> bool:
        step = self.plan.steps.get(item["step"], {})
        if item["kind"] == "model":
            return bool(step) and Model.name(step, item) == end.execution
        return end.name is None or step.get("job") == end.name

    def crawled(self, crawl: Crawled) -> None:
        """Some crawl of a crawler has ended."""
        for run in self.ledger.lake()["active"]:
            for item in self.ledger.steps(run).values():
                if self.plan.steps.get(item["step"], {}).get("crawler") == crawl.crawler:
                    self._look_after(item, lease=0)
                    self.advance(run)

    def _settle(self, item: Item, state: str, message: str | None) -> bool:
        """Writes down how a step's execution has ended; true when the run is to be looked at again."""
        if state == RESULTS:
            step, service = self.plan.steps.get(item["step"]), self.services[work(item)]
            try:
                seen = ask(lambda: service.look(step, item)) if step else None
            except (Later, Refused) as error:
                say("not seen", item, message=str(error))
                return False
            return bool(seen) and self._settle(item, *seen)
        message = "; ".join(filter(None, (item.get("message"), message)))[:MOST_SAID] or None
        try:
            following = self._following(item) if state == SUCCEEDED else {}
            if following:
                changes = {"state": STARTING, "execution": None, "claimed": now(), "message": message, **following}
                return self._begin(self.ledger.change(item, **changes))
            broken, state = (True, FAILED) if state == BROKEN else (None, state)
            self.ledger.change(item, state=state, ended=now(), message=message, broken=broken)
            say("ended", item, outcome=state, message=message)
            return True
        except Lost:
            return False

    def _following(self, item: Item) -> Item:
        """What a step goes on with when a part of it has succeeded; empty when it is done."""
        if item.get("statement", 0) + 1 < item.get("statements", 1):
            return {"statement": item["statement"] + 1}
        check = item.get("check", -1) + 1
        checks = self.plan.steps.get(item["step"], {}).get("checks", ())
        return {"check": check} if check < len(checks) else {}

    def _close(self, run: str, decision: Decision) -> list[str]:
        """Ends a run, and lets the ones in that waited for it; the answer is those."""

        def close() -> list[str]:
            lake, item = self.ledger.lake(), self.find(run)
            if over(item):
                return []
            lake["active"].remove(run)
            if decision.state == FAILED and self.tell:
                lake["untold"].append(run)
            ended = item | {"state": decision.state, "ended": now()}
            ended |= {"message": decision.message} if decision.message else {}
            return self._let_in(lake, [self.ledger.put_run(ended, (RUNNING, CANCELLING))])

        begun = again(close)
        while more := self._let_waiting_in():
            begun += more
        self.tell_all()
        return begun

    def _let_waiting_in(self) -> list[str]:
        """Lets in those for which there was no room in the write that let in others."""

        def let_in() -> list[str]:
            lake = self.ledger.lake()
            return self._let_in(lake, []) if lake["waiting"] else []

        return again(let_in)

    def _let_in(self, lake: Item, writes: list[Mapping[str, Any]]) -> list[str]:
        waiting = {run: self.find(run) for run in lake["waiting"]}
        begun = self._admitted(lake, waiting.values())[:MOST_BEGUN]
        lake["active"] += begun
        lake["waiting"] = [run for run in lake["waiting"] if run not in begun]
        begin = {"state": RUNNING, "started": now()}
        if not (begun or writes):
            return []
        self.ledger.write_lake(lake, writes + [self.ledger.put_run(waiting[run] | begin, (WAITING,)) for run in begun])
        return begun

    def tell_all(self) -> None:
        """Tells about the failures that nobody was told of: twice rather than never."""
        if not self.tell:
            return
        for run in self.ledger.lake()["untold"]:
            self.tell(self.find(run))

            def told(run: str = run) -> None:
                lake = self.ledger.lake()
                if run in lake["untold"]:
                    lake["untold"].remove(run)
                    self.ledger.write_lake(lake)

            again(told)

    def cancel(self, run: str) -> Item:
        """Starts nothing more in a run and stops what is under way."""

        def mark() -> tuple[Item, list[str]]:
            item, lake = self.find(run), self.ledger.lake()
            if over(item) or item["state"] == CANCELLING:
                return item, []
            if item["state"] == WAITING:
                item |= {"state": CANCELLED, "ended": now()}
                lake["waiting"].remove(run)
                return item, self._let_in(lake, [self.ledger.put_run(item, (WAITING,))])
            item |= {"state": CANCELLING}
            self.ledger.write_lake(lake, [self.ledger.put_run(item, (RUNNING,))])
            return item, []

        item, begun = again(mark)
        if item["state"] == CANCELLING:
            self._each(self._stop, [item for item in self.ledger.steps(run).values() if item["state"] == RUNNING])
            self.advance(run)
        for other in begun:
            self.advance(other)
        return self.find(run)

    def _stop(self, item: Item) -> None:
        step = self.plan.steps.get(item["step"])
        if step is None:
            return
        try:
            ask(lambda: self.services[work(item)].stop(step, item))
        except (Later, Refused) as error:
            # It has ended by itself, or the next look will ask again.
            say("not stopped", item, message=str(error))

    # Looking after what events have not told

    def reconcile(self) -> list[str]:
        """Asks the services about what is under way for longer than a lease; answers with the active runs."""
        for run in self.ledger.lake()["active"]:
            cancelling = self.find(run)["state"] == CANCELLING
            items = [item for item in self.ledger.steps(run).values() if item["state"] in (STARTING, RUNNING)]
            if cancelling:
                self._each(self._stop, [item for item in items if item["state"] == RUNNING])
            self._each(lambda item, cancelling=cancelling: self._look_after(item, LEASE_SECONDS, cancelling), items)
            self.advance(run)
        for run in self._let_waiting_in():
            self.advance(run)
        self.tell_all()
        return self.ledger.lake()["active"]

    def _look_after(self, item: Item, lease: float, cancelling: bool = False) -> None:
        step = self.plan.steps.get(item["step"])
        if step is None or age(item["claimed"]) < lease:
            return
        service = self.services[work(item)]
        try:
            if item["state"] == RUNNING:
                seen = ask(lambda: service.look(step, item))
                if seen:
                    self._settle(item, *seen)
            elif item["state"] == STARTING:
                # Whoever renews the claim has it alone.
                item = self.ledger.change(item, claimed=now())
                execution = ask(lambda: service.find(step, item))
                if execution is not None:
                    self.ledger.change(item, state=RUNNING, execution=execution)
                elif cancelling:
                    self.ledger.change(item, state=STOPPED, ended=now())
                else:
                    self._begin(item)
        except (Later, Refused) as error:
            say("not seen", item, message=str(error))
        except Lost:
            return


def say(what: str, item: Item, **more: Any) -> None:
    """One line for the log."""
    about = {key: item[key] for key in ("run", "step", "attempt") if key in item}
    print(json.dumps({"what": what, **about, **{key: value for key, value in more.items() if value is not None}}))
