"""What the function that advances runs decides, and how it reads events and verdicts."""

from __future__ import annotations

import itertools
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from conftest import function_modules

decide, events, services = function_modules("advance", "decide", "events", "services")

#: raw feeds a and b (fan-out), both feed c (fan-in), c feeds d; e stands alone.
GRAPH = {"raw": (), "a": ("raw",), "b": ("raw",), "c": ("a", "b"), "d": ("c",), "e": ()}


def records(**states: str | tuple[str, int]) -> dict[str, Any]:
    """Records of steps: a state, or a state and the attempt."""
    pairs = {step: state if isinstance(state, tuple) else (state, 1) for step, state in states.items()}
    return {step: decide.Record(state, attempt) for step, (state, attempt) in pairs.items()}


OK, RUNS, STARTS, FAILED, STOPPED, SKIPPED = "SUCCEEDED", "RUNNING", "STARTING", "FAILED", "STOPPED", "SKIPPED"


@pytest.mark.parametrize(
    ("why", "known", "start", "skip", "state"),
    [
        ("nothing has begun", {}, [("e", 1), ("raw", 1)], [], RUNS),
        ("fan-out", {"raw": OK, "e": OK}, [("a", 1), ("b", 1)], [], RUNS),
        ("fan-in waits for all", {"raw": OK, "e": OK, "a": OK, "b": RUNS}, [], [], RUNS),
        ("fan-in", {"raw": OK, "e": OK, "a": OK, "b": OK}, [("c", 1)], [], RUNS),
        ("a claim counts as under way", {"raw": STARTS, "e": STARTS}, [], [], RUNS),
        ("an end that was told before those of its inputs", {"raw": RUNS, "e": OK, "a": OK}, [("b", 1)], [], RUNS),
        ("all is done", dict.fromkeys(GRAPH, OK), [], [], OK),
        ("a failure is tried again", {"raw": FAILED, "e": OK}, [("raw", 2)], [], RUNS),
        ("but not for ever", {"raw": (FAILED, 2), "e": OK}, [], ["a", "b", "c", "d"], FAILED),
        ("what does not depend on it goes on", {"raw": OK, "e": OK, "a": (FAILED, 2)}, [("b", 1)], ["c", "d"], RUNS),
        ("a run fails when nothing runs", {"raw": (FAILED, 2), "e": RUNS}, [], ["a", "b", "c", "d"], RUNS),
        ("what a person stopped is not tried again", {"raw": STOPPED, "e": OK}, [], ["a", "b", "c", "d"], "CANCELLED"),
        ("a failure weighs more than a stop", {"raw": (FAILED, 2), "e": STOPPED}, [], ["a", "b", "c", "d"], FAILED),
        ("what was skipped stays so", {"raw": (FAILED, 2), "a": SKIPPED, "e": OK}, [], ["b", "c", "d"], FAILED),
    ],
)
def test_what_is_next_follows_from_the_records(
    why: str, known: dict[str, Any], start: list[Any], skip: list[str], state: str
) -> None:
    if why.startswith("an end that was told"):
        known = known | {"raw": OK}
    decision = decide.decide(GRAPH, GRAPH, records(**known), retries=lambda _: 1)
    assert (list(decision.start), list(decision.skip), decision.state) == (start, skip, state), why


def test_the_first_failure_is_the_reason() -> None:
    known = {
        "raw": decide.Record(FAILED, 2, "late", "2026-11-25T03:00:02.000Z"),
        "e": decide.Record(FAILED, 2, "early", "2026-11-25T03:00:01.000Z"),
    }
    decision = decide.decide(GRAPH, GRAPH, known, retries=lambda _: 1)
    assert (decision.state, decision.message) == (FAILED, "e: early")


@pytest.mark.parametrize(("attempt", "retries", "again"), [(1, 0, False), (1, 1, True), (2, 1, False), (2, 2, True)])
def test_a_step_is_tried_again_as_often_as_is_said(attempt: int, retries: int, again: bool) -> None:
    decision = decide.decide({"a": ()}, ["a"], records(a=(FAILED, attempt)), retries=lambda _: retries)
    assert decision.start == ((("a", attempt + 1),) if again else ())
    assert decision.state == (RUNS if again else FAILED)


