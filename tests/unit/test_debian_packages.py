"""Unpacking Debian's packages: complete or not at all, whatever the system's package lists are worth."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli.local import debian_packages
from services.cli.local.debian_packages import PackagesMissing, Wanted, unpack

# Stand-ins of the system's tools. With the system's own lists (no Dir::State) nothing can be downloaded any more.
APT_GET = """#!/bin/sh
case "$*" in
*--print-uris*) echo "'address' game.deb 1500000 sum" ;;
*--simulate*) for name in "$@"; do case $name in lib*) echo "Inst $name (1)" ;; esac; done; echo 'Inst libc6 (2)' ;;
*Dir::State*update*) ;;
*Dir::State*download*) for name in "$@"; do case $name in game|lib*) echo new > $name.deb ;; esac; done ;;
*download*) echo old > game.deb; echo 'E: 404 Not Found' >&2; exit 100 ;;
esac
"""
APT_CACHE = """#!/bin/sh
printf 'game\\n  Depends: libc6\\n |Depends: libone\\n  Depends: libother\\n  Depends: init\\n  PreDepends: libtwo\\n'
"""
DPKG = """#!/bin/sh
mkdir -p "$3" && cp "$2" "$3/"
"""
GAME = Wanted("the game", ("game",), r"lib.*")


@pytest.fixture(autouse=True)
def _tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (("apt-get", APT_GET), ("apt-cache", APT_CACHE), ("dpkg", DPKG)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    monkeypatch.setattr(debian_packages, "PATH", f"{tools}:/usr/bin:/bin")


def nothing(_root: Path, _final: Path) -> None:
    """No last touch."""


def test_old_package_lists_are_replaced_by_own_ones_and_only_what_is_needed_comes(tmp_path: Path) -> None:
    final = tmp_path / "cache" / "game"
    said: list[str] = []
    unpack(GAME, final, nothing, said.append)
    assert {file.name: file.read_text() for file in final.iterdir()} == {
        "game.deb": "new\n",
        "libone.deb": "new\n",
        "libtwo.deb": "new\n",
    }
    assert "Reading the package lists" in said
    assert said[-1] == "Fetching the game (once, packages: 3, 2 MB)"
    assert sorted(path.name for path in final.parent.iterdir()) == ["game", "game.lock"]


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    final = tmp_path / "cache" / "game"
    final.mkdir(parents=True)
    unpack(GAME, final, nothing)
    assert list(final.iterdir()) == []


def test_what_is_refused_in_the_end_leaves_nothing(tmp_path: Path) -> None:
    def refuse(root: Path, _final: Path) -> None:
        assert (root / "game.deb").exists()
        raise PackagesMissing("it does not start")

    final = tmp_path / "cache" / "game"
    with pytest.raises(PackagesMissing, match="does not start"):
        unpack(GAME, final, refuse)
    assert [path.name for path in final.parent.iterdir()] == ["game.lock"]


def test_a_missing_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian_packages, "PATH", str(tmp_path / "none"))
    with pytest.raises(PackagesMissing, match="no apt-get"):
        unpack(GAME, tmp_path / "cache" / "game", nothing)
