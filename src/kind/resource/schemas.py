"""Writes `schemas.deflate`: what CloudFormation's resource types take, as lakegen checks it offline.

Usage: schemas.py, with the `cfn-lint` installed whose schemas are to be taken. They are AWS's, of the CloudFormation
registry, and come with cfn-lint under the licence MIT-0. All regions are united: a type is taken from the first region
that has it, `us-east-1` before all others.

The table is one line a type, `AWS::SNS::Topic`, its shape and its attributes (`-` for none), followed by a line a
definition, `#Subscription` and its shape:

    s             text                      i, n, b  whole number, number, truth value
    s(a|b) i(1|3) one of these              *        anything
    s#1#64 i#0#   from so long or so much to so long or so much
    s~7           text that matches the 7th pattern (from 0) of the lines `/…` at the end
    [shape        a list                    <shape   a map from any names
    [#1#50shape   a list of so many (either number may be missing)
    @Name         the definition            {Name:shape,Other!:shape}  these keys, `!` after one that must be there

What keys mean for each other stands behind the brace: `^A|B` exactly one of them must be there, `+A|B` at least one,
`-A|B|C` beside the first none of the others, `>A|B|C` beside the first all others.
"""

import itertools
import json
import re
import sys
import zlib
from pathlib import Path
from typing import Any

import cfnlint

SCHEMAS = Path(cfnlint.__file__).parent / "data" / "schemas"
TABLE = Path(__file__).with_name("schemas.deflate")
SCALARS = {"string": "s", "integer": "i", "number": "n", "boolean": "b"}
PLAIN = re.compile(r"[A-Za-z0-9_.:/+-]+")
# What the engine that reads the table does not know: looking ahead and behind, and references back.
FOREIGN = re.compile(r"\(\?[=!<]|\\[1-9]|[\r\n]")

patterns: dict[str, int] = {}

Schema = dict[str, Any]


def alternatives(schema: Schema) -> Schema:
    """A schema that takes whatever one of its alternatives takes: their keys united."""
    for word in ("oneOf", "anyOf", "allOf"):
        branches = [branch for branch in schema.get(word, []) if "properties" in branch]
        if branches and all("$ref" not in branch for branch in schema[word]):
            properties = dict(schema.get("properties", {}))
            for branch in branches:
                for name, property_schema in branch["properties"].items():
                    if property_schema or name not in properties:
                        properties.setdefault(name, property_schema)
            schema = {**schema, "properties": properties}
        elif schema.get(word) and "properties" not in schema and "type" not in schema:
            return {}
    return schema


def shape(schema: Schema, leave_out: frozenset[str] = frozenset(), path: str = "") -> str:
    """A schema in the words of the table; `leave_out` are the pointers of what only AWS sets."""
    if "$ref" in schema:
        target = schema["$ref"]
        return "@" + target.removeprefix("#/definitions/") if target.startswith("#/definitions/") else "*"
    schema = alternatives(schema)
    kind = schema.get("type", "object" if "properties" in schema else None)
    kind = kind[0] if isinstance(kind, list) and len(kind) == 1 else kind
    if isinstance(kind, list) or kind is None:
        return "*"
    if kind == "array":
        least, most = schema.get("minItems") or "", schema.get("maxItems", "")
        return "[" + (f"#{least}#{most}" if (least, most) != ("", "") else "") + shape(schema.get("items", {}))
    if kind == "object":
        return mapping(schema, leave_out, path)
    letter = SCALARS.get(kind, "*")
    return letter + (limits(schema) if letter in "sin" else "")


def limits(schema: Schema) -> str:
    """What a text or number is held to."""
    found = ""
    words = [str(word) for word in schema.get("enum", [])]
    if words and all(PLAIN.fullmatch(word) for word in words):
        found += f"({'|'.join(words)})"
    least = schema.get("minimum", schema.get("minLength"))
    most = schema.get("maximum", schema.get("maxLength"))
    if least is not None or most is not None:
        found += f"#{'' if least is None else least}#{'' if most is None else most}"
    pattern = schema.get("pattern")
    if pattern and not words and not FOREIGN.search(pattern):
        found += f"~{patterns.setdefault(pattern, len(patterns))}"
    return found


