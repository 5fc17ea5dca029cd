"""`connect interfaces map` and `unmap`: what the marketplace's words are in the ERP. Added by `interfaces`."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated

import typer

from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.connectors.registry import discover
from shared.people.audit import audit
from shared.records.interfaces import remove_mapping, save_mapping
from shared.records.masked import read_masked
from shared.runtime.gaps import POOL, SETTINGS, kinds

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Slug = Annotated[str, typer.Argument(help="the interface's name, e.g. otto-de")]
Kind = Annotated[str, typer.Argument(help="payment, shipping, tax, carrier or setting")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("map")(map_)
    app.command("unmap")(unmap)


def known_kinds() -> list[str]:
    """Every kind of mapping that a connector needs or that records may wait for."""
    needed = {need.kind for connector in discover().values() for need in connector.mappings}
    return sorted((needed | kinds()) - {POOL, SETTINGS})


def meant(kind: str) -> str:
    """The kind; one that looks like a misspelt one is refused, since nothing would ever read it."""
    known = known_kinds()
    if kind not in known and (close := get_close_matches(kind, known, 1)):
        raise Trouble(f"There is no kind “{kind}”: did you mean {close[0]}? There are {', '.join(known)}.", USAGE)
    return kind


def map_(
    ctx: typer.Context,
    slug: Slug,
    kind: Kind,
    source: Annotated[str, typer.Argument(help="the marketplace's word, e.g. PAYPAL")],
    target: Annotated[str, typer.Argument(help="the ERP's, e.g. 3")],
    as_json_: Json = False,
) -> None:
    """Save a mapping; orders that waited for it go on by themselves. `connect interfaces show` names what is missing.

    connect interfaces map otto-de payment PAYPAL 3
    """
    session: Session = ctx.obj
    kind = meant(kind)
    with session.database() as conn, conn.transaction():
        session.known_interface(conn, slug)
        save_mapping(conn, slug, kind, source, target, session.actor)
        audit(conn, session.actor, "interfaces.map", {"interface": slug, "kind": kind, "source": source})
    if as_json_:
        Printer().json({"interface": slug, "kind": kind, "source": source, "target": target})
    else:
        Printer().line(f"{kind} {source} is now {target}; orders that waited for it go on.")


def unmap(
    ctx: typer.Context,
    slug: Slug,
    kind: Kind,
    source: Annotated[str, typer.Argument(help="the marketplace's word, e.g. PAYPAL")],
    as_json_: Json = False,
) -> None:
    """Remove a mapping; orders that need it will wait for another one. What was created with it stays as it is.

    connect interfaces unmap otto-de payment PAYPAL
    """
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction():
        session.known_interface(conn, slug)
        if not remove_mapping(conn, slug, kind, source):
            masked = read_masked(conn, slug)
            there = sorted(masked.mappings.get(kind, {})) if masked else []
            said = f"there are {', '.join(there)}" if there else f"there is none of the kind {kind}"
            raise Trouble(f"{slug} has no mapping {kind} {source}: {said}.")
        audit(conn, session.actor, "interfaces.unmap", {"interface": slug, "kind": kind, "source": source})
    if as_json_:
        Printer().json({"interface": slug, "kind": kind, "source": source, "target": None})
    else:
        Printer().line(f"{kind} {source} is not mapped any more.")
