"""`connect topology users`: the broker's users with their rights, shown, printed for import, or made over HTTP."""

from __future__ import annotations

import ssl
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx2
import typer

from services.cli.printing import Printer
from services.cli.secret_values import given_secrets
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.broker.address import Address, parse
from shared.broker.topology import connect_topology
from shared.broker.users import KINDS, LIMITS, Kind, definitions, name, users

SECONDS = 10.0


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("users")(show_or_make)


def show_or_make(
    ctx: typer.Context,
    passwords: Annotated[list[str] | None, typer.Argument(help="publisher=@FILE, services=@FILE, …")] = None,
    management: Annotated[str | None, typer.Option(help="make them there: http://HOST:15672")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be made, change nothing")] = False,
    as_json_: Annotated[bool, typer.Option("--json", help="one JSON document for programs")] = False,
) -> None:
    """RabbitMQ's users for the vhost of CONNECT_AMQP_URL, each with the rights it needs.

    \b
    connect topology users                                     who may do what
    connect topology users services=@FILE … > users.json       for `rabbitmqctl import_definitions users.json`
    connect topology users services=@FILE … --management http://rabbitmq:15672

    Over HTTP they are made by the user of CONNECT_AMQP_URL, who has to be an administrator there. Whoever is there
    already gets these rights and this password; nobody is removed. Then let the services' CONNECT_AMQP_URL name
    <vhost>-services, and run `connect topology apply` as <vhost>-declarer.
    """
    session: Session = ctx.obj
    where = parse(session.settings.broker())
    if where.scheme == "pgmq":
        raise Trouble(
            "The broker inside PostgreSQL has no users of its own: `connect db roles` makes its roles.", USAGE
        )
    given = given_secrets(passwords or (), None, KINDS)
    chosen: dict[Kind, str] = {kind: given[kind] for kind in KINDS if kind in given}
    printer = Printer()
    if not chosen or dry_run:
        if as_json_:
            printer.json({"vhost": where.path, "users": _rights(where.path), "limits": LIMITS})
        else:
            _show(printer, where.path, chosen)
        return
    wanted = definitions(where.path, chosen)
    if management is None:
        printer.json(wanted)
        return
    _send(where, management, wanted)
    made = [user["name"] for user in wanted["users"]]
    if as_json_:
        printer.json({"made": made})
    else:
        printer.line((f"{', '.join(made)}: have these passwords and no more rights than they need.", "ok"))


def _rights(vhost: str) -> list[dict[str, Any]]:
    return [
        {
            "user": name(vhost, user.kind),
            "kind": user.kind,
            "configure": user.configure,
            "write": user.write,
            "read": user.read,
            "tags": list(user.tags),
        }
        for user in users(connect_topology())
    ]


def _show(printer: Printer, vhost: str, chosen: dict[Kind, str]) -> None:
    for user in _rights(vhost):
        said = " would get this password" if user["kind"] in chosen else ""
        printer.line((user["user"], "head"), said)
        for right in ("configure", "write", "read"):
            printer.line((f"  {right:<10}", "faint"), user[right])
        if user["tags"]:
            printer.line(("  tags      ", "faint"), ", ".join(user["tags"]))
    printer.line(f"{', '.join(f'{what} {most}' for what, most in LIMITS.items())} in the vhost {vhost}.")


def _send(where: Address, management: str, wanted: dict[str, Any]) -> None:
    parts = urlsplit(management)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise Trouble("--management is an address like http://rabbitmq:15672, without a user.", USAGE)
    verify: ssl.SSLContext | bool = True
    if authority := where.options.get("cacertfile"):
        verify = ssl.create_default_context(cafile=authority)
    try:
        answer = httpx2.post(
            f"{management.rstrip('/')}/api/definitions",
            json=wanted, auth=(where.user, where.password), timeout=SECONDS, trust_env=False, verify=verify,
        )  # fmt: skip
    except httpx2.HTTPError as error:
        raise Trouble(
            f"RabbitMQ's management plugin at {management} cannot be reached ({type(error).__name__}): switch it on,"
            " or import what this command prints without --management."
        ) from error
    if answer.status_code in (401, 403):
        raise Trouble(f"The user {where.user} of CONNECT_AMQP_URL is no administrator of this RabbitMQ.")
    if answer.status_code >= 300:
        raise Trouble(f"RabbitMQ at {management} answers {answer.status_code}: {answer.text[:200]}")
