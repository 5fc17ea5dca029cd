"""Finds the browser for the tests of the pages: the one named, one on the PATH, else Debian's, unpacked for this user.

The unpacked one lies in the user's cache beside RabbitMQ's programs, with its libraries and one plain font; the system
stays as it is, also for root.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.cli.local import debian_packages
from services.cli.local.debian_packages import PackagesMissing, Wanted
from tests.support.servers import programs

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Without a window it needs none of GTK, and draws without Mesa's drivers.
CHROMIUM = Wanted("Chromium", ("chromium", "chromium-common", "fonts-dejavu-core"), r"lib(?!gtk-).*")
# Playwright's own program needs it, and Debian does not bring it to every machine.
LIBATOMIC = Wanted("what Playwright needs", ("libatomic1",), r"gcc-\d+-base")
STARTER = "chromium-with-its-libraries"

SCRIPT = """\
#!/bin/sh
# Starts the unpacked browser with the libraries and fonts that were unpacked with it.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd -P) || exit 1
export LD_LIBRARY_PATH="{libraries}"
export FONTCONFIG_FILE="$here/fonts.conf"
exec "$here/usr/lib/chromium/chromium" "$@"
"""

FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir prefix="relative">usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
  <alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
  <alias><family>serif</family><prefer><family>DejaVu Serif</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
  <match target="pattern">
    <edit name="family" mode="append_last" binding="weak"><string>DejaVu Sans</string></edit>
  </match>
</fontconfig>
"""


class NoBrowser(RuntimeError):
    """Says in one plain sentence why there is no browser and what to do."""


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def chromium(say: Callable[[str], None] = _say) -> Path:
    """The program to start. The first call on a machine without one downloads about 130 MB. Raises NoBrowser."""
    if named := os.environ.get("CONNECT_TEST_CHROMIUM"):
        if shutil.which(named) is None:
            raise NoBrowser(f"CONNECT_TEST_CHROMIUM names {named}, which is no program: correct it, or unset it.")
        return Path(named)
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    folder = programs().resolve() / "chromium"
    try:
        debian_packages.unpack(CHROMIUM, folder, _finish, say)
    except PackagesMissing as error:
        raise NoBrowser(
            f"There is no browser to test the pages with, and none could be fetched, because {error}: install chromium,"
            " or say where one is: CONNECT_TEST_CHROMIUM=/path/to/chromium."
        ) from error
    return folder / STARTER


@contextmanager
def playwright_libraries(say: Callable[[str], None] = _say) -> Iterator[None]:
    """Within it, Playwright's program starts on a machine without libatomic too. Raises NoBrowser."""
    try:
        ctypes.CDLL("libatomic.so.1")
    except OSError:
        pass
    else:
        yield
        return
    folder = programs().resolve() / "libatomic"
    try:
        debian_packages.unpack(LIBATOMIC, folder, lambda _root, _final: None, say)
    except PackagesMissing as error:
        raise NoBrowser(
            f"Playwright needs libatomic, which could not be fetched, because {error}: install it."
        ) from error
    before = os.environ.get("LD_LIBRARY_PATH")
    os.environ["LD_LIBRARY_PATH"] = ":".join(str(file.parent) for file in folder.glob("usr/lib/*/libatomic.so.1"))
    try:
        yield
    finally:
        del os.environ["LD_LIBRARY_PATH"]
        if before is not None:
            os.environ["LD_LIBRARY_PATH"] = before


def _finish(root: Path, _final: Path) -> None:
    """Write the script that starts it, and see that it finds all its libraries."""
    libraries = {file.parent for top in ("lib", "usr/lib") for file in root.glob(f"{top}/*-linux-gnu*/**/*.so*")}
    near = sorted(folder.relative_to(root) for folder in libraries if len(folder.relative_to(root).parts) < 5)
    (root / "fonts.conf").write_text(FONTS)
    starter = root / STARTER
    starter.write_text(SCRIPT.format(libraries=":".join(f"$here/{folder}" for folder in near)))
    starter.chmod(0o755)
    tried = subprocess.run([starter, "--version"], capture_output=True, text=True, timeout=60, check=False)
    if tried.returncode != 0:
        raise PackagesMissing(f"the unpacked chromium does not start: {tried.stderr.strip()[-200:]}")
