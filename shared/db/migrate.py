"""Applies `migrations/NNNN_name.sql` in order, each in one transaction, under an advisory lock.

Forward only, and followed by what each role may do (`roles.grant`). A file that was applied and then changed is an
error: write a new one. `connect migrate` and `connect up` call `migrate`; services call `pending` and refuse to start
on an old schema.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

import psycopg

from shared.db.connect import connect
from shared.db.roles import grant

LOCK = 0x436F6E6E656374  # "Connect", as the advisory lock's number


class MigrationError(Exception):
    """The database's schema does not fit these files; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. number and name from its file name, checksum of its text."""

    number: int
    name: str
    sql: str
    checksum: str


def files() -> list[Migration]:
    """All migrations of this release, in order."""
    found = []
    for entry in (resources.files("shared.db") / "migrations").iterdir():
        if entry.name.endswith(".sql"):
            sql = entry.read_text(encoding="utf-8")
            number, name = entry.name[:-4].split("_", 1)
            found.append(Migration(int(number), name, sql, hashlib.sha256(sql.encode()).hexdigest()))
    return sorted(found, key=lambda m: m.number)


def _applied(conn: psycopg.Connection[tuple[object, ...]]) -> dict[int, str]:
    if conn.execute("SELECT to_regclass('schema_migrations')").fetchone() == (None,):
        return {}
    rows = conn.execute("SELECT number, checksum FROM schema_migrations").fetchall()
    return {int(str(number)): str(checksum) for number, checksum in rows}


def _missing(applied: dict[int, str]) -> list[Migration]:
    missing = []
    for migration in files():
        if migration.number not in applied:
            missing.append(migration)
        elif applied[migration.number] != migration.checksum:
            raise MigrationError(
                f"migration {migration.number:04d}_{migration.name}.sql was changed after it had been applied: "
                "restore the file and put the change into a new one"
            )
    return missing


def pending(url: str) -> list[str]:
    """Names of the migrations that the database lacks. Raises MigrationError on a changed file."""
    with connect(url, "connect-migrate") as conn:
        return [f"{m.number:04d}_{m.name}" for m in _missing(_applied(conn))]


def missing(conn: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    """The same, on a connection that is there."""
    return [f"{m.number:04d}_{m.name}" for m in _missing(_applied(conn))]


def migrate(url: str) -> list[str]:
    """Apply what is missing; returns the names. Two at once: the second waits and finds nothing to do.

    Raises MigrationError, also where something is missing and the role we are may not change the schema.
    """
    try:
        return _migrate(url)
    except psycopg.errors.InsufficientPrivilege as error:
        if not pending(url):
            return []
        raise MigrationError(
            f"the role of CONNECT_DATABASE_URL may not change the schema ({error.diag.message_primary}): "
            "run `connect migrate` as the database's owner"
        ) from error


def _migrate(url: str) -> list[str]:
    with connect(url, "connect-migrate", statement_timeout=0) as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        conn.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (number integer PRIMARY KEY, name text NOT NULL,"
            " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        done = []
        for migration in _missing(_applied(conn)):
            with conn.transaction():
                conn.execute("SET LOCAL lock_timeout = '5s'")
                conn.execute(migration.sql.encode())
                conn.execute(
                    "INSERT INTO schema_migrations(number, name, checksum) VALUES (%s, %s, %s)",
                    (migration.number, migration.name, migration.checksum),
                )
            done.append(f"{migration.number:04d}_{migration.name}")
        grant(conn)
        conn.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
        return done
