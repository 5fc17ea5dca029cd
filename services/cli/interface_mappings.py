"""`connect interfaces mappings`, `map`, `unmap`: what the marketplace's words are in the ERP. Added by `interfaces`."""

from __future__ import annotations

from dataclasses import asdict
from difflib import get_close_matches
from typing import Annotated

import typer

from services.cli.interface_show import print_missing
from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.connectors.registry import discover
from shared.records.harm import harm, of_gap
from shared.records.interfaces import modes
from shared.records.mappings import MappingError, map_word, read_mappings, unfinished_with, unmap_word
from shared.records.masked import read_masked
from shared.runtime.gaps import gaps, mapping_kinds

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Dry = Annotated[bool, typer.Option("--dry-run", help="only say what would come of it")]
Slug = Annotated[str, typer.Argument(help="the interface's name, e.g. otto-de")]
Kind = Annotated[str, typer.Argument(help="payment, shipping, tax, carrier or setting")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("mappings")(mappings)
    app.command("map")(map_)
    app.command("unmap")(unmap)


def meant(kind: str) -> str:
    """The kind; one that looks like a misspelt one is refused, since nothing would ever read it."""
    known = mapping_kinds(discover().values())
    if kind not in known and (close := get_close_matches(kind, known, 1)):
        raise Trouble(f"There is no kind “{kind}”: did you mean {close[0]}? There are {', '.join(known)}.", USAGE)
    return kind


def mappings(ctx: typer.Context, slug: Slug, as_json_: Json = False) -> None:
    """What is mapped, since when and by whom; what is missing, with how many records wait for it.

    connect interfaces mappings otto-de
    """
    session: Session = ctx.obj
    with session.database() as conn:
        session.known_interface(conn, slug)
        found = read_mappings(conn, slug)
        masked = read_masked(conn, slug)
        assert masked is not None
        missing, costs = gaps(conn, masked, discover()), harm(conn, slug)
    printer = Printer()
    if as_json_:
        told = [(gap := one.as_json()) | of_gap(costs, gap).as_json() for one in missing]
        printer.json({"interface": slug, "items": found, "missing": told})
        return
    rows = [
        (one["kind"], one["source"], one["target"], session.moment(one["updated_at"]), one["updated_by"] or "–")
        for one in found
    ]
    printer.table(("kind", "marketplace", "erp", "changed", "by"), rows)
    print_missing(printer, missing)


def map_(
    ctx: typer.Context,
    slug: Slug,
    kind: Kind,
    source: Annotated[str, typer.Argument(help="the marketplace's word, e.g. PAYPAL")],
    target: Annotated[str, typer.Argument(help="the ERP's, e.g. 3")],
    dry_run: Dry = False,
    as_json_: Json = False,
) -> None:
    """Save a mapping; orders that waited for it go on. `connect interfaces mappings` names what is missing.

    connect interfaces map otto-de payment PAYPAL 3
    """
    session: Session = ctx.obj
    kind = meant(kind)
    known = mapping_kinds(discover().values())
    with session.database() as conn:
        session.known_interface(conn, slug)
        standing = modes(conn)[slug]
        try:
            change = map_word(conn, slug, kind, source, target, session.actor, kinds=known, dry_run=dry_run)
        except MappingError as error:
            raise Trouble(str(error), USAGE) from None
    if as_json_:
        Printer().json({"interface": slug, **asdict(change), "dry_run": dry_run})
    elif dry_run:
        Printer().line(f"{kind} {source} would be {target}; {change.due} records would go on.")
    else:
        Printer().line(f"{kind} {source} is now {target}; {_goes_on(change.due, slug, standing)}.")


def _goes_on(due: int, slug: str, standing: str) -> str:
    """What comes of the records that are due now: outside live they wait for a person all the same."""
    many = "1 record that waited for it" if due == 1 else f"{due} records that waited for it"
    if not due:
        return "nothing waited for it"
    if standing == "live":
        return f"{many} {'goes' if due == 1 else 'go'} on"
    held = f"connect orders retry --filter 'interface:{slug} state:pending'"
    return f"{many} may go on, but {slug} is {'in test' if standing == 'test' else standing}: {held}"


def unmap(
    ctx: typer.Context,
    slug: Slug,
    kind: Kind,
    source: Annotated[str, typer.Argument(help="the marketplace's word, e.g. PAYPAL")],
    dry_run: Dry = False,
    as_json_: Json = False,
) -> None:
    """Remove a mapping; orders that need it will wait for another one. What was created with it stays as it is.

    connect interfaces unmap otto-de payment PAYPAL
    """
    session: Session = ctx.obj
    with session.database() as conn:
        session.known_interface(conn, slug)
        there = {one["source"]: one["target"] for one in read_mappings(conn, slug) if one["kind"] == kind}
        if source not in there:
            said = f"there are {', '.join(there)}" if there else f"there is none of the kind {kind}"
            raise Trouble(f"{slug} has no mapping {kind} {source}: {said}.")
        concerned, more = unfinished_with(conn, slug, kind, source)
        if not dry_run:
            unmap_word(conn, slug, kind, source, session.actor)
    many = f"{concerned}{'+' if more else ''}"
    if as_json_:
        told = {"interface": slug, "kind": kind, "source": source, "target": None, "before": there[source]}
        Printer().json({**told, "unfinished": concerned, "capped": more, "dry_run": dry_run})
    elif dry_run:
        Printer().line(f"{kind} {source} is {there[source]}; {many} unfinished orders may need it.")
    else:
        Printer().line(f"{kind} {source} is not mapped any more; {many} unfinished orders may need it.")
