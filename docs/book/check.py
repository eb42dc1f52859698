#!/usr/bin/env python3
"""Proves what can be proved of the book and of docs/: exits with 1 and names every fault.

- SUMMARY.md lists every page of the book once, and every page that it lists is there;
- every relative link and every anchor of docs/ and README.md leads somewhere; none leaves the book when it is built;
- every YAML block that is an AdaptiveExamDeployment, or a `spec` of one, has only fields of the definition in crds/, of the right
  types and values, also where it is written to kubectl in a command;
- every command block is a valid shell text, and its fence says what README.md defines;
- every test that a page names is there;
- every field is in crd-fields.md as it is in crds/; every condition, reason and event of the operator's sources is in status.md;
  every right of the chart and every ACL rule of the sources is in security.md.

Needs Python 3.11, PyYAML and bash.
"""

import json
import re
import shlex
import subprocess
import sys
import tomllib

import fields
import outside
import yaml
from pages import BOOK, ROOT, SOURCE, anchors, chapters, links, relative, split

SHELL = {"sh", "console"}
KNOWN = [["sh"], ["sh", "run"], ["sh", "run", "node"]]
WORDS = {"yaml", "json", "toml", "text", "sql", "http", "csv", "promql", "mermaid"}
FEWEST, MOST = 80, 350

faults = []


def fault(place, text):
    """Notes a fault."""
    faults.append(f"{place}: {text}")


def summary():
    """SUMMARY.md and the pages."""
    listed = [path.resolve() for path in chapters()]
    for path in listed:
        if not path.is_file():
            fault("SUMMARY.md", f"{path.name} is not there")
        if listed.count(path) > 1:
            fault("SUMMARY.md", f"{path.name} is listed twice")
    for page in SOURCE.rglob("*.md"):
        if page.name != "SUMMARY.md" and page.resolve() not in listed:
            fault("SUMMARY.md", f"{page.name} is not listed")
        count = len(page.read_text(encoding="utf-8").splitlines())
        if page.name not in ("SUMMARY.md", "crd-fields.md") and not FEWEST <= count <= MOST:
            fault(relative(page), f"{count} lines, not {FEWEST} to {MOST}")


def targets(page):
    """The links of a page."""
    for number, link in links(page):
        place = f"{relative(page)}:{number}"
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.is_relative_to(ROOT):
            fault(place, f"{link} leaves the repository")
        elif not path.exists():
            fault(place, f"{link} leads nowhere")
        elif anchor and path.suffix == ".md" and anchor not in anchors(path):
            fault(place, f"{link}: there is no such heading")


def built(page):
    """The links of a page as mdBook gets them."""
    path = page.relative_to(SOURCE).as_posix()
    text = outside.rewrite(path, page.read_text(encoding="utf-8"), "")
    for found in outside.LINK.finditer(re.sub(r"`[^`\n]*`", "", text)):
        if outside.target(path, found[1]) is not None:
            fault(relative(page), f"{found[1]} leaves the built book")


TYPES = {"string": str, "boolean": bool, "object": dict, "array": list, "integer": int, "number": (int, float)}


def judge(place, path, value, node):
    """A value against a part of the schema."""
    if value is None and node.get("nullable"):
        return
    if node.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            fault(place, f"{path} must be a quantity, not {value!r}")
        return
    wanted = node.get("type")
    if wanted and (not isinstance(value, TYPES[wanted]) or (isinstance(value, bool) and wanted != "boolean")):
        fault(place, f"{path} must be {wanted}, not {value!r}")
        return
    if "enum" in node and value not in node["enum"]:
        fault(place, f"{path} must be one of {node['enum']}, not {value!r}")
    if wanted in ("integer", "number"):
        if value < node.get("minimum", value) or value > node.get("maximum", value):
            fault(place, f"{path} is {value}, outside of {node.get('minimum')} to {node.get('maximum')}")
    if wanted == "string" and not node.get("minLength", 0) <= len(value) <= node.get("maxLength", len(value)):
        fault(place, f"{path} is too short or too long")
    if wanted == "array":
        for index, item in enumerate(value):
            judge(place, f"{path}[{index}]", item, node.get("items", {}))
    if wanted == "object":
        members(place, path, value, node)


