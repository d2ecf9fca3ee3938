"""A file arrives, and everything else follows, each part within its rights: rules, function, ledger, services."""

from __future__ import annotations

import lake


def test_a_file_starts_the_first_step_and_every_end_the_next() -> None:
    before = {item["run"] for item in lake.runs()}
    lake.put("first")
    run = lake.new_run(before)
    for step in ("landing", "scrub", "sums", "label"):
        lake.tell_end(lake.step(run, step, "RUNNING"))
    assert lake.ended(run)["state"] == "SUCCEEDED"
    assert {name: item["state"] for name, item in lake.steps(run).items()} == dict.fromkeys(
        ["landing", "scrub", "sums", "label", "taste"], "SUCCEEDED"
    )
    assert set(lake.starts().values()) == {1}, lake.starts()


def test_no_role_was_refused_anything() -> None:
    assert [line for line in lake.trail() if not line["allowed"]] == []
