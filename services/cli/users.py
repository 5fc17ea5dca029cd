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
from shared.people.users import add_user, list_users, set_active, set_password

app = typer.Typer(help="People who log in to the Journal.")

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="read the password from standard input")]
Name = Annotated[str, typer.Argument(help="login name")]


@app.command()
def add(
    ctx: typer.Context,
    name: Name,
    role: Annotated[str, typer.Option(help="viewer, operator or admin")] = "viewer",
    password_stdin: FromStdin = False,
    as_json_: Json = False,
) -> None:
    """Add a user. The password is asked for; away from a terminal one is made and printed once.

    connect users add erika --role operator
    """
    session: Session = ctx.obj
    password, made = _password(password_stdin)
    with session.database() as conn, conn.transaction():
        user_id = add_user(conn, name, password, role)
        audit(conn, session.actor, "users.add", {"user": name, "role": role})
    printer = Printer()
    if as_json_:
        printer.json({"id": user_id, "name": name, "role": role, **({"password": password} if made else {})})
    else:
        printer.line(f"{name} can log in as {role}." + (f" Password: {password}" if made else ""))


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
