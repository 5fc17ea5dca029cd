"""Whether requirements/*.txt pin everything that pyproject.toml asks for, in a version that it allows.

Run by `make check`, without the network. Prints what does not fit; exit 1 then.
"""

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    """Project → version, of one file."""
    text = (ROOT / "requirements" / name).read_text()
    return {canonicalize_name(project): version for project, version in PIN.findall(text)}


def misfits() -> list[str]:
    """One sentence per requirement that its lock does not hold."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {
        "runtime.txt": project["project"]["dependencies"],
        "archive.txt": project["project"]["dependencies"] + project["project"]["optional-dependencies"]["archive"],
        "dev.txt": project["project"]["dependencies"] + project["project"]["optional-dependencies"]["dev"],
        "bench.txt": project["project"]["dependencies"] + project["project"]["optional-dependencies"]["bench"],
        "docs.txt": project["project"]["dependencies"] + project["project"]["optional-dependencies"]["docs"],
        "build.txt": project["dependency-groups"]["build"],
    }
    found = []
    for file, requirements in wanted.items():
        pinned = pins(file)
        for requirement in map(Requirement, requirements):
            version = pinned.get(canonicalize_name(requirement.name))
            if version is None or not requirement.specifier.contains(version, prereleases=True):
                found.append(
                    f"requirements/{file} has {requirement.name} {version}, wanted is {requirement}: make lock"
                )
    # All of them go into one environment: what is in several has one version, and what runs is also what is tested.
    runtime, dev, bench = pins("runtime.txt"), pins("dev.txt"), pins("bench.txt")
    pairs = [("runtime.txt", runtime, "dev.txt", dev), ("runtime.txt", runtime, "bench.txt", bench)]
    pairs += [("archive.txt", pins("archive.txt"), "dev.txt", dev)]
    pairs += [("bench.txt", {name: version for name, version in bench.items() if name in dev}, "dev.txt", dev)]
    for one, here, other, there in pairs:
        found += [
            f"{name} is {version} in {one}, {there.get(name)} in {other}"
            for name, version in here.items()
            if there.get(name) != version
        ]
    return found


if __name__ == "__main__":
    problems = misfits()
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    sys.exit(1 if problems else 0)
