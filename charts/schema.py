#!/usr/bin/env python3
"""Makes JSON schemas from the definition of AdaptiveExamDeployment.

In: crds/adaptiveexamdeployments.yaml. Out: charts/adaptive-exam/values.schema.json, whose values are the fields of `spec`, and
manifests/schemas/, which kubeconform and editors read. Of CEL rules those that say the form of a text become patterns;
the API server checks the others.
Needs PyYAML (tests/tools/install has it). Usage: schema.py [--check]
"""

import json
import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHART = ROOT / "charts/adaptive-exam"
DRAFT = "http://json-schema.org/draft-07/schema#"
# Longer descriptions are those of Kubernetes' own types, which `kubectl explain` has.
LONGEST = 300
QUANTITY = "^[0-9]+([.][0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"


def closed(node):
    """A schema of draft 7 that allows what the definition's allows, and no unknown fields."""
    if node.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "number", "string"]}
    out = {}
    if 0 < len(node.get("description", "")) <= LONGEST:
        out["description"] = " ".join(node["description"].split())
    for key in ("type", "enum", "minimum", "maximum", "minLength", "maxLength", "maxItems", "minItems", "pattern", "required"):
        if key in node:
            out[key] = node[key]
    if node.get("nullable") and "type" in out:
        out["type"] = [out["type"], "null"]
        if "enum" in out:
            out["enum"] = [*out["enum"], None]
    if "items" in node:
        out["items"] = closed(node["items"])
    if "properties" in node:
        out["properties"] = {name: closed(child) for name, child in node["properties"].items()}
    if node.get("type") == "object":
        if "additionalProperties" in node:
            out["additionalProperties"] = closed(node["additionalProperties"])
        elif not node.get("x-kubernetes-preserve-unknown-fields"):
            out["additionalProperties"] = False
    for rule in node.get("x-kubernetes-validations", []):
        # What a rule says of a text by itself: that it is a quantity, or has a form.
        form = re.fullmatch(r"self\.matches\('(.*)'\)", rule["rule"])
        if form:
            out["pattern"] = form[1]
        elif rule["rule"].startswith("isQuantity(self) ") and node.get("type") == "string":
            out["pattern"] = QUANTITY
    return out


def of_values(spec):
    """The schema of the chart's values: the fields of spec, and what the chart adds. An empty map is the same as none."""
    text = {"type": "object", "additionalProperties": {"type": "string"}}
    fields = {}
    for name, field in spec["properties"].items():
        if field.get("type") == "object" or "object" in field.get("type", []):
            # Empty in values.yaml, where the field is not written; what it requires is required of all others.
            required = field.pop("required", None)
            if required:
                field["if"], field["then"] = {"minProperties": 1}, {"required": required}
        fields[name] = field
    return {
        "$schema": DRAFT,
        "$comment": "Made by charts/schema.py from the definition; not edited by hand.",
        "title": "Values of adaptive-exam",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "global": {"type": "object"},
            "fullnameOverride": {"type": "string", "maxLength": 40},
            "labels": text,
            "annotations": text,
            **fields,
            "spec": {"type": "object"},
            "extraObjects": {"type": "array", "items": {"type": ["object", "string"]}},
            "test": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "enabled": {"type": "boolean"},
                    "examType": {"type": "string", "maxLength": 50, "pattern": "^[A-Za-z0-9_.-]*$"},
                    "image": {"type": "string", "pattern": "^[^ ]+(:[^/ ]+|@sha256:[0-9a-f]{64})$"},
                    "imagePullSecrets": {"type": "array", "items": {"type": "object", "required": ["name"]}},
                    "timeoutSeconds": {"type": "integer", "minimum": 5, "maximum": 3600},
                },
            },
        },
    }


def main(check):
    definition = yaml.safe_load((ROOT / "crds/adaptiveexamdeployments.yaml").read_text())
    version = definition["spec"]["versions"][0]
    schema = closed(version["schema"]["openAPIV3Schema"])
    helpers = (CHART / "templates/_helpers.tpl").read_text()
    written = set(re.findall(r'"(\w+)"', re.search(r"range \$field := list (.*?) -", helpers)[1]))
    wanted = set(schema["properties"]["spec"]["properties"])
    if written != wanted:
        raise SystemExit(f"the fields of exam.spec in templates/_helpers.tpl are not those of the definition: {sorted(written ^ wanted)}")
    meta = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
    resource = {"$schema": DRAFT, **schema, "properties": {**meta, **schema["properties"]}, "required": ["apiVersion", "kind", "metadata", "spec"]}
    outputs = {
        ROOT / "manifests/schemas/adaptiveexamdeployment-exam-v1alpha1.json": resource,
        CHART / "values.schema.json": of_values(closed(version["schema"]["openAPIV3Schema"]["properties"]["spec"])),
    }
    bad = False
    for path, value in outputs.items():
        text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        if path.exists() and path.read_text() == text:
            continue
        if check:
            bad = True
            print(f"{path} is stale: charts/schema.py", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
