"""What becomes of a trained model, as pure decisions.

The words and the verdicts are those of `lakegen run --env local`.
"""

import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

UPDATING, RELEASED, REFUSED, FAILED = "UPDATING", "RELEASED", "REFUSED", "FAILED"

#: The states in which CloudFormation updates a stack. Source: its "Stack status codes".
UPDATABLE = frozenset({
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
})  # fmt: skip


@dataclass(frozen=True)
class Training:
    """A training job that has ended."""

    name: str
    created: datetime
    metrics: Mapping[str, float]
    data: str
    image: str


@dataclass(frozen=True)
class Surroundings:
    """What a release meets."""

    stack: str | None
    """The state of the endpoint's stack; `None` when there is no stack."""
    live: datetime | None
    """When the training of the live model was started; `None` when none is live."""
    ended: str | None = None
    """How this training's release has ended, if it has."""
    ringing: tuple[str, ...] = ()
    """The endpoint's alarms that ring."""
    missing: tuple[str, ...] = ()
    """The endpoint's alarms that are not there."""


@dataclass(frozen=True)
class Drop:
    """Nothing is to be done."""

    why: str


@dataclass(frozen=True)
class Wait:
    """Not now."""

    why: str


@dataclass(frozen=True)
class Refuse:
    """The model does not get through its gate."""

    refusals: tuple[str, ...]


@dataclass(frozen=True)
class Fail:
    """The model cannot be released."""

    why: str


@dataclass(frozen=True)
class Release:
    """The model goes live; `watched` says whether alarms may take it back."""

    watched: bool


Decision = Drop | Wait | Refuse | Fail | Release


def decide(gates: Iterable[Mapping[str, Any]], training: Training, around: Surroundings, by_hand: bool) -> Decision:
    """What is to be done about a training.

    A person who asks for a release by hand may go back to an older model, repeat a release, and be heard while alarms
    ring: that is how one gets out of a bad release. The gate holds for everybody.
    """
    if not by_hand:
        if around.ended:
            return Drop(f"its release has ended before: {around.ended}")
        if around.live and training.created <= around.live:
            return Drop("a newer model is live")
    if refusals := judge(gates, training.metrics):
        return Refuse(tuple(refusals))
    if around.stack is None:
        return Fail("the endpoint's stack is not there; `lakegen deploy` makes it")
    if around.stack.endswith("_IN_PROGRESS"):
        return Wait(f"the endpoint's stack is in {around.stack}")
    if around.stack not in UPDATABLE:
        return Fail(f"the endpoint's stack is in {around.stack}, in which CloudFormation updates nothing")
    if by_hand:
        return Release(watched=False)
    if around.missing:
        return Fail(f"no alarm {_listed(around.missing)}; `lakegen deploy` makes it")
    if around.ringing:
        return Wait(f"{_listed(around.ringing)} rings, and would take the release back at once")
    return Release(watched=True)


def judge(gates: Iterable[Mapping[str, Any]], metrics: Mapping[str, float]) -> list[str]:
    """The demands that do not hold. A metric that was not reported, or is no number, meets none.

    SageMaker keeps metrics in single precision (`Float`), so that 0.7 comes back as 0.699999988: bars are taken in
    single precision, too.
    """

    def reported(name: str) -> float | None:
        value = metrics.get(name)
        return None if value is None or math.isnan(value) else _single(value)

    refusals = []
    for gate in gates:
        name = gate["metric"]
        value = reported(name)
        if value is None:
            refusals.append(f"`{name}` was not reported")
            continue
        said = f"`{name}` is {value:.4f}, not"
        least, most = gate.get("at_least"), gate.get("at_most")
        if least is not None and not value >= _single(least):
            refusals.append(f"{said} at least {least:.15g}")
        if most is not None and not value <= _single(most):
            refusals.append(f"{said} at most {most:.15g}")
        for word, others in (("above", gate.get("above", ())), ("below", gate.get("below", ()))):
            for other in others:
                bar = reported(other)
                if bar is None:
                    refusals.append(f"{said} {word} `{other}`, which was not reported")
                elif not (value > bar if word == "above" else value < bar):
                    refusals.append(f"{said} {word} `{other}`, {bar:.4f}")
    return refusals


def outcome(states: Iterable[tuple[str, str | None]]) -> tuple[str, str | None] | None:
    """How an update has ended, from the states that it brought to its stack, the newest first, each with its reason.

    `None` while it goes on. The reason is the one for which it began to go wrong.
    """
    states = list(states)
    latest = states[0][0] if states else ""
    if latest == "UPDATE_COMPLETE":
        return RELEASED, None
    if latest in ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED"):
        turned = [reason for state, reason in states if "ROLLBACK_IN_PROGRESS" in state or state == "UPDATE_FAILED"]
        return FAILED, next((reason for reason in reversed(turned) if reason), latest)
    return None


def _single(value: float) -> float:
    try:
        return struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
