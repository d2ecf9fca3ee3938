"""The plan: what lakegen wrote about the lake's steps and pipelines, beside the templates.

`{"retries": n, "pipelines": {name: {rules, uploads, steps, retries, max_concurrent}}, "steps": {name: {kind, after,
retries, checks: [{table, fails, request}], …}}}`. Texts of AWS's that are known only in the account are written as in
CloudFormation's `Fn::Sub`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from decide import dependents

_PLACEHOLDER = re.compile(r"\$\{(?:(!)|([A-Za-z0-9:]+)\})")


class Plan:
    """A plan with its texts filled in."""

    def __init__(self, text: str, values: Mapping[str, str]):
        plan = _filled(json.loads(text), values)
        self.retries: int = plan["retries"]
        self.pipelines: dict[str, dict[str, Any]] = plan["pipelines"]
        self.steps: dict[str, dict[str, Any]] = plan["steps"]
        self.graph: dict[str, list[str]] = {name: step["after"] for name, step in self.steps.items()}

    def chosen(self, pipeline: str | None, steps: Iterable[str] | None) -> frozenset[str]:
        """The steps of a run that was asked for like this; a pipeline that is no more has none."""
        if pipeline is not None:
            return dependents(self.graph, self.pipelines.get(pipeline, {}).get("steps", ()))
        return dependents(self.graph, list(steps or ()) or self.graph)

    def retries_of(self, pipeline: str | None, step: str) -> int:
        """How often a step is tried again."""
        usual = self.pipelines.get(pipeline or "", {}).get("retries", self.retries)
        return self.steps[step].get("retries", usual)

    def limit_of(self, pipeline: str | None) -> int | None:
        """How many steps of a run run at a time."""
        return self.pipelines.get(pipeline or "", {}).get("max_concurrent")


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    """`value` with its `${Name}` replaced, and `${!` as the `${` that it stands for."""
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda match: "${" if match[1] else values[match[2]], value)
    if isinstance(value, list):
        return [_filled(one, values) for one in value]
    if isinstance(value, dict):
        return {key: _filled(one, values) for key, one in value.items()}
    return value
