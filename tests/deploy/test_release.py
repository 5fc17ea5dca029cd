"""What `make release` builds: complete, twice the same, without a trace of where it was built, and it runs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from shared.version import VERSION
from tests.support.moved_clock import moved

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
HOST = re.compile(r"https?://([\w.-]+)")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a release."""
    into = tmp_path_factory.mktemp("release")
    build(ROOT, into)
    return into


def build(source: Path, into: Path, *, umask: int = -1, **environment: str) -> None:
    """Build a release out of a folder, as `make release` does."""
    done = subprocess.run(
        [source / "scripts/release", into],
        env={**os.environ, "BIN": str(BIN), **environment},
        umask=umask,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def checkout(folder: Path, umask: int) -> Path:
    """The files of here, at the commit of here, as somebody with this umask has them in their own folder."""
    subprocess.run(["git", "clone", "-q", "--no-checkout", ROOT, folder], check=True, timeout=120)
    for name in tracked("."):
        source, copy = ROOT / name, folder / name
        if source.is_symlink() or not source.exists():
            continue  # removed here, and not committed yet
        for parent in reversed(copy.relative_to(folder).parents):
            (folder / parent).mkdir(mode=0o777 & ~umask, exist_ok=True)
        shutil.copyfile(source, copy)
        copy.chmod((0o777 if os.access(source, os.X_OK) and source.stat().st_mode & 0o100 else 0o666) & ~umask)
    return folder


def wheel(release: Path) -> Path:
    return release / f"connect_journal-{VERSION}-py3-none-any.whl"


def document(release: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((release / f"connect_journal-{VERSION}.cdx.json").read_text(encoding="utf-8"))
    return read


def tracked(*folders: str) -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *(folders or ("services", "shared"))],
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
def test_the_same_comes_of_the_same_commit_wherever_and_whenever(tmp_path: Path) -> None:
    mine, theirs = checkout(tmp_path / "mine", 0o022), checkout(tmp_path / "home" / "of somebody else", 0o077)
    for path in theirs.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    build(mine, tmp_path / "first", umask=0o022, TZ="UTC", LC_ALL="C")
    (tmp_path / "clock").mkdir()
    build(
        theirs, tmp_path / "second", umask=0o077, TZ="Pacific/Kiritimati", LC_ALL="C.UTF-8", PYTHONHASHSEED="7",
        **moved(1000 * 24, tmp_path / "clock"),
    )  # fmt: skip
    first, second = (content(tmp_path / name) for name in ("first", "second"))
    different = {name: sorted(set(first[name].items()) ^ set(second[name].items())) for name in first}
    assert different == {name: [] for name in first}
    sums = [(tmp_path / name / "SHA256SUMS").read_text() for name in ("first", "second")]
    assert sums[0] == sums[1]


def content(release: Path) -> dict[str, dict[str, str]]:
    """Of each file of a release what is in it: member → digest, mode and time."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(release.glob("connect_journal-*")):
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as packed:
                found[path.name] = {
                    one.filename: f"{digest(packed.read(one))} {one.external_attr:o} {one.date_time}"
                    for one in packed.infolist()
                }
        elif path.suffix == ".gz":
            with tarfile.open(path) as source:
                found[path.name] = {
                    one.name: f"{digest(file.read())} {one.mode:o} {one.mtime} {one.uid} {one.uname}"
                    for one in source.getmembers()
                    if (file := source.extractfile(one))
                }
        else:
            found[path.name] = {path.name: digest(path.read_bytes())}
    assert len(found) == 3
    return found


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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