def mapping(schema: Schema, leave_out: frozenset[str], path: str) -> str:
    """The shape of an object."""
    if "properties" not in schema:
        patterns = list(schema.get("patternProperties", {}).values())
        more = schema.get("additionalProperties")
        values = patterns or ([more] if isinstance(more, dict) and more else [])
        return "<" + (shape(values[0]) if len(values) == 1 else "*")
    if schema.get("patternProperties") or schema.get("additionalProperties") not in (False, None):
        return "*"
    required = set(schema.get("required", []))
    entries = [
        f"{name}{'!' if name in required else ''}:{shape(value)}"
        for name, value in sorted(schema["properties"].items())
        if f"{path}/{name}" not in leave_out
    ]
    return "{" + ",".join(entries) + "}" + together(schema)


def together(schema: Schema) -> str:
    """What the keys of an object mean for each other."""
    known = schema["properties"].keys()
    rules = {("^", *schema.get("requiredXor", [])), ("+", *schema.get("requiredOr", []))}
    for word, sign in (("oneOf", "^"), ("anyOf", "+")):
        branches = schema.get(word, [])
        # Only where each branch asks for one key of its own: then it is a choice of keys.
        if branches and all(set(branch) == {"required"} and len(branch["required"]) == 1 for branch in branches):
            rules.add((sign, *(branch["required"][0] for branch in branches)))
    apart = {frozenset(pair) for sign, *names in rules if sign == "^" for pair in itertools.combinations(names, 2)}
    for name, others in schema.get("dependentExcluded", {}).items():
        # What two keys say of each other is said once.
        others = [other for other in others if frozenset((name, other)) not in apart]
        apart |= {frozenset((name, other)) for other in others}
        rules.add(("-", name, *others))
    for word in ("dependentRequired", "dependencies"):
        rules |= {(">", name, *others) for name, others in schema.get(word, {}).items() if isinstance(others, list)}
    fitting = (rule for rule in sorted(rules) if len(rule) > 2 and known >= set(rule[1:]))
    return "".join(rule[0] + "|".join(rule[1:]) for rule in fitting)


def lines(schema: Schema) -> list[str]:
    """The lines of one type."""
    only_read = frozenset(pointer.removeprefix("/properties") for pointer in schema.get("readOnlyProperties", []))
    settable = frozenset(pointer for pointer in only_read if pointer.count("/") == 1)
    attributes = sorted(pointer[1:].replace("/", ".") for pointer in only_read if "*" not in pointer)
    whole = shape({**schema, "type": "object"}, settable)
    found = [f"{schema['typeName']} {whole} {','.join(attributes) or '-'}"]
    waiting, seen = re.findall(r"@([^,}]+)", whole), set()
    while waiting:
        name = waiting.pop()
        definition = schema.get("definitions", {}).get(name)
        if name not in seen:
            seen.add(name)
            found.append(f"#{name} {shape(definition) if definition is not None else '*'}")
            waiting += re.findall(r"@([^,}]+)", found[-1])
    return [found[0], *sorted(found[1:])]


def main() -> None:
    """Writes the table, and says how large it is."""
    regions = sorted((SCHEMAS / "providers").glob("*.json"), key=lambda file: (file.stem != "us-east-1", file.stem))
    types: dict[str, str] = {}
    for region in regions:
        for name, digest in json.loads(region.read_text()).items():
            if isinstance(digest, str) and name.startswith("AWS::"):
                types.setdefault(name, digest)
    table = "".join(
        line + "\n"
        for _, digest in sorted(types.items())
        for line in lines(json.loads((SCHEMAS / "resources" / f"{digest}.json").read_text()))
    )
    table += "".join(f"/{pattern}\n" for pattern in patterns)
    packed = zlib.compress(table.encode(), 9)
    TABLE.write_bytes(packed)
    sys.stdout.write(f"{len(types)} types, {len(table):,} bytes, {len(packed):,} packed\n")


if __name__ == "__main__":
    main()
