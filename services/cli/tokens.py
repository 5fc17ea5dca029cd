"""`connect tokens`: what programs log in with at the API."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.people.audit import audit
from shared.people.tokens import USUAL_DAYS, create_token, list_tokens, revoke_token

app = typer.Typer(help="Tokens with which programs use the API.")

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="what it is for, e.g. shop-events")],
    role: Annotated[str, typer.Option(help="viewer, operator, admin, or publisher (may only post events)")] = "viewer",
    interface: Annotated[
        list[str] | None, typer.Option("--interface", "-i", help="where a publisher may post; repeat for several")
    ] = None,
    expires: Annotated[str, typer.Option(help="after so many days it opens nothing any more; or never")] = str(
        USUAL_DAYS
    ),
    as_json_: Json = False,
) -> None:
    """Make a token and print it, the only time it can be seen.

    \b
    connect tokens create shop-events --role publisher --interface otto-de
    connect tokens create report --expires 30
    """
    session: Session = ctx.obj
    if expires != "never" and not expires.isdecimal():
        raise Trouble(f"--expires is a number of days, or never; “{expires}” is neither.", USAGE)
    days = None if expires == "never" else int(expires)
    with session.database() as conn, conn.transaction():
        token = create_token(conn, name, role, interface or None, days)
        audit(conn, session.actor, "tokens.create", {"token": name, "role": role, "days": days})
    if as_json_:
        said = {"name": name, "role": role, "interfaces": interface or None, "expires_in_days": days}
        Printer().json(said | {"token": token})
        return
    Printer().line(token)
    typer.echo("Keep it: it is shown once. Use it as `Authorization: Bearer …`.", err=True)


@app.command("list")
def list_(ctx: typer.Context, as_json_: Json = False) -> None:
    """Every token by name, never the token itself."""
    session: Session = ctx.obj
    with session.database() as conn:
        tokens = list_tokens(conn)
    printer = Printer()
    if as_json_:
        printer.json({"items": tokens})
        return
    rows = [
        (token["name"], token["role"], ", ".join(token.get("interfaces") or ()), _end(session, token))
        for token in tokens
    ]
    printer.table(("token", "role", "interfaces", "ends"), rows)


def _end(session: Session, token: dict[str, Any]) -> str:
    if token["revoked_at"] is not None:
        return "revoked"
    if token["expires_at"] is None:
        return "never"
    return f"{session.moment(token['expires_at'])}{' (over)' if token['expired'] else ''}"


@app.command()
def revoke(ctx: typer.Context, name: Annotated[str, typer.Argument(help="its name")], as_json_: Json = False) -> None:
    """Take a token back: it opens nothing from now on."""
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction():
        if not revoke_token(conn, name):
            raise Trouble(f"There is no token “{name}”: `connect tokens list` names them.")
        audit(conn, session.actor, "tokens.revoke", {"token": name})
    if as_json_:
        Printer().json({"name": name, "revoked": True})
    else:
        Printer().line(f"The token {name} is revoked.")
