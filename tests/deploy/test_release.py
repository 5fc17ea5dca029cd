"""What `make release` builds: complete, twice the same, without a trace of where it was built, and it runs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from shared.version import VERSION

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
HOST = re.compile(r"https?://([\w.-]+)")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a release."""
    into = tmp_path_factory.mktemp("release")
    done = subprocess.run(
        [ROOT / "scripts/release", into],
        env={**os.environ, "BIN": str(BIN)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return into


def wheel(release: Path) -> Path:
    return release / f"connect_journal-{VERSION}-py3-none-any.whl"


def document(release: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((release / f"connect_journal-{VERSION}.cdx.json").read_text(encoding="utf-8"))
    return read


def tracked() -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "services", "shared"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(listed.stdout.split())


@pytest.mark.timeout(600)
def test_everything_of_the_code_is_in_it(release: Path) -> None:
    with zipfile.ZipFile(wheel(release)) as packed:
        names = {name for name in packed.namelist() if ".dist-info/" not in name}
        (points,) = [name for name in packed.namelist() if name.endswith("entry_points.txt")]
        assert "connect = services.cli.start:main" in packed.read(points).decode()
    assert names == tracked()
    with tarfile.open(release / f"connect_journal-{VERSION}.tar.gz") as packed_source:
        inside = {name.partition("/")[2] for name in packed_source.getnames()}
    assert tracked() | {"pyproject.toml", "README.md", "docker-compose.yml"} <= inside
    sums = (release / "SHA256SUMS").read_text().splitlines()
    assert {line.split()[1] for line in sums} == {path.name for path in release.iterdir()} - {"SHA256SUMS"}
    for line in sums:
        digest, name = line.split()
        assert hashlib.sha256((release / name).read_bytes()).hexdigest() == digest


@pytest.mark.timeout(600)
def test_the_list_of_parts_has_what_is_pinned_and_no_host(release: Path) -> None:
    made = document(release)
    assert made["metadata"]["component"]["version"] == VERSION
    pinned = set(re.findall(r"^([\w.-]+)==([^ ;\\]+)", (ROOT / "requirements/runtime.txt").read_text(), re.MULTILINE))
    assert {(each["name"], each["version"]) for each in made["components"]} == pinned
    assert all(each["hashes"] for each in made["components"])
    assert "timestamp" not in made["metadata"]
    text = json.dumps(made)
    assert set(HOST.findall(text)) <= {"cyclonedx.org"}
    assert str(ROOT) not in text


@pytest.mark.servers
@pytest.mark.timeout(900)
def test_it_runs_in_an_empty_environment(release: Path, tmp_path: Path) -> None:
    """Needs the registry that `make setup` needs, and gets there by the same pip."""
    venv = tmp_path / "venv"
    installs: list[str | Path] = [venv / "bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    requirements: list[str | Path] = [
        "--require-hashes",
        "--only-binary",
        ":all:",
        "-r",
        ROOT / "requirements/runtime.txt",
    ]
    commands: list[list[str | Path]] = [
        [ROOT / "scripts/make-venv", venv],
        [*installs, *requirements],
        [*installs, "--no-deps", wheel(release)],
    ]
    for command in commands:
        subprocess.run(command, cwd=tmp_path, check=True, timeout=600)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [venv / "bin/connect", *arguments],
            cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("--version") == f"connect {VERSION}\n"
    assert "Start everything on this machine" in run("up", "--help")
    assert "CONNECT_DATABASE_URL" in run("config", "show")
    assert "OTTO Market" in run("interfaces", "systems")


def test_the_number_is_written_in_one_place() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'dynamic = ["version"]' in project
    assert re.search(r'\[tool\.hatch\.version\]\npath = "shared/version\.py"', project)
    assert f'version = "{VERSION}"' not in project
