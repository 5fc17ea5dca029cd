"""Finds Prometheus and what belongs to it for the tests: on the PATH, else Debian's packages, unpacked for this user.

They lie in the user's cache beside RabbitMQ's programs; nothing is installed and nothing is started by itself.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from services.cli.local import debian_packages
from services.cli.local.debian_packages import PackagesMissing, Wanted
from tests.support.servers import programs

NAMES = ("prometheus", "promtool", "prometheus-alertmanager", "amtool", "prometheus-postgres-exporter")
# Linked statically but for the C library; the packages' other dependencies are for the service and its old pages.
MONITORS = Wanted(
    "Prometheus", ("prometheus", "prometheus-alertmanager", "prometheus-postgres-exporter"), r"(?!)"
)  # fmt: skip


class NoMonitors(RuntimeError):
    """Says in one plain sentence why there is no Prometheus and what to do."""


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def monitor(name: str, say: Callable[[str], None] = _say) -> Path:
    """The program of this name, one of NAMES. The first call on a machine downloads 34 MB. Raises NoMonitors."""
    assert name in NAMES
    if found := shutil.which(name, path=debian_packages.PATH):
        return Path(found)
    folder = programs().resolve() / "prometheus"
    try:
        debian_packages.unpack(MONITORS, folder, _finish, say)
    except PackagesMissing as error:
        raise NoMonitors(
            f"There is no Prometheus to test the rules with, and none could be fetched, because {error}: install"
            f" {', '.join(MONITORS.packages)}."
        ) from error
    return folder / "usr" / "bin" / name


def _finish(root: Path, _final: Path) -> None:
    """See that each of them starts here."""
    for name in NAMES:
        tried = subprocess.run(
            [root / "usr" / "bin" / name, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
        if tried.returncode != 0:
            raise PackagesMissing(f"the unpacked {name} does not start: {tried.stderr.strip()[-200:]}")
