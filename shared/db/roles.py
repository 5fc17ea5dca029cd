"""The roles of a database, beside its owner: who may do what, as data, and the one place that makes and grants them.

| role                  | may                                                                                      |
|-----------------------|------------------------------------------------------------------------------------------|
| the owner             | everything in this database; `connect migrate`, `connect db`                             |
| `<database>_services` | read and write rows, never the schema; of what is written once: add and read only        |
| `<database>_reading`  | read what reports and the metrics' exporter need: nothing sealed, nothing of buyers      |

Roles are the server's, hence the database's name in theirs. Who makes roles (`make`) has to be allowed to; what they
may do is granted (`grant`) by each `migrate` as the owner, so that no new table waits for a hand. Without the roles
nothing changes: one role may do it all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import psycopg
from psycopg import sql

Kind = Literal["services", "reading"]
Plain = psycopg.Connection[tuple[Any, ...]]
KINDS: tuple[Kind, ...] = ("services", "reading")

WRITTEN_ONCE: Mapping[str, tuple[str, ...]] = {"audit": (), "audit_chain": (), "transitions": ("reason",)}
"""Services add to these and read them; what is too old goes through a function of the owner. Of a column here they may
overwrite what stands in it: a reason quotes what was wrong with an order, and a person in it has to be erasable. What
happened, when and by whom stays."""

READ_ONLY = ("schema_migrations", "archive_parts", "archived")

TENDED = ("records", "payloads", "events", "articles", "blocks")
"""Young tables whose statistics the services take, which is a right of its own since PostgreSQL 17."""
MAINTAIN_SINCE = 170_000

REPORTED: Mapping[str, tuple[str, ...]] = {
    "alarm_facts": (),
    "archive_parts": (),
    "archived": (),
    "arrivals": (),
    "articles": (),
    "attempts": ("detail",),
    "audit": (),
    "audit_chain": (),
    "causes": ("note",),
    "cursors": (),
    "duplicates": (),
    "erp_cursors": (),
    "errands": ("result",),
    "events": (),
    "flow_modes": (),
    "flow_overrides": (),
    "hints": (),
    "incidents": ("problem",),
    "interfaces": (),
    "listings": (),
    "mappings": (),
    "parts": ("reason",),
    "records": ("reason",),
    "rejections": ("raw", "problems", "result"),
    "rollup_inputs": (),
    "rollup_minutes": (),
    "rollup_totals": (),
    "rollup_watch": (),
    "schema_migrations": (),
    "shipments": ("document", "remarks"),
    "side_states": (),
    "transitions": ("reason",),
    "troubles": ("problem",),
}
"""What reports read, and which columns are left out because they quote buyers. A table that is not here is closed."""


class MayNotMakeRoles(Exception):
    """The role we are may not make roles; the message says who has to do what."""


def role(database: str, kind: Kind) -> str:
    """The name of a role: 63 letters at most, as PostgreSQL has it."""
    return f"{database[: 62 - len(kind)]}_{kind}"


def existing(conn: Plain) -> dict[Kind, str]:
    """Those of this database's roles that are there."""
    names: dict[Kind, str] = {kind: role(conn.info.dbname, kind) for kind in KINDS}
    rows = conn.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", (list(names.values()),)).fetchall()
    there = {row[0] for row in rows}
    return {kind: name for kind, name in names.items() if name in there}


def make(conn: Plain, database: str, passwords: Mapping[Kind, str]) -> list[str]:
    """Make the roles that are missing and give each the password that is said; returns the names of those made.

    conn: of somebody who may make roles. A password leaves here as its verifier only, so no log of the server has it.
    Raises MayNotMakeRoles.
    """
    made = []
    with conn.transaction():
        for kind, password in passwords.items():
            name = role(database, kind)
            verifier = conn.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
            known = conn.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
            try:
                for statement in _role(name, kind, new=known is None):
                    conn.execute(statement)
                conn.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(verifier)))
            except psycopg.errors.InsufficientPrivilege as error:
                raise MayNotMakeRoles(
                    f"The role {conn.info.user} may not make roles. Let somebody who may run what"
                    f" `connect db roles --sql` prints, or allow it: ALTER ROLE {conn.info.user} CREATEROLE"
                ) from error
            if known is None:
                made.append(name)
            _let_look(conn, name)
    return made


def script(database: str) -> str:
    """What an administrator runs with psql to make the roles; the passwords are asked for."""
    lines = []
    for kind in KINDS:
        name = role(database, kind)
        lines += [f"{statement.as_string(None)};" for statement in _role(name, kind, new=True)]
        lines.append(f"GRANT pg_monitor TO {sql.Identifier(name).as_string(None)};")
        lines.append(f"\\password {name}")
    return "\n".join(lines) + "\n"


def grant(conn: Plain) -> list[str]:
    """Give the roles that exist exactly what they may do in this database; returns their names.

    conn: of the owner. All at once or nothing: whoever works meanwhile never finds a right missing.
    """
    there = existing(conn)
    if not there:
        return []
    with conn.transaction():
        _alone(conn)
        _close_to_everybody(conn)
        tables = _tables(conn)
        for table in {*WRITTEN_ONCE, *READ_ONLY}.intersection(tables):
            conn.execute(sql.SQL("REVOKE ALL ON public.{} FROM PUBLIC").format(sql.Identifier(table)))
        for kind, name in there.items():
            who = sql.Identifier(name)
            _let_in(conn, name)
            conn.execute(sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(who))
            (_to_services if kind == "services" else _to_reading)(conn, who, tables)
        if "services" in there:
            grant_queues(conn)
    return sorted(there.values())


