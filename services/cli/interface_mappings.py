"""`connect interfaces map`: what the marketplace's words are in the ERP. Added by `interfaces`."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.printing import Printer
from services.cli.session import Session
from shared.people.audit import audit
from shared.records.interfaces import save_mapping

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Slug = Annotated[str, typer.Argument(help="the interface's name, e.g. otto-de")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("map")(map_)


def map_(
    ctx: typer.Context,
    slug: Slug,
    kind: Annotated[str, typer.Argument(help="payment, shipping, tax, carrier or setting")],
    source: Annotated[str, typer.Argument(help="the marketplace's word, e.g. PAYPAL")],
    target: Annotated[str, typer.Argument(help="the ERP's, e.g. 3")],
    as_json_: Json = False,
) -> None:
    """Save a mapping; orders that waited for it go on by themselves.

    connect interfaces map otto-de payment PAYPAL 3
    """
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction():
        session.known_interface(conn, slug)
        save_mapping(conn, slug, kind, source, target, session.actor)
        audit(conn, session.actor, "interfaces.map", {"interface": slug, "kind": kind, "source": source})
    if as_json_:
        Printer().json({"interface": slug, "kind": kind, "source": source, "target": target})
    else:
        Printer().line(f"{kind} {source} is now {target}; orders that waited for it go on.")