def members(place, path, value, node):
    """The fields of an object."""
    known, others = node.get("properties", {}), node.get("additionalProperties")
    for name in node.get("required", []):
        if name not in value and "default" not in known.get(name, {}):
            fault(place, f"{path} needs {name}")
    for name, inner in value.items():
        if name in known:
            judge(place, f"{path}.{name}", inner, known[name])
        elif isinstance(others, dict):
            judge(place, f"{path}.{name}", inner, others)
        elif not node.get("x-kubernetes-preserve-unknown-fields") and not others:
            fault(place, f"{path}.{name} is no field")


HEREDOC = re.compile(r"<<-?'?(\w+)'?[^\n]*\n(.*?)\n\1\n", re.DOTALL)


def manifests(fence):
    """The YAML documents of a fence."""
    texts = [fence.text] if fence.info[:1] == ["yaml"] else []
    if fence.info[:1] == ["sh"]:
        texts = [found[2] for found in HEREDOC.finditer(fence.text) if "apiVersion" in found[2]]
    for text in texts:
        try:
            yield from (document for document in yaml.safe_load_all(text) if isinstance(document, dict))
        except yaml.YAMLError as error:
            fault(fence.place(), f"no YAML: {error}")


def yaml_blocks(fences):
    """The YAML blocks; gives how many were of the resource."""
    schema, count = fields.schema(), 0
    for fence in fences:
        for document in manifests(fence):
            if document.get("kind") == "AdaptiveExamDeployment":
                if document.get("apiVersion") != "exam.dreamseed.ai/v1alpha1":
                    fault(fence.place(), "another apiVersion")
                parts = {"spec": document.get("spec", {})}
            elif set(document) == {"spec"}:
                parts = document
            else:
                continue
            count += 1
            for name, part in parts.items():
                judge(fence.place(), name, part, schema["properties"][name])
    return count


def fences_of(page):
    """The fences of a page, checked."""
    found = split(page)[0]
    for fence in found:
        if fence.info[:1] and fence.info[0] in SHELL:
            if SOURCE in page.parents and fence.info not in KNOWN:
                fault(fence.place(), f"the fence says {','.join(fence.info)}")
            done = subprocess.run(["bash", "-n"], input=fence.text, capture_output=True, text=True, check=False)
            if done.returncode:
                fault(fence.place(), f"no shell text: {done.stderr.strip()}")
        elif SOURCE in page.parents and (len(fence.info) != 1 or fence.info[0] not in WORDS):
            fault(fence.place(), f"the fence says {','.join(fence.info) or 'nothing'}")
    return found


CONTROLLER = ROOT / "operator" / "src" / "controller"
# Words of several parts are reasons, unless they are Kubernetes' own; those of one part are found by what is around them.
REASONS = [
    r'"([A-Z][a-z]+(?:[A-Z][A-Za-z]*)+)"',
    r'"(CRDsMissing)"',
    r'Verdict::of\(\s*"(?:True|False|Unknown)",\s*"([A-Z]\w+)"',
    r'Waiting::of\(\s*"([A-Z]\w+)"',
    r'=> "([A-Z]\w+)"',
    r'pub const [A-Z_]+: &str = "([A-Z]\w+)"',
]
FOREIGN = set(
    "AdaptiveExamDeployment PersistentVolumeClaim StatefulSet ReplicaFailure PodScheduled FailedMount FailedAttachVolume "
    "FailedCreatePodSandBox FailedCreate ErrImagePull ErrImageNeverPull ImagePullBackOff ImageInspectError InvalidImageName "
    "RegistryUnavailable CreateContainerConfigError CreateContainerError RunContainerError WaitingFor Bootstrapping OnDelete "
    "ClusterIP ConfigMap Pod Deployment".split()
)


