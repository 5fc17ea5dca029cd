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
        "dev.txt": project["project"]["dependencies"] + project["project"]["optional-dependencies"]["dev"],
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
    runtime, dev = pins("runtime.txt"), pins("dev.txt")
    found += [
        f"{name} is {version} in runtime.txt, {dev.get(name)} in dev.txt"
        for name, version in runtime.items()
        if dev.get(name) != version
    ]
    return found


if __name__ == "__main__":
    problems = misfits()
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    sys.exit(1 if problems else 0)
