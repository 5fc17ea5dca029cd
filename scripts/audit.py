"""Asks whether a pinned dependency has a known weakness: `make audit`, and a step of `make check`.

Fails when one has. Where nobody answers, because there is no network or no such service, it says so and does not fail,
unless `--must` is given.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SECONDS = 240
REQUIREMENTS = Path(__file__).parents[1] / "requirements" / "runtime.txt"


def main(arguments: Sequence[str]) -> int:
    """0 where nothing is known or nobody answered, 1 where there is a weakness, or with `--must` no answer."""
    command = [
        str(Path(sys.executable).parent / "pip-audit"), "--require-hashes", "--disable-pip", "--format", "json",
        "--progress-spinner", "off", "--timeout", "15", "-r", str(REQUIREMENTS),
    ]  # fmt: skip
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        said = judge(ran.stdout)
    except subprocess.TimeoutExpired:
        said = None
    if said is None:
        print("NOT ASKED: nobody answered whether a dependency has a known weakness. Run `make audit` with a network.")
        return 1 if "--must" in arguments else 0
    for line in said:
        print(line)
    if not said:
        print("No dependency has a known weakness.")
    return 1 if said else 0


def judge(document: str) -> list[str] | None:
    """A line for each weakness in what pip-audit found; None where it found out nothing.

    A dependency that could not be asked about counts as no answer, so that a service that is half away passes nothing.
    """
    try:
        found = json.loads(document)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    weak = [
        f"{one['name']} {one['version']}: {each['id']}, mended in {', '.join(each['fix_versions']) or 'no release yet'}"
        for one in found
        for each in one.get("vulns", ())
    ]
    if not weak and (not found or any("skip_reason" in one for one in found)):
        return None
    return weak


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
