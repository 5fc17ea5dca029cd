"""`connect users`: people who log in to the Journal."""

from __future__ import annotations

import secrets
import sys
from typing import Annotated

import typer

from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import Trouble
from shared.people.audit import audit
from shared.people.sessions import close_sessions
from shared.people.users import (
    Unset,
    add_user,
    change_user,
    find_user,
    for_audit,
    list_users,
    set_active,
    set_password,
)

app = typer.Typer(help="People who log in to the Journal.")

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="read the password from standard input")]
Name = Annotated[str, typer.Argument(help="login name")]


@app.command()
def add(
    ctx: typer.Context,
    name: Name,
    role: Annotated[str, typer.Option(help="viewer, operator or admin")] = "viewer",
    language: Annotated[str | None, typer.Option(help="de or en; without it, what the browser asks for")] = None,
    time_zone: Annotated[str | None, typer.Option(help="e.g. Europe/Berlin; without it, the installation's")] = None,
    password_stdin: FromStdin = False,
    as_json_: Json = False,
) -> None:
    """Add a user. The password is asked for; away from a terminal one is made and printed once.

    connect users add erika --role operator
    """
    session: Session = ctx.obj
    password, made = _password(password_stdin)
    with session.database() as conn, conn.transaction():
        user_id = add_user(conn, name, password, role, language=language, time_zone=time_zone)
        audit(conn, session.actor, "users.add", {"user": name, "role": role})
    printer = Printer()
    if as_json_:
        printer.json({"id": user_id, "name": name, "role": role, **({"password": password} if made else {})})
    else:
        printer.line(f"{name} can log in as {role}." + (f" Password: {password}" if made else ""))


@app.command("set")
def set_(
    ctx: typer.Context,
    name: Name,
    role: Annotated[str | None, typer.Option(help="viewer, operator or admin")] = None,
    language: Annotated[str | None, typer.Option(help="de or en; “” for what the browser asks for")] = None,
    time_zone: Annotated[str | None, typer.Option(help="e.g. Europe/Berlin; “” for the installation's")] = None,
    may_reveal: Annotated[
        bool | None, typer.Option("--may-reveal/--no-reveal", help="whether a viewer may look at buyers' data, audited")
    ] = None,
    as_json_: Json = False,
) -> None:
    """Change a user's role, language, time zone, or what a viewer may see. What is not named stays.

    connect users set erika --role admin
    """
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction():
        changed = change_user(
            conn,
            name,
            role=role,
            may_reveal=may_reveal,
            language=Unset.STAYS if language is None else language or None,
            time_zone=Unset.STAYS if time_zone is None else time_zone or None,
        )
        if changed is None:
            raise Trouble(f"There is no user “{name}”: `connect users list` names them.")
        audit(conn, session.actor, "users.change", for_audit(name, changed))
    if as_json_:
        Printer().json({"name": name, "changed": list(changed)})
    else:
        Printer().line(f"Changed of {name}: {', '.join(changed)}." if changed else f"Nothing of {name} is different.")


@app.command("log-out")
def log_out(ctx: typer.Context, name: Name, as_json_: Json = False) -> None:
    """End every session of a user; who knows the password can log in again."""
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction():
        if find_user(conn, name) is None:
            raise Trouble(f"There is no user “{name}”: `connect users list` names them.")
        ended = close_sessions(conn, name)
        audit(conn, session.actor, "users.log-out", {"user": name, "sessions": ended})
    if as_json_:
        Printer().json({"name": name, "ended": ended})
    else:
        Printer().line(f"Sessions of {name} that ended: {ended}.")


@app.command()
def password(ctx: typer.Context, name: Name, password_stdin: FromStdin = False, as_json_: Json = False) -> None:
    """Give a user a new password; its sessions end."""
    session: Session = ctx.obj
    new, made = _password(password_stdin)
    with session.database() as conn, conn.transaction():
        if not set_password(conn, name, new):
            raise Trouble(f"There is no user “{name}”: `connect users list` names them.")
        audit(conn, session.actor, "users.password", {"user": name})
    printer = Printer()
    if as_json_:
        printer.json({"name": name, **({"password": new} if made else {})})
    else:
        printer.line(f"The password of {name} is changed." + (f" It is: {new}" if made else ""))


@app.command()
def lock(ctx: typer.Context, name: Name, as_json_: Json = False) -> None:
    """Lock a user out; it can be let in again with `connect users unlock`."""
    _set_active(ctx.obj, name, False, as_json_)


@app.command("disable", hidden=True)
def disable(ctx: typer.Context, name: Name, as_json_: Json = False) -> None:
    """The same as `connect users lock`."""
    _set_active(ctx.obj, name, False, as_json_)


@app.command()
def unlock(ctx: typer.Context, name: Name, as_json_: Json = False) -> None:
    """Let a locked user in again."""
    _set_active(ctx.obj, name, True, as_json_)


@app.command("list")
def list_(ctx: typer.Context, as_json_: Json = False) -> None:
    """Every user with role and last visit."""
    session: Session = ctx.obj
    with session.database() as conn:
        users = list_users(conn)
    printer = Printer()
    if as_json_:
        printer.json({"items": users})
        return
    rows = [
        (user["name"], user["role"], "" if user["active"] else "locked", session.moment(user["seen_at"]))
        for user in users
    ]
    printer.table(("user", "role", "", "last seen"), rows)


def _set_active(session: Session, name: str, active: bool, as_json: bool) -> None:
    with session.database() as conn, conn.transaction():
        if not set_active(conn, name, active):
            raise Trouble(f"There is no user “{name}”: `connect users list` names them.")
        audit(conn, session.actor, "users.unlock" if active else "users.lock", {"user": name})
    if as_json:
        Printer().json({"name": name, "active": active})
    else:
        Printer().line(f"{name} can log in again." if active else f"{name} is locked out.")


def _password(from_stdin: bool) -> tuple[str, bool]:
    """The password, and whether it was made here."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n"), False
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)), False
    return secrets.token_urlsafe(15), True
