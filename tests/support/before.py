"""The release before this one, as a tree of files whose processes can be started beside ours.

It is the last tag, or the commit in `CONNECT_TEST_OLD`; without either it is the last commit that lacks the newest
migration, so that there is something to migrate.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sandbox import PROJECT
from tests.support.system import System

PREPARE = """\
import json, sys
from pathlib import Path
from types import SimpleNamespace
from tests.support.system import System
folder, database, broker, addresses = sys.argv[1:]
System(Path(folder), database, broker, SimpleNamespace(addresses=json.loads(addresses))).prepare()
"""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A worktree of the release before."""
    commit = os.environ.get("CONNECT_TEST_OLD") or _git("describe", "--tags", "--abbrev=0")
    if not commit:
        newest = sorted((PROJECT / "shared/db/migrations").glob("*.sql"))[-1].relative_to(PROJECT)
        brought = _git("log", "--diff-filter=A", "--format=%H", "--", str(newest)).splitlines()
        commit = f"{brought[-1]}^" if brought else ""
    if not commit:
        pytest.skip("there is no history here: set CONNECT_TEST_OLD to a commit")
    folder = tmp_path_factory.mktemp("before") / "tree"
    subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(folder), commit], cwd=PROJECT, check=True)
    try:
        yield folder
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(folder)], cwd=PROJECT, check=True)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def prepare(system: System, tree: Path) -> None:
    """What `System.prepare` does, by the code of that tree: its schema, its topology, its interface."""
    addresses = json.dumps(system.stand.addresses)
    command = [sys.executable, "-c", PREPARE, str(system.folder), system.database_url, system.broker_url, addresses]
    subprocess.run(command, cwd=tree, check=True, env=os.environ | {"PYTHONPATH": str(tree)})
