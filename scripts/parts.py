"""Prints the list of parts of a release (SBOM) as CycloneDX JSON: what requirements/runtime.txt pins, with its hashes.

`python scripts/parts.py VERSION`. Nothing of this machine, of the day or of a registry is in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements" / "runtime.txt"
NAME = "connect-journal"


def main(arguments: Sequence[str]) -> int:
    """0, or 2 without a version."""
    if len(arguments) != 1:
        sys.stderr.write("Give the version: scripts/parts.py 1.2.3\n")
        return 2
    json.dump(parts(arguments[0]), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
    return 0


def parts(version: str) -> dict[str, Any]:
    """The document, checked by the tool's own schema. Raises CalledProcessError with what the tool says."""
    command = [
        str(Path(sys.executable).parent / "cyclonedx-py"), "requirements", "--output-reproducible", "--validate",
        "--spec-version", "1.6", "--short-PURLs", str(LOCK),
    ]  # fmt: skip
    made = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)  # noqa: S603 - our own
    document: dict[str, Any] = json.loads(made.stdout)
    for component in document["components"]:
        # The hashes belong to the files of all platforms; where one is fetched from is the installation's matter.
        for reference in component.pop("externalReferences", []):
            component.setdefault("hashes", []).extend(reference.get("hashes", []))
        component["hashes"] = _once(component.get("hashes", []))
        component.pop("description", None)
    document["metadata"].pop("timestamp", None)
    for tool in document["metadata"]["tools"]["components"]:
        tool.pop("externalReferences", None)
    root = {
        "bom-ref": NAME,
        "type": "application",
        "name": NAME,
        "version": version,
        "purl": f"pkg:pypi/{NAME}@{version}",
    }
    document["metadata"]["component"] = root
    document["dependencies"] = [
        {"ref": NAME, "dependsOn": sorted(component["bom-ref"] for component in document["components"])},
        *({"ref": component["bom-ref"]} for component in document["components"]),
    ]
    return document


def _once(hashes: list[dict[str, str]]) -> list[dict[str, str]]:
    return [dict(pair) for pair in dict.fromkeys(tuple(sorted(each.items())) for each in hashes)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