def test_a_step_whose_rules_are_broken_is_not_tried_again() -> None:
    broken = {"raw": decide.Record(FAILED, 1, "breaks a rule", "2026", final=True)}
    decision = decide.decide(GRAPH, ["raw", "a"], broken, retries=lambda _: 3)
    assert (decision.start, decision.skip, decision.state) == ((), ("a",), FAILED)


@pytest.mark.parametrize(
    ("limit", "busy", "start"),
    [(1, [], ["a"]), (2, ["a"], ["b"]), (2, ["a", "b"], []), (9, [], ["a", "b", "c"])],
)
def test_no_more_steps_run_at_a_time_than_are_allowed(limit: int, busy: list[str], start: list[str]) -> None:
    known = records(**dict.fromkeys(busy, RUNS))
    decision = decide.decide({"a": (), "b": (), "c": ()}, "abc", known, retries=lambda _: 0, limit=limit)
    assert [step for step, _ in decision.start] == start


def test_predecessors_outside_of_a_run_are_as_fresh_as_they_are() -> None:
    assert decide.decide(GRAPH, ["c", "d"], {}, retries=lambda _: 0).start == (("c", 1),)


def test_a_cancelled_run_starts_nothing_and_ends_when_nothing_runs() -> None:
    running = decide.decide(GRAPH, GRAPH, records(raw=RUNS, e=FAILED), retries=lambda _: 3, cancelled=True)
    assert (running.start, running.skip, running.state) == ((), ("a", "b", "c", "d"), "CANCELLING")
    over = decide.decide(GRAPH, GRAPH, records(raw=OK, e=FAILED), retries=lambda _: 3, cancelled=True)
    assert (over.start, over.state) == ((), "CANCELLED")


def test_whatever_the_order_of_ends_every_step_starts_once_and_after_its_inputs() -> None:
    for order in itertools.permutations(GRAPH):
        known: dict[str, Any] = {}
        started: list[str] = []
        while True:
            decision = decide.decide(GRAPH, GRAPH, known, retries=lambda _: 0)
            # Deciding again, as a second event makes it, finds the same to do; a claim takes it away.
            assert decide.decide(GRAPH, GRAPH, known, retries=lambda _: 0) == decision
            for step, _ in decision.start:
                assert all(known[before].state == OK for before in GRAPH[step])
                started.append(step)
                known[step] = decide.Record(RUNS)
            running = [step for step in order if step in known and known[step].state == RUNS]
            if not running:
                break
            known[running[0]] = decide.Record(OK)
        assert sorted(started) == sorted(GRAPH) and decision.state == OK


@pytest.mark.parametrize(
    ("active", "waiting", "admitted"),
    [
        ([], [("1", {"raw"})], ["1"]),
        ([{"raw"}], [("1", {"raw"})], []),
        # One reads what the other writes.
        ([{"raw"}], [("1", {"a"})], []),
        ([{"a"}], [("1", {"raw"})], []),
        ([{"raw"}], [("1", {"e"})], ["1"]),
        # Nobody overtakes who waits.
        ([{"raw"}], [("1", {"a", "e"}), ("2", {"e"})], []),
    ],
)
def test_runs_that_touch_do_not_overlap(active: list[Any], waiting: list[Any], admitted: list[str]) -> None:
    assert decide.admit(GRAPH, active, waiting) == admitted


PIPELINES = {
    "nightly": {"rules": ["shop-dev-nightly"], "uploads": [], "steps": []},
    "arrival": {"rules": [], "uploads": [{"bucket": "raw", "prefix": "orders/"}], "steps": []},
}


def event(kind: str, **detail: Any) -> dict[str, Any]:
    return {"id": "e1", "time": "2026-11-25T03:00:00Z", "detail-type": kind, "detail": detail}


def scheduled(rule: str) -> dict[str, Any]:
    return event("Scheduled Event") | {"resources": [f"arn:aws:events:eu-west-1:111122223333:rule/{rule}"]}


def uploaded(bucket: str, key: str) -> dict[str, Any]:
    return event("Object Created", bucket={"name": bucket}, object={"key": key, "sequencer": "s1"})


def queried(state: str, **more: Any) -> dict[str, Any]:
    return event("Athena Query State Change", queryExecutionId="q", currentState=state, **more)


