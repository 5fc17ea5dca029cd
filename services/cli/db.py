"""`connect db roles`: makes the database's roles, or says which are there and what they may do."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.printing import Printer
from services.cli.secret_values import given_secrets
from services.cli.session import Session
from services.cli.trouble import FAILED, Trouble
from shared.db import roles as database_roles
from shared.db.connect import Connection

app = typer.Typer(help="The database's roles, beside its owner.")

MAY = {
    "services": "reads and writes rows, cannot change the schema; audit and history: adds and reads",
    "reading": "reads for reports and metrics; nothing sealed, nothing of buyers",
}


@app.callback()
def group() -> None:
    """Keeps `roles` a word of its own although it is the only command here."""


@app.command()
def roles(
    ctx: typer.Context,
    passwords: Annotated[list[str] | None, typer.Argument(help="services=@FILE and reading=@FILE")] = None,
    sql: Annotated[bool, typer.Option("--sql", help="print what an administrator runs with psql instead")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be made, change nothing")] = False,
    as_json_: Annotated[bool, typer.Option("--json", help="one JSON document for programs")] = False,
) -> None:
    """Make the roles that services and reports log in as, give them their passwords and exactly what they may do.

    \b
    connect db roles                                     which there are
    connect db roles services=@services reading=@reading make them, or change their passwords
    connect db roles --sql                               where only an administrator makes roles

    Run it as the owner of the database, who has to be allowed to make roles (CREATEROLE). Then let the services'
    CONNECT_DATABASE_URL name the role <database>_services; keep the owner's for `connect migrate` and this command.
    """
    session: Session = ctx.obj
    printer = Printer()
    given = given_secrets(passwords or (), None, database_roles.KINDS)
    with session.database() as conn:
        if sql:
            script = database_roles.script(conn.info.dbname)
            printer.json({"sql": script}) if as_json_ else printer.line(script.rstrip("\n"))
            return
        made: list[str] = []
        if given and not dry_run:
            made = _make(conn, {kind: given[kind] for kind in database_roles.KINDS if kind in given})
        _say(conn, printer, given, made, as_json=as_json_, dry_run=dry_run)


def _make(conn: Connection, passwords: dict[database_roles.Kind, str]) -> list[str]:
    try:
        made = database_roles.make(conn, conn.info.dbname, passwords)
    except database_roles.MayNotMakeRoles as error:
        raise Trouble(f"{error}.", FAILED) from error
    database_roles.grant(conn)
    return made


def _say(
    conn: Connection, printer: Printer, given: dict[str, str], made: list[str], *, as_json: bool, dry_run: bool
) -> None:
    there = database_roles.existing(conn)
    names = {kind: database_roles.role(conn.info.dbname, kind) for kind in database_roles.KINDS}
    if as_json:
        found = [{"role": name, "kind": kind, "there": kind in there} for kind, name in names.items()]
        printer.json({"roles": found, "made": made, "dry_run": dry_run})
        return
    for kind, name in names.items():
        if name in made:
            said = "made"
        elif dry_run and kind in given:
            said = "would get another password" if kind in there else "would be made"
        elif kind in there:
            said = "there"
        else:
            said = f"missing: connect db roles {kind}=@FILE"
        printer.line((f"{name}: ", "head"), (said, "remark" if kind not in there else "ok"), f". It {MAY[kind]}.")
