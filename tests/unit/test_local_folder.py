"""The data folder: one run at a time, secrets that stay, and ports that are free."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from services.cli.local import ports
from services.cli.local.who import listener
from services.cli.up.folder import DataFolder, FolderInUse


def test_a_second_run_is_told_where_the_first_is(tmp_path: Path) -> None:
    first = DataFolder(tmp_path / "with space")
    first.take()
    first.announce({"journal": "http://127.0.0.1:8080"})
    with pytest.raises(FolderInUse, match=rf"http://127\.0\.0\.1:8080 \(process {os.getpid()}\)"):
        DataFolder(tmp_path / "with space").take()


def test_up_json_of_a_run_that_was_killed_is_removed(tmp_path: Path) -> None:
    (tmp_path / "up.json").write_text("{}")
    folder = DataFolder(tmp_path)
    folder.take()
    assert not folder.up.exists()


def test_up_json_and_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    secret, new = folder.kept_secret("secret-key")
    assert new
    assert DataFolder(tmp_path).kept_secret("secret-key") == (secret, False)
    folder.announce({"token": "t"})
    assert {path.stat().st_mode & 0o777 for path in (folder.up, tmp_path / "secret-key")} == {0o600}


def test_a_taken_port_moves_and_its_holder_is_named() -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        assert not ports.free_soon(port, patience=0)
        assert ports.prefer(port) != port
        assert f"(process {os.getpid()})" in str(listener(port))
    assert ports.prefer(port) == port
