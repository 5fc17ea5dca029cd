"""Starts a process whose clock goes wrong by hours: Debian's libfaketime, unpacked for this user like the rest.

Only the time of day is moved. What measures seconds (monotonic) is the kernel's, as on a machine whose clock was set.
"""

from __future__ import annotations

from services.cli.local import debian_packages
from services.cli.local.debian_packages import Wanted
from tests.support.servers import programs

PACKAGE = Wanted("libfaketime", ("libfaketime",), r"(?!)")


def moved(hours: float) -> dict[str, str]:
    """The environment of such a process. The first call on a machine downloads 30 kB. Raises PackagesMissing."""
    folder = programs().resolve() / "faketime"
    debian_packages.unpack(PACKAGE, folder, lambda _root, _final: None)
    (library,) = folder.glob("usr/lib/*/faketime/libfaketimeMT.so.1")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{hours * 3600:+.0f}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