def grant_queues(conn: Plain) -> None:
    """Let the services work with the queues of pgmq, where they are: put in, take out; not make or drop."""
    name = existing(conn).get("services")
    found = conn.execute(
        "SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'pgmq'"
        " AND to_regclass('pgmq.meta') IS NOT NULL"
    ).fetchone()
    if name is None or found != (True,):
        return
    _alone(conn)
    who = sql.Identifier(name)
    queues = conn.execute("SELECT format('pgmq.%I', 'q_' || queue_name) FROM pgmq.meta ORDER BY 1").fetchall()
    conn.execute(sql.SQL("GRANT USAGE ON SCHEMA pgmq TO {}").format(who))
    conn.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA pgmq TO {}").format(who))
    conn.execute(sql.SQL("GRANT SELECT ON ALL SEQUENCES IN SCHEMA pgmq TO {}").format(who))
    for (queue,) in queues:
        conn.execute(sql.SQL("GRANT INSERT, UPDATE, DELETE ON {} TO {}").format(sql.SQL(queue), who))


def _role(name: str, kind: Kind, *, new: bool) -> Sequence[sql.Composed]:
    who = sql.Identifier(name)
    rights = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS" if new else "LOGIN")
    word = sql.SQL("CREATE ROLE" if new else "ALTER ROLE")
    statements = [sql.SQL("{} {} {}").format(word, who, rights)]
    if kind == "reading":
        statements.append(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(who))
        statements.append(sql.SQL("ALTER ROLE {} SET statement_timeout = '60s'").format(who))
    return statements


def _let_look(conn: Plain, name: str) -> None:
    """Sizes, sessions and settings of the server, for the status page and the metrics; done without where forbidden."""
    try:
        with conn.transaction():
            conn.execute(sql.SQL("GRANT pg_monitor TO {}").format(sql.Identifier(name)))
    except psycopg.errors.InsufficientPrivilege:
        return  # they still see their own sessions


def _alone(conn: Plain) -> None:
    """Two who grant at once would meet in the same rows of the catalogue, and one would fail."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtext('connect.roles'))")


def _let_in(conn: Plain, name: str) -> None:
    """Into the database and its schema; mostly everybody is, and then who owns neither need not say so."""
    row = conn.execute(
        "SELECT has_database_privilege(%(who)s, current_database(), 'CONNECT'),"
        " has_schema_privilege(%(who)s, 'public', 'USAGE')",
        {"who": name},
    ).fetchone()
    assert row is not None
    who = sql.Identifier(name)
    if not row[0]:
        conn.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(conn.info.dbname), who))
    if not row[1]:
        conn.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(who))


def _close_to_everybody(conn: Plain) -> None:
    """Nobody but the owner makes a table here, not even one for a session."""
    row = conn.execute(
        "SELECT has_schema_privilege('public', 'public', 'CREATE'),"
        " has_database_privilege('public', current_database(), 'TEMP')"
    ).fetchone()
    assert row is not None
    database = sql.Identifier(conn.info.dbname)
    for granted, statement in (
        (row[0], sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC")),
        (row[1], sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(database)),
    ):
        if granted:
            try:
                with conn.transaction():
                    conn.execute(statement)
            except psycopg.errors.InsufficientPrivilege:
                continue  # the schema is somebody else's: `connect doctor` says so


def _tables(conn: Plain) -> list[str]:
    """Tables and views of ours; partitions are reached through their table only."""
    rows = conn.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')"
        " AND NOT relispartition AND pg_has_role(relowner, 'USAGE') ORDER BY relname"
    ).fetchall()
    return [row[0] for row in rows]


def _to_services(conn: Plain, who: sql.Identifier, tables: Sequence[str]) -> None:
    for table in tables:
        rights = "SELECT, INSERT, UPDATE, DELETE"
        if table in READ_ONLY:
            rights = "SELECT"
        elif table in WRITTEN_ONCE:
            rights = "SELECT, INSERT" + "".join(f", UPDATE ({column})" for column in WRITTEN_ONCE[table])
        if table in TENDED and conn.info.server_version >= MAINTAIN_SINCE:
            rights += ", MAINTAIN"
        conn.execute(sql.SQL("GRANT {} ON public.{} TO {}").format(sql.SQL(rights), sql.Identifier(table), who))
    conn.execute(sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(who))
    # What only the owner may do and services need done: each such function checks what it is asked for.
    functions = conn.execute(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
        " AND pg_has_role(proowner, 'USAGE')"
    ).fetchall()
    for (function,) in functions:
        conn.execute(sql.SQL("REVOKE ALL ON FUNCTION {} FROM PUBLIC").format(sql.SQL(function)))
        conn.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.SQL(function), who))


def _to_reading(conn: Plain, who: sql.Identifier, tables: Sequence[str]) -> None:
    for table, closed in REPORTED.items():
        if table not in tables:
            continue
        columns = conn.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(format('public.%%I', %s::text))"
            " AND attnum > 0 AND NOT attisdropped AND attname <> ALL(%s) ORDER BY attnum",
            (table, list(closed)),
        ).fetchall()
        named = sql.SQL(", ").join(sql.Identifier(column) for (column,) in columns)
        rights = sql.SQL("SELECT ({})").format(named) if closed else sql.SQL("SELECT")
        conn.execute(sql.SQL("GRANT {} ON public.{} TO {}").format(rights, sql.Identifier(table), who))
