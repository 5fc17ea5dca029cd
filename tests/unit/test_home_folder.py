"""A user without a home may run everything: systemd makes such users, and a cluster may run a container as one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.bundle_parts import hidden
from shared.settings import load
from tests.support.sandbox import PROJECT

AS_NOBODY = """
import os, sys
from shared.settings import load
for name in ("HOME", "XDG_DATA_HOME", "CONNECT_DATA_DIR"):
    os.environ.pop(name, None)
os.setgroups([])
os.setgid(64775)
os.setuid(64775)
print(load().data_dir)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody without a name")
def test_somebody_without_a_name_may_read_the_settings() -> None:
    said = subprocess.run([sys.executable, "-c", AS_NOBODY], cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert (said.returncode, said.stdout) == (0, "/.local/share/connect\n"), said.stderr


def test_without_a_home_data_lies_below_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", none)
    for name in ("XDG_DATA_HOME", "CONNECT_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert load().data_dir == Path("/.local/share/connect")
    assert hidden("/var/log/x of a@example.org") == "/var/log/x of •"
