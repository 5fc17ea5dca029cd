"""What is inside a private PostgreSQL cluster: how it is made, its roles, its database, its URL.

Called by `postgres.py` only. `connect` owns the database and may make others (the tests do); what services and reports
log in as is made by `shared/db/roles.py`, as everywhere; `connect_admin` is the superuser, used here alone.
"""

import locale
import os
import secrets
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from shared.db.roles import KINDS, Kind, make, role

DATABASE = "connect"
PASSWORDS: dict[str, str] = {
    "connect": "password",
    "connect_admin": "admin-password",
    **{role(DATABASE, kind): f"{kind}-password" for kind in KINDS},
}
"""Role → the file of its password."""

# Written into postgresql.conf when the cluster is made, so that an operator may change them there.
TUNING = {
    "max_connections": "200",
    "shared_buffers": "128MB",
    "track_commit_timestamp": "on",  # the moment a commit became visible, for latencies and the books
    "jit": "off",  # short statements only: compiling costs more than it saves
    "fsync": "on",
    "synchronous_commit": "on",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "10min",
    "wal_compression": "pglz",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
}


def initdb_command(initdb: Path, data: Path, password_file: Path) -> list[str]:
    """The command that makes a cluster at `data`: scram only, checksums, UTF-8, an order that no C library changes."""
    command = [str(initdb), "-D", str(data), "-U", "connect_admin", f"--pwfile={password_file}"]
    command += ["--auth=scram-sha-256", "--data-checksums", "--encoding=UTF8", "--no-instructions"]
    command += [f"--locale={_utf8_locale()}", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    for name, value in TUNING.items():
        command += ["--set", f"{name}={value}"]
    return command


def url(folder: Path, role: str, port: int, database: str = DATABASE) -> str:
    """A connection URL for one of the roles."""
    return f"postgresql://{role}:{quote(_password(folder, role), safe='')}@127.0.0.1:{port}/{database}"


def complete_passwords(folder: Path) -> None:
    """Make up a password for every role that has none yet: a folder of an earlier release has fewer."""
    for file in PASSWORDS.values():
        if not (folder / file).exists():
            write_private(folder / file, secrets.token_urlsafe(24))


def answers(folder: Path, port: int) -> bool:
    """Whether the server takes connections; the first time, role and database are made as well."""
    try:
        with psycopg.connect(url(folder, "connect_admin", port, "postgres"), connect_timeout=5, autocommit=True) as db:
            if db.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):  # a standby has what its primary has
                _complete(db, folder)
            return True
    except psycopg.OperationalError:
        return False


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, all of it or nothing."""
    draft = path.with_name(path.name + ".new")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def _complete(db: psycopg.Connection[tuple[object, ...]], folder: Path) -> None:
    password = _password(folder, "connect")
    if db.execute("SELECT 1 FROM pg_roles WHERE rolname = 'connect'").fetchone() is None:
        db.execute(sql.SQL("CREATE ROLE connect LOGIN CREATEDB PASSWORD {}").format(sql.Literal(password)))
        db.execute("GRANT pg_monitor TO connect")
    if db.execute("SELECT 1 FROM pg_database WHERE datname = 'connect'").fetchone() is None:
        db.execute("CREATE DATABASE connect OWNER connect")
    passwords: dict[Kind, str] = {kind: _password(folder, role(DATABASE, kind)) for kind in KINDS}
    make(db, DATABASE, passwords)


def _password(folder: Path, role: str) -> str:
    return (folder / PASSWORDS[role]).read_text().strip()


def _utf8_locale() -> str:
    """C.UTF-8 where the system has it, else plain C: it decides about letters in libc calls, not about sorting."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return "C.UTF-8"
