"""`connect interfaces add`: a new interface out of a TOML file. Added by `interfaces`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

import typer
from psycopg.errors import UniqueViolation

from services.cli.interface_modes import MODE_SAYS
from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.sides import new_side
from services.cli.trouble import USAGE, Trouble
from shared.connectors.registry import discover
from shared.people.audit import audit
from shared.records.filter import SLUG
from shared.records.interfaces import add_interface, save_mapping

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Slug = Annotated[str, typer.Argument(help="the interface's name, e.g. otto-de")]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("add")(add)


def add(
    ctx: typer.Context,
    slug: Slug,
    file: Annotated[Path, typer.Option("--file", help="TOML: title, [marketplace] and [erp] (see below)")],
    as_json_: Json = False,
) -> None:
    """Add an interface from a TOML file; it begins in test. `connect interfaces systems` lists settings by system.

    \b
    title = "Shirts in Germany"
    [marketplace]
    connector = "…"
    client_id = "…"
    client_secret = "…"
    [erp]
    connector = "…"
    base_url = "https://erp.example.org"
    token = "…"
    calls_per_second = 5
    [mappings.payment]
    INVOICE_SINGLE = "2"
    """
    session: Session = ctx.obj
    if not SLUG.fullmatch(slug):
        raise Trouble(f"“{slug}” cannot be a name: use small letters, digits and -, e.g. otto-de.", USAGE)
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Trouble(f"{file} is not TOML: {error}.", USAGE) from None
    connectors = discover()
    sides = {name: new_side(name, given.get(name), connectors) for name in ("marketplace", "erp")}
    with session.database() as conn, conn.transaction():
        try:
            add_interface(
                conn,
                session.seal,
                slug=slug,
                title=str(given.get("title") or slug),
                marketplace=given["marketplace"]["connector"],
                erp=given["erp"]["connector"],
                marketplace_side=sides["marketplace"],
                erp_side=sides["erp"],
                poll_seconds=int(given.get("poll_seconds", 900)),
            )
        except UniqueViolation:
            raise Trouble(f"There is an interface “{slug}” already: choose another name.") from None
        for kind, pairs in (given.get("mappings") or {}).items():
            for source, target in pairs.items():
                save_mapping(conn, slug, str(kind), str(source), str(target), session.actor)
        audit(conn, session.actor, "interfaces.add", {"interface": slug})
    if as_json_:
        Printer().json({"slug": slug, "mode": "test"})
    else:
        Printer().line(f"{slug} is added, {MODE_SAYS['test']}. Next: `connect interfaces ping {slug}`.")
