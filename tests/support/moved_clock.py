"""Starts a process whose clock goes wrong by hours: Debian's libfaketime, unpacked for this user like the rest.

Only the time of day is moved. What measures seconds (monotonic) is the kernel's, as on a machine whose clock was set.
"""

from __future__ import annotations

from pathlib import Path

from services.cli.local import debian_packages
from services.cli.local.debian_packages import Wanted
from tests.support.servers import programs

PACKAGE = Wanted("libfaketime", ("libfaketime",), r"(?!)")
SLEEPS = """\
# libfaketime refuses the absolute sleeps of Python (clock_nanosleep); waiting for nothing is the same.
import select
import time

time.sleep = lambda seconds: select.select([], [], [], seconds) and None
"""


def moved(hours: float, folder: Path) -> dict[str, str]:
    """The environment of such a process. The first call on a machine downloads 30 kB. Raises PackagesMissing.

    folder: of the test's own.
    """
    unpacked = programs().resolve() / "faketime"
    debian_packages.unpack(PACKAGE, unpacked, lambda _root, _final: None)
    (library,) = unpacked.glob("usr/lib/*/faketime/libfaketimeMT.so.1")
    (folder / "sitecustomize.py").write_text(SLEEPS, encoding="utf-8")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{hours * 3600:+.0f}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": str(folder),
    }
