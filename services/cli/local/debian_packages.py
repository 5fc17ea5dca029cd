"""Unpacks programs of Debian's packages into a folder, without root and without installing anything.

Enters: package names, which of their dependencies they cannot do without, a folder. Leaves: that folder, complete or
not at all. Called by `rabbitmq_binaries.py` and by the tests for their browser. Only the system's own package tools
are used (`apt-get`, `dpkg -x`): they choose the versions and check the signatures.
"""

import fcntl
import math
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAY_TAKE_SECONDS = 1800.0
SAYS_EVERY_SECONDS = 5.0
# They match the system's loader and shells; a second copy on a library path crashes every program.
STAYS_WITH_THE_SYSTEM = re.compile(r"(libc6|libc-bin|libc-l10n|locales|libcrypt1)(:.*)?$")


class PackagesMissing(RuntimeError):
    """Says in one plain sentence why the packages cannot be had here."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`packages` are unpacked in any case.

    `needs` matches the whole names of those direct dependencies of theirs that come along, with all that these need
    in turn and that the system has not installed. What it does not match is left out (an init system, say).
    """

    title: str
    packages: tuple[str, ...]
    needs: str


def unpack(
    wanted: Wanted, final: Path, finish: Callable[[Path, Path], None], say: Callable[[str], None] = lambda _: None
) -> None:
    """Unpack into `final`, unless it is there; however many processes ask, one does it.

    `finish(root, final)` may change the files in `root` before it is renamed to `final`, or refuse them by raising.
    Unfinished things lie beside `final`. Raises PackagesMissing, OSError.
    """
    cache = final.parent
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"{final.name}.lock"):
        if final.exists():
            return  # somebody else was faster
        for tool in ("apt-get", "apt-cache", "dpkg"):
            if shutil.which(tool, path=PATH) is None:
                raise PackagesMissing(f"this system has no {tool}")
        work = cache / f"{final.name}.unfinished"
        shutil.rmtree(work, ignore_errors=True)
        packages = work / "packages"
        packages.mkdir(parents=True)
        try:
            # Lists of its own for each: two that fetch at once would be in each other's way.
            _fetch(wanted, packages, work / "apt", say)
            for package in sorted(packages.glob("*.deb")):
                _run(["dpkg", "-x", str(package), str(work / "root")], work)
            finish(work / "root", final)
            # Renamed when it is complete: what lies under the final name is never half.
            (work / "root").rename(final)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _fetch(wanted: Wanted, packages: Path, lists: Path, say: Callable[[str], None]) -> None:
    """Download by the system's package lists; where it has none, or old ones, by lists of our own."""
    try:
        return _download(wanted, [], packages, say)
    except PackagesMissing:
        for package in packages.glob("*.deb"):
            package.unlink()  # of versions that may not go together with what comes now
    say("Reading the package lists")
    for folder in ("lists/partial", "cache/archives/partial"):
        (lists / folder).mkdir(parents=True, exist_ok=True)
    options = ["-o", f"Dir::State::lists={lists}/lists", "-o", f"Dir::Cache={lists}/cache"]
    try:
        _run(["apt-get", *options, "-q", "update"], packages)
        unread = ""
    except PackagesMissing as error:
        unread = str(error)  # one dead source of several does no harm
    try:
        return _download(wanted, options, packages, say)
    except PackagesMissing as error:
        raise PackagesMissing(unread or str(error)) from error


def _download(wanted: Wanted, options: list[str], folder: Path, say: Callable[[str], None]) -> None:
    names = list(dict.fromkeys([*wanted.packages, *_closure(wanted, options, folder)]))
    download = ["apt-get", *options, "-q", "download"]
    # A line is: 'address' file size checksum
    planned = _run([*download, "--print-uris", *names], folder).splitlines()
    megabytes = math.ceil(sum(int(line.split()[2]) for line in planned if line.startswith("'")) / 1e6)
    say(f"Fetching {wanted.title} (once, packages: {len(names)}, {megabytes} MB)")

    def so_far() -> None:
        here = sum(file.stat().st_size for file in folder.glob("*.deb")) / 1e6
        say(f"Fetching {wanted.title}: {here:.0f} of {megabytes} MB")

    _run([*download, *names], folder, so_far)


def _closure(wanted: Wanted, options: list[str], folder: Path) -> list[str]:
    """What the system's own resolver would install for the dependencies that match."""
    direct = [
        name
        for name in _dependencies(wanted.packages, options, folder)
        if re.fullmatch(wanted.needs, name) and not STAYS_WITH_THE_SYSTEM.match(name)
    ]
    simulate = ["apt-get", *options, "-q", "--simulate", "--no-install-recommends", "install", *direct]
    # A line is: Inst name [old version] (new version …)
    chosen = [line.split()[1] for line in _run(simulate, folder).splitlines() if line.startswith("Inst ")]
    return [name for name in chosen if not STAYS_WITH_THE_SYSTEM.match(name)]


def _dependencies(packages: Sequence[str], options: list[str], folder: Path) -> Iterator[str]:
    """The direct dependencies; of several that would do, the first."""
    settled = False
    for line in _run(["apt-cache", *options, "depends", "--important", *packages], folder).splitlines():
        found = re.match(r" ( |\|)(?:Pre)?Depends: (\S+)", line)
        if found is None:
            continue
        if not settled and not found[2].startswith("<"):
            yield found[2]
        settled = found[1] == "|"


def _run(command: list[str], folder: Path, meanwhile: Callable[[], None] = lambda: None) -> str:
    """What a command printed. `meanwhile` is called every few seconds."""
    environment = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    deadline = time.monotonic() + MAY_TAKE_SECONDS
    with subprocess.Popen(  # noqa: S603
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        try:
            while True:
                try:
                    printed, complained = process.communicate(timeout=SAYS_EVERY_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    if time.monotonic() > deadline:
                        raise PackagesMissing(f"{' '.join(command[:1])} took longer than half an hour") from None
                    meanwhile()
        finally:
            process.kill()
    if process.returncode != 0:
        said = [line for line in (complained.strip() or printed.strip()).splitlines() if not line.startswith("W:")]
        reason = said[-1] if said else f"it ended with {process.returncode}"
        raise PackagesMissing(f"{command[0]} said: {reason}")
    return printed


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