def checked(**context: str) -> dict[str, Any]:
    return event("Data Quality Evaluation Results Available", context=context, state="FAILED", resultID="dqresult-1")


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        (scheduled("tick"), events.Tick()),
        (scheduled("shop-dev-nightly"), [events.Start("nightly", "schedule", "shop-dev-nightly@2026-11-25T03:00:00Z")]),
        (scheduled("other"), []),
        (uploaded("raw", "orders/a%20b.csv"), [events.Start("arrival", "upload", "arrival@raw/orders/a b.csv@s1")]),
        (uploaded("raw", "orders/"), []),
        (uploaded("raw", "returns/a.csv"), []),
        (uploaded("curated", "orders/a.csv"), []),
        (event("Glue Crawler State Change", crawlerName="c", state="Succeeded"), events.Crawled("c")),
        (event("Glue Crawler State Change", crawlerName="c", state="Started"), None),
        (
            event("Glue Job State Change", jobName="j", jobRunId="jr", state="TIMEOUT", message="slow"),
            events.Ended("job", "jr", FAILED, "slow", "j"),
        ),
        (
            queried("FAILED", athenaError={"errorMessage": "no"}),
            events.Ended("query", "q", FAILED, "no", None),
        ),
        (queried("RUNNING"), None),
        (
            event("SageMaker Training Job State Change", TrainingJobName="t", TrainingJobStatus="Stopped"),
            events.Ended("model", "t", STOPPED, None, None),
        ),
        (checked(runId="dqrun-1"), events.Ended("check", "dqrun-1", "RESULTS", None, None)),
        (checked(contextType="GLUE_JOB", jobId="jr"), None),
        (event("Something Else"), None),
    ],
)
def test_what_an_event_means(told: dict[str, Any], meant: Any) -> None:
    assert events.read(told, PIPELINES, "tick") == meant


PASSED = {"Name": "Rule_1", "Description": "RowCount > 0", "Result": "PASS"}
BROKEN = {"Name": "Rule_2", "Description": 'IsComplete "id"', "Result": "FAIL", "EvaluationMessage": "0.5 is not 1.0"}
SAID = 'table `clean` breaks a rule: `IsComplete "id"`: 0.5 is not 1.0'


@pytest.mark.parametrize(
    ("fails", "run", "rules", "sight"),
    [
        (True, {"Status": "RUNNING"}, None, None),
        # Its results are a moment away.
        (True, {"Status": "SUCCEEDED"}, None, None),
        (True, {"Status": "SUCCEEDED"}, [PASSED], (OK, None)),
        (True, {"Status": "SUCCEEDED"}, [PASSED, BROKEN], ("BROKEN", SAID)),
        (False, {"Status": "SUCCEEDED"}, [PASSED, BROKEN], (OK, SAID)),
        # A rule that cannot be evaluated does not hold.
        (True, {"Status": "SUCCEEDED"}, [BROKEN | {"Result": "ERROR"}], ("BROKEN", SAID)),
        (True, {"Status": "FAILED", "ErrorString": "no role"}, None, (FAILED, "no role")),
        (True, {"Status": "TIMEOUT", "ErrorString": "late"}, None, (FAILED, "late")),
        (False, {"Status": "FAILED", "ErrorString": "x"}, None, (OK, "the rules of `clean` were not evaluated: x")),
        (True, {"Status": "STOPPED"}, None, (STOPPED, None)),
    ],
)
def test_a_verdict_is_what_glue_says_of_every_rule(fails: bool, run: Any, rules: Any, sight: Any) -> None:
    glue = boto3.client("glue", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    check = {"table": "clean", "fails": fails, "request": {}}
    with Stubber(glue) as stub:
        run = run if rules is None else run | {"ResultIds": ["dqresult-1"]}
        stub.add_response("get_data_quality_ruleset_evaluation_run", run, {"RunId": "dqrun-1"})
        if rules is not None:
            stub.add_response("get_data_quality_result", {"RuleResults": rules}, {"ResultId": "dqresult-1"})
        seen = services.Check(glue).look({"checks": [check]}, {"check": 0, "execution": "dqrun-1"})
        assert seen == sight
        stub.assert_no_pending_responses()
