"""Renders deploy/kubernetes and checks every document: a step of `make check`. `--write` brings rules.yml up to date.

What Kubernetes itself knows is checked by its own schemas, strictly: a field that is not there is an error. What
operators add is checked by deploy/kubernetes/schemas, which have the fields that we use and no others. Exit 1 where
something is wrong, each in a line.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy/kubernetes"
VERSIONS = ("1.31", "1.37")
"""The oldest Kubernetes that the manifests are written for, and the newest whose schemas there are."""

Document = dict[str, Any]


def rendered(kustomization: Path) -> list[Document]:
    """What `kubectl apply -k` would send. Raises RuntimeError with what kubectl says."""
    command = [str(Path(sys.executable).parent / "kubectl"), "kustomize", str(kustomization)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - our own
    if ran.returncode or "Warning" in ran.stderr:
        raise RuntimeError(f"{kustomization.name}: {ran.stderr.strip()}")
    return list(yaml.load_all(ran.stdout, Loader=yaml.CSafeLoader))


def wrong(document: Document, schemas: Path) -> Iterator[str]:
    """What is wrong with one document, a line each."""
    name = f"{document.get('kind')} {document.get('metadata', {}).get('name')}"
    own = schemas / f"{str(document.get('kind')).lower()}.json"
    if own.exists():
        schema = json.loads(own.read_text(encoding="utf-8"))
        for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
            yield f"{name}: {error.json_path}: {error.message}"
        return
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{name} ({version}): {'.'.join(map(str, error.path))}: {error.message}"
        except kubernetes_validate.SchemaNotFoundError:
            yield f"{name} ({version}): there is no schema for {document.get('apiVersion')}"


def rules() -> str:
    """Prometheus' rules as the resource of its operator."""
    groups: list[Any] = []
    for path in sorted((ROOT / "deploy/prometheus/rules").glob("*.yml")):
        groups += yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    document = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "connect"},
        "spec": {"groups": groups},
    }
    head = "# Written by `make generate` from deploy/prometheus/rules.\n# yamllint disable rule:line-length\n"
    return head + yaml.dump(document, Dumper=_Indented, sort_keys=False, allow_unicode=True, width=100)


class _Indented(yaml.SafeDumper):
    """Lists are indented, as yamllint wants it, and nothing is an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def check(folder: Path) -> list[str]:
    """what is wrong in `connect`, and in each overlay, a line each."""
    found = []
    for kustomization in [folder / "connect", *sorted((folder / "overlays").iterdir())]:
        try:
            documents = rendered(kustomization)
        except RuntimeError as error:
            found.append(str(error))
            continue
        found += [
            f"{kustomization.name}: {line}" for document in documents for line in wrong(document, folder / "schemas")
        ]
    return found


def main(arguments: Sequence[str]) -> int:
    """0 when all is well."""
    written = FOLDER / "components/monitoring/rules.yml"
    if "--write" in arguments:
        written.write_text(rules(), encoding="utf-8")
        return 0
    found = check(FOLDER)
    if written.read_text(encoding="utf-8") != rules():
        found.append("components/monitoring/rules.yml is stale: make generate")
    sys.stderr.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
