"""Every role against everything that there is in the lake: `rights.txt` says what each may, and nobody may more."""

from __future__ import annotations

import os
from pathlib import Path

import lake
import rights

GOLDEN = Path(__file__).with_name("rights.txt")


def resources() -> dict[str, str]:
    """What there is in the lake, and beside it things of others that are called alike."""

    def arn(service: str, rest: str) -> str:
        return f"arn:aws:{service}:{lake.REGION}:{lake.ACCOUNT}:{rest}"

    curated = [f"curated/{table}" for table in ("clean", "totals", "report", "training")]
    found = {}
    for place, bucket in {"raw/orders": lake.RAW, **dict.fromkeys(curated, lake.CURATED)}.items():
        table = place.partition("/")[2]
        found[f"objects of {place}"] = f"arn:aws:s3:::{bucket}/{table}/part-0"
        found[f"list of {place}"] = f"arn:aws:s3:::{bucket}?{table}/"
        found[f"catalog's {table}"] = arn("glue", f"table/shop_dev/{table}")
    found |= {
        "objects elsewhere in raw": f"arn:aws:s3:::{lake.RAW}/other/part-0",
        "list of all of raw": f"arn:aws:s3:::{lake.RAW}?",
        "studio's scripts": f"arn:aws:s3:::{lake.NAME}-{lake.ACCOUNT}-{lake.REGION}-work/jobs/report/studio.py",
        "the rest of the work bucket": f"arn:aws:s3:::{lake.NAME}-{lake.ACCOUNT}-{lake.REGION}-work/other",
        "models": f"arn:aws:s3:::{lake.MODELS}/taste/t/output/model.tar.gz",
        "models of others": f"arn:aws:s3:::{lake.MODELS}/price/t/output/model.tar.gz",
        "objects of another lake": "arn:aws:s3:::shop-prod-raw-111122223333-eu-west-1/orders/part-0",
        "database": arn("glue", "database/shop_dev"),
        "ledger": arn("dynamodb", "table/shop-dev-run-ledger"),
        "another ledger": arn("dynamodb", "table/shop-prod-run-ledger"),
        "workgroup": arn("athena", "workgroup/shop-dev"),
        "another workgroup": arn("athena", "workgroup/primary"),
        "topic": arn("sns", "shop-dev-alert"),
    }
    jobs = ("job/shop-{}-label", "job/shop-{}-report")
    for kind in ("crawler/shop-{}-landing", *jobs, "dataQualityRuleset/shop-{}-clean"):
        found |= {kind.format(lake_of): arn("glue", kind.format(lake_of)) for lake_of in ("dev", "prod")}
    for service, kind in (
        ("databrew", "job/shop-{}-scrub"),
        ("databrew", "recipe/shop-{}-scrub"),
        ("sagemaker", "training-job/shop-{}-taste-1"),
        ("sagemaker", "model/shop-{}-taste-1"),
        ("sagemaker", "endpoint/shop-{}-taste"),
        ("cloudformation", "stack/shop-{}-endpoint-taste/1"),
        ("cloudformation", "stack/shop-{}-storage/1"),
        ("cloudwatch", "alarm:shop-{}-taste-errors"),
        ("sqs", "shop-{}-run-failed"),
        ("sqs", "shop-{}-release"),
        ("sqs", "shop-{}-release-failed"),
        ("lambda", "function:shop-{}-run-advance"),
    ):
        names = [kind.format("dev"), kind.format("prod")]
        found |= {f"{service} {name}": arn(service, name) for name in names}
    for function in (lake.ADVANCE, lake.RELEASE, "shop-dev-recipe-publisher", "shop-dev-visual-jobs"):
        found[f"log of {function}"] = arn("logs", f"log-group:/aws/lambda/{function}:log-stream:1")
    keys = {one["AliasName"]: one["TargetKeyId"] for one in lake.kms.list_aliases()["Aliases"] if "TargetKeyId" in one}
    found["key"] = arn("kms", f"key/{keys['alias/shop-dev']}")
    found["another key"] = arn("kms", "key/00000000-0000-0000-0000-000000000000")
    return found


def everybody() -> list[str]:
    roles = (one["RoleName"] for page in rights.iam.get_paginator("list_roles").paginate() for one in page["Roles"])
    return sorted(role for role in roles if role.startswith(lake.NAME))


def written() -> str:
    roles = everybody()
    said = {role: list(rights.statements(role)) for role in roles}
    actions = sorted({action for known in said.values() for one in known for action in rights.many(one["Action"])})
    things = resources() | {f"role {role}": f"arn:aws:iam::{lake.ACCOUNT}:role/{role}" for role in roles}
    lines = []
    for role in roles:
        lines.append(f"{role} ({rights.service(role) or 'for another role'})")
        for action in actions:
            may = [name for name, arn in things.items() if allowed(said[role], action, name, arn)]
            lines += [f"    {action}: {', '.join(may)}"] if may else []
    return "\n".join(lines) + "\n"


def allowed(said: list[rights.Statement], action: str, name: str, arn: str) -> bool:
    service, of = action.partition(":")[0], arn.split(":")[2]
    if service != of and (service, of) != ("sts", "iam"):
        return False
    arn, _, prefix = arn.partition("?")
    context = {"s3:prefix": prefix} if action == "s3:ListBucket" else {}
    if action == "iam:PassRole":
        context["iam:PassedToService"] = rights.service(name.removeprefix("role "))
    if action == "cloudformation:UpdateStack":
        context["cloudformation:RoleArn"] = f"arn:aws:iam::{lake.ACCOUNT}:role/shop-dev-release-taste"
    return any(rights.allows(statement, action, arn, context) for statement in said)


def test_every_role_may_what_is_written_down_and_nothing_else() -> None:
    if os.environ.get("INSTA_UPDATE") == "always":
        GOLDEN.write_text(written())
    assert written() == GOLDEN.read_text()