def reasons():
    """Every condition, reason and event of the sources."""
    found = {}
    for path in [*CONTROLLER.rglob("*.rs"), CONTROLLER.parent / "controller.rs"]:
        if "tests" in path.name or "model" in path.parts or path.name in ("model.rs", "schedules.rs") or "build" in path.parts:
            continue
        text = path.read_text(encoding="utf-8").split("#[cfg(test)]\nmod tests")[0]
        for pattern in REASONS:
            for word in re.findall(pattern, text):
                found.setdefault(word, path)
    return {word: path for word, path in found.items() if word not in FOREIGN}


def completeness():
    """What has to be in a page because it is in a source."""
    text = (SOURCE / "status.md").read_text(encoding="utf-8")
    for word, path in sorted(reasons().items()):
        if f"`{word}`" not in text:
            fault("status.md", f"`{word}` of {relative(path)} is not told")
    text = (SOURCE / "security.md").read_text(encoding="utf-8")
    rules = (ROOT / "charts/adaptive-exam-operator/templates/rbac.yaml").read_text(encoding="utf-8")
    grant = re.compile(r"- apiGroups: \[([^\]]*)\]\n +resources: \[([^\]]*)\]\n +verbs: \[([^\]]*)\]")
    for _, kinds, verbs in grant.findall(rules):
        for name in kinds.split(", "):
            if not any(f"`{name}`" in line and f"| {verbs} |" in line for line in text.splitlines()):
                fault("security.md", f"the chart grants {verbs} on {name}")
    users = (CONTROLLER / "redis" / "users.rs").read_text(encoding="utf-8").split("#[cfg(test)]")[0]
    users = re.sub(r"\\\n\s+", "", users)
    for rule in re.findall(r'"((?:resetkeys|allkeys)[^"]*)"', users):
        if f"`{rule}`" not in text.replace("\\|", "|"):
            fault("security.md", f"the ACL rule {rule} is not told")


def configuration():
    """book.toml: the folder of pages, and the preprocessor, from wherever mdBook is called."""
    book = tomllib.loads((BOOK / "book.toml").read_text(encoding="utf-8"))
    if (BOOK / book["book"]["src"]).resolve() != SOURCE:
        fault("book.toml", "src is another folder")
    command = shlex.split(book["preprocessor"]["outside"]["command"])
    sections = [{"Chapter": {"name": "a", "path": "a.md", "content": "[b](../../SETTINGS.md) [c](modes.md)", "sub_items": []}}]
    for folder in (ROOT, BOOK):
        asked = subprocess.run([*command, "supports", "html"], cwd=folder, capture_output=True, check=False)
        text = json.dumps([{"config": {}}, {"sections": sections}])
        made = subprocess.run(command, cwd=folder, input=text, capture_output=True, text=True, check=False)
        wanted = "b (`docs/SETTINGS.md`) [c](modes.md)"
        if asked.returncode or made.returncode or json.loads(made.stdout)["sections"][0]["Chapter"]["content"] != wanted:
            fault("book.toml", f"the preprocessor does not work in {folder}: {made.stderr}{made.stdout}")


TEST = re.compile(r"`(?:[a-z_]+::)+([a-z0-9_]+)`")


def tests(page, functions):
    """The tests that a page names."""
    for name in TEST.findall(page.read_text(encoding="utf-8")):
        if name != "tests" and name not in functions:
            fault(relative(page), f"there is no test {name}")


def main():
    summary()
    configuration()
    sources = [path for part in ("tests", "operator", "engine", "service") for path in (ROOT / part).rglob("*.rs")]
    functions = {name for path in sources for name in re.findall(r"fn ([a-z0-9_]+)\(", path.read_text(encoding="utf-8"))}
    pages = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
    fences = []
    for page in pages:
        targets(page)
        fences += fences_of(page)
        if SOURCE in page.parents:
            built(page)
            tests(page, functions)
    count = yaml_blocks(fences)
    if not fields.PAGE.exists() or fields.PAGE.read_text(encoding="utf-8") != fields.page():
        fault(relative(fields.PAGE), "is stale: run docs/book/fields.py")
    completeness()
    for text in faults:
        print(text, file=sys.stderr)
    print(f"{len(pages)} files, {len(fences)} blocks, {count} resources in YAML, {len(reasons())} reasons; {len(faults)} faults")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
