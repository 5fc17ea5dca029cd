"""Finds the programs of RabbitMQ: those of the system, else Debian's packages, unpacked into a folder, without root.

Enters: a cache folder. Leaves: where `rabbitmq-server` and `erl` are. Called by `rabbitmq.py`. Only the system's own
package tools are used (`apt-get download`, `dpkg -x`): they check the signatures, and nothing is installed.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOME_OF_ERLANG = "/usr/lib/erlang"


class RabbitMQIsMissing(RuntimeError):
    """Says in one plain sentence why RabbitMQ cannot be had here and what to do."""


@dataclass(frozen=True, slots=True)
class Programs:
    """`scripts` holds rabbitmq-server and rabbitmqctl; `path` is the PATH with which they find erl."""

    scripts: Path
    path: str

    def erlang(self, name: str) -> str | None:
        """The full path of an Erlang program (erl, epmd, erl_call), or None."""
        found = shutil.which(name, path=self.path)
        if found is None and (erl := shutil.which("erl", path=self.path)):
            found = shutil.which(name, path=str(Path(erl).resolve().parent))
        return found


def find(cache: Path, *, say: Callable[[str], None] = lambda _: None) -> Programs:
    """Find RabbitMQ on this system, else in `cache`, else unpack it there. Raises RabbitMQIsMissing."""
    return _installed() or _unpacked(cache) or _unpack(cache, say)


def _installed() -> Programs | None:
    server = shutil.which("rabbitmq-server", path=PATH)
    if server is None or shutil.which("erl", path=PATH) is None:
        return None
    real = Path(server).resolve()
    if real.name == "rabbitmq-server":
        return Programs(real.parent, PATH)
    # Debian's wrapper insists on its own user and folders; the scripts that it calls do not.
    scripts = sorted(real.parents[1].glob("lib/rabbitmq_server-*/sbin"))
    return Programs(scripts[-1], PATH) if scripts else None


def _unpacked(cache: Path) -> Programs | None:
    scripts = sorted(cache.glob("rabbitmq/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin"))
    erlang = cache / "rabbitmq" / HOME_OF_ERLANG.lstrip("/") / "bin"
    return Programs(scripts[-1], f"{erlang}:{PATH}") if scripts else None


def _unpack(cache: Path, say: Callable[[str], None]) -> Programs:
    cache = cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "rabbitmq.lock"):
        if programs := _unpacked(cache):
            return programs  # somebody else was faster
        for tool in ("apt-get", "apt-cache", "dpkg"):
            if shutil.which(tool, path=PATH) is None:
                raise RabbitMQIsMissing(
                    f"RabbitMQ is not installed, and without {tool} Connect cannot fetch it: install rabbitmq-server, "
                    "or set CONNECT_AMQP_URL to a RabbitMQ of your own, or use the broker inside PostgreSQL."
                )
        work = cache / f"unfinished.{os.getpid()}"
        shutil.rmtree(work, ignore_errors=True)
        try:
            _fetch(work / "packages", cache / "apt", say)
            for package in sorted((work / "packages").glob("*.deb")):
                _run(["dpkg", "-x", str(package), str(work / "root")], work)
            _move_erlang(work / "root", cache / "rabbitmq")
            # Renamed when it is complete: what lies under the final name is never half.
            (work / "root").rename(cache / "rabbitmq")
        finally:
            shutil.rmtree(work, ignore_errors=True)
    programs = _unpacked(cache)
    if programs is None:
        raise RabbitMQIsMissing(
            f"The package rabbitmq-server, unpacked in {cache}, holds no server that is known here."
        )
    return programs


def _fetch(packages: Path, apt: Path, say: Callable[[str], None]) -> None:
    """Download rabbitmq-server and what it needs of Erlang; with own package lists where the system has none."""
    packages.mkdir(parents=True)
    options: list[str] = []
    if not _known("rabbitmq-server", options, packages):
        say("Reading the package lists")
        for folder in ("lists/partial", "cache/archives/partial"):
            (apt / folder).mkdir(parents=True, exist_ok=True)
        options = ["-o", f"Dir::State::lists={apt}/lists", "-o", f"Dir::Cache={apt}/cache"]
        _run(["apt-get", *options, "-q", "update"], packages)
        if not _known("rabbitmq-server", options, packages):
            raise RabbitMQIsMissing(
                "This system's package sources know no rabbitmq-server: install RabbitMQ, or set CONNECT_AMQP_URL."
            )
    names = _needed(options, packages)
    say(f"Fetching RabbitMQ and Erlang ({len(names)} packages, about 35 MB)")
    _run(["apt-get", *options, "-q", "download", *names], packages)


def _known(name: str, options: list[str], folder: Path) -> bool:
    return "Candidate: (none)" not in (policy := _run(["apt-cache", *options, "policy", name], folder)) and bool(policy)


def _needed(options: list[str], folder: Path) -> list[str]:
    """rabbitmq-server, every erlang-… that it leads to, and shared libraries that this system has not installed."""
    unwanted = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    listing = ["apt-cache", *options, "depends", "--recurse", *(f"--no-{kind}" for kind in unwanted)]
    names = {line for line in _run([*listing, "rabbitmq-server"], folder).splitlines() if line[:1].isalnum()}
    erlang = sorted(name for name in names if name.startswith("erlang-"))
    direct = _run(["apt-cache", *options, "depends", "--important", *erlang], folder).split()
    libraries = {name for name in direct if name.startswith(("libssl", "libtinfo", "libsctp", "libstdc++", "zlib"))}
    return ["rabbitmq-server", *erlang, *sorted(name for name in libraries if not _has(name, folder))]


def _has(package: str, folder: Path) -> bool:
    try:
        return "install ok installed" in _run(["dpkg-query", "-W", "-f", "${Status}", package], folder)
    except RabbitMQIsMissing:
        return False


def _move_erlang(root: Path, final: Path) -> None:
    """Erlang's start scripts name the folder they were built for; write in the one where they will be."""
    erlang = root / HOME_OF_ERLANG.lstrip("/")
    new = str(final / HOME_OF_ERLANG.lstrip("/"))
    for script in [erlang / "bin" / "erl", erlang / "bin" / "start", *erlang.glob("erts-*/bin/erl")]:
        if script.is_file():
            script.write_text(script.read_text().replace(HOME_OF_ERLANG, new))


def _run(command: list[str], folder: Path) -> str:
    environment = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        reason = said[-1] if said else f"it ended with {done.returncode}"
        raise RabbitMQIsMissing(f"RabbitMQ could not be fetched: {' '.join(command[:2])} said: {reason}")
    return done.stdout


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
