"""A PostgreSQL and its synchronous standby: the primary is killed, the standby promoted, a new one made of the dead.

What an operator's tooling does (Patroni, a cloud's control plane), in the fewest steps that are true to it: nothing is
committed before the standby has it on its disk.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import psycopg

from services.cli.local import cluster, identity
from services.cli.local.cluster import write_private
from services.cli.local.ports import LOOPBACK, any_free
from services.cli.local.postgres import Postgres, find_programs
from tests.support.waiting import until

STANDBY = "standby"
OPTIONS = {"max_connections": "200", "shared_buffers": "128MB", "wal_level": "replica", "hot_standby": "on"}
READY_SECONDS = 60.0


class Pair:
    """Two folders, two ports; which of them is the primary changes with every failover."""

    def __init__(self, folder: Path) -> None:
        self._folders = (folder / "a", folder / "b")
        self._ports = (any_free(), any_free())
        self._main = 0
        self.primary = self._server(0)
        self.standby: Postgres | None = None

    @property
    def url(self) -> str:
        """Names both; libpq finds the one that takes writes."""
        first = cluster.url(self._folders[self._main], "connect", self._ports[0])
        return first.replace(f"{LOOPBACK}:{self._ports[0]}", ",".join(f"{LOOPBACK}:{port}" for port in self._ports))

    def start(self) -> None:
        """A primary that waits for its standby at every commit."""
        if self.primary.alive() and self.standby is not None and self.standby.alive():
            return
        self.primary.start()
        if self.primary.port != self._ports[self._main]:
            raise RuntimeError("somebody else took the port of the primary")
        self.attach()

    def stop(self) -> None:
        """Both."""
        for server in filter(None, (self.standby, self.primary)):
            server.stop()

    def fail_over(self, *, in_order: bool = False) -> None:
        """The primary ends, by kill -9 or in order; then the standby is told to go on alone."""
        assert self.standby is not None
        (self.primary.stop if in_order else self.primary.kill)()
        with self._admin(self.standby) as conn:
            conn.execute("SELECT pg_promote(true, 30)")
        self._main = 1 - self._main
        self.primary, self.standby = self.standby, None

    def attach(self) -> None:
        """Make a new standby, out of a copy of the primary, and let commits wait for it from then on."""
        other = 1 - self._main
        folder = self._folders[other]
        self._copy(folder)
        self.standby = self._server(other)
        self.standby.start()
        with self._admin(self.primary) as conn:
            conn.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
            conn.execute("SELECT pg_reload_conf()")
            synchronous = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
            until(lambda: conn.execute(synchronous).fetchone(), "the standby is synchronous", READY_SECONDS)

    def _server(self, which: int) -> Postgres:
        return Postgres(self._folders[which], port=self._ports[which], options=OPTIONS)

    def _copy(self, folder: Path) -> None:
        """pg_basebackup of the primary, which is to be found again by its name; waits for nobody when promoted."""
        programs = find_programs()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        for name in ("password", "admin-password"):
            write_private(folder / name, (self.primary.folder / name).read_text())
        url = f"{cluster.url(self.primary.folder, 'connect_admin', self.primary.port, 'postgres')}"
        command = [str(programs / "pg_basebackup"), "-D", str(folder / "data"), "-R", "-X", "stream", "-c", "fast"]
        subprocess.run([*command, "-d", f"{url}?application_name={STANDBY}"], check=True, capture_output=True)
        settings = folder / "data" / "postgresql.auto.conf"
        kept = [line for line in settings.read_text().splitlines() if "synchronous_standby_names" not in line]
        settings.write_text("\n".join(kept) + "\n")
        identity.give(folder, identity.choose(folder, programs / "postgres").owner)

    def _admin(self, server: Postgres) -> psycopg.Connection[tuple[object, ...]]:
        url = cluster.url(server.folder, "connect_admin", server.port, "postgres")
        return psycopg.connect(url, autocommit=True, connect_timeout=5)
