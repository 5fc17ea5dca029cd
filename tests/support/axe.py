"""Finds axe-core, which looks for what keeps people out of a page: fetched once by npm, checked, kept in the cache."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.support.servers import programs

VERSION = "4.14.1"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
"""Of the package as npm names it, in Base64."""

SECONDS = 300


class NoAxe(RuntimeError):
    """Says in one plain sentence why axe-core is not to be had and what to do."""


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def axe_script(say: Callable[[str], None] = _say) -> str:
    """The text of the script to put into a page; CONNECT_TEST_AXE names a file to take instead. Raises NoAxe."""
    if named := os.environ.get("CONNECT_TEST_AXE"):
        return Path(named).read_text(encoding="utf-8")
    script = programs() / f"axe-core-{VERSION}.js"
    script.parent.mkdir(parents=True, exist_ok=True)
    with script.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # however many tests ask, one fetches
        if not script.exists():
            say(f"Fetching axe-core {VERSION} (once, 1 MB)")
            unfinished = script.with_suffix(".unfinished")
            unfinished.write_bytes(_fetched())
            unfinished.rename(script)
    return script.read_text(encoding="utf-8")


def _fetched() -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise NoAxe("The pages cannot be checked with axe-core, because npm is missing: install it (Debian: npm).")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--ignore-scripts", f"axe-core@{VERSION}"]
        try:
            packed = subprocess.run(
                command,
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise NoAxe(
                f"npm did not bring axe-core within {SECONDS} s: see whether it reaches its registry."
            ) from None
        found = list(Path(folder).glob("*.tgz"))
        if packed.returncode != 0 or not found:
            raise NoAxe(f"npm could not bring axe-core: {(packed.stderr or packed.stdout).strip()[-200:]}")
        digest = base64.b64encode(hashlib.sha512(found[0].read_bytes()).digest()).decode()
        if digest != SHA512:
            raise NoAxe(f"What npm brought as axe-core {VERSION} is another file than before ({digest}): look into it.")
        with tarfile.open(found[0]) as package:
            member = package.extractfile("package/axe.min.js")
            assert member is not None
            return member.read()
