"""What an interface does on the way back to the marketplace: return numbers, cancellations, what it lists.

Added to `connect interfaces` by its module.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from services.cli.printing import Printer
from services.cli.record_words import split_numbers
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.db.connect import Connection
from shared.people.audit import audit
from shared.records.interfaces import set_cancels
from shared.records.listings import listed_articles, read_listing, save_filter
from shared.records.return_numbers import add, pool

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Slug = Annotated[str, typer.Argument(help="the interface's name, e.g. otto-de")]
KINDS = ("simple", "parent", "variant")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("return-numbers")(return_numbers)
    app.command("cancels")(cancels)
    app.command("listing")(listing)


def return_numbers(
    ctx: typer.Context,
    slug: Slug,
    numbers: Annotated[list[str] | None, typer.Argument(help="numbers to add, also separated by commas")] = None,
    carrier: Annotated[str | None, typer.Option(help="the marketplace's word for who takes returns, e.g. DHL")] = None,
    file: Annotated[Path | None, typer.Option(help="a file with numbers, one a line; - reads standard input")] = None,
    as_json_: Json = False,
) -> None:
    """The pool of return numbers: how many are left by carrier, or more of them. Each shipment without one gets one.

    \b
    connect interfaces return-numbers otto-de
    connect interfaces return-numbers otto-de --carrier HERMES --file numbers.txt
    """
    session: Session = ctx.obj
    wanted = split_numbers([*(numbers or []), *([_text(file)] if file else [])])
    if bool(wanted) != (carrier is not None and carrier.strip() != ""):
        raise Trouble("To add numbers, give them together with their --carrier.", USAGE)
    with session.database() as conn:
        session.known_interface(conn, slug)
        new = 0
        if wanted and carrier is not None:
            with conn.transaction():
                new = add(conn, slug, carrier, wanted, session.actor)
                told = {"interface": slug, "carrier": carrier, "new": new}
                audit(conn, session.actor, "interfaces.return-numbers", told)
        found = pool(conn, slug)
    printer = Printer()
    if as_json_:
        printer.json({"interface": slug, "added": new, "known_before": len(wanted) - new, "items": found})
        return
    if wanted:
        printer.line(f"{new} of {len(wanted)} numbers are new.")
    if not found:
        printer.line("There is none: add some with --carrier, or have the ERP tell one with each shipment.")
    else:
        rows = [(one["carrier"], str(one["free"]), str(one["given"]), one["next"] or "–") for one in found]
        printer.table(("carrier", "left", "given", "next"), rows)


def _text(file: Path) -> str:
    return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")


def cancels(
    ctx: typer.Context,
    slug: Slug,
    switch: Annotated[Literal["on", "off"], typer.Argument(help="on or off")],
    as_json_: Json = False,
) -> None:
    """Whether what the ERP cancels is cancelled at the marketplace too, as far as it still can be.

    connect interfaces cancels otto-de off
    """
    session: Session = ctx.obj
    wanted = switch == "on"
    with session.database() as conn, conn.transaction():
        session.known_interface(conn, slug)
        set_cancels(conn, slug, wanted)
        audit(conn, session.actor, "interfaces.cancels", {"interface": slug, "cancels": wanted})
    if as_json_:
        Printer().json({"slug": slug, "cancels": wanted})
    else:
        said = "is cancelled at the marketplace too" if wanted else "stays as it is at the marketplace"
        Printer().line(f"{slug}: what the ERP cancels {said}.")


def listing(
    ctx: typer.Context,
    slug: Slug,
    sku: Annotated[list[str] | None, typer.Option(help="these SKUs, also separated by commas")] = None,
    foreign_sku: Annotated[list[str] | None, typer.Option(help="these numbers of the sales channel")] = None,
    name: Annotated[str | None, typer.Option(help="a part of the name")] = None,
    kind: Annotated[str | None, typer.Option(help="simple, parent or variant")] = None,
    parent: Annotated[str | None, typer.Option(help="the variants of this parent")] = None,
    every: Annotated[bool, typer.Option("--all", help="every article of the ERP")] = False,
    articles: Annotated[bool, typer.Option("--articles", help="also the articles that are listed now")] = False,
    as_json_: Json = False,
) -> None:
    """Which of the ERP's articles are listed: show the filter, or set another one. Its parts must all hold.

    \b
    connect interfaces listing otto-de
    connect interfaces listing otto-de --name Shirt --kind variant
    connect articles listing --interface otto-de --wait     reads them now; otherwise the night does
    """
    session: Session = ctx.obj
    values: dict[str, Any] = {
        "skus": split_numbers(sku or []),
        "foreign_skus": split_numbers(foreign_sku or []),
        "name": (name or "").strip(),
        "kind": kind,
        "parent_sku": (parent or "").strip(),
    }
    given = {part: value for part, value in values.items() if value}
    if kind is not None and kind not in KINDS:
        raise Trouble(f"--kind is one of {', '.join(KINDS)}.", USAGE)
    if every and given:
        raise Trouble("--all goes with nothing else.", USAGE)
    with session.database() as conn, conn.transaction():
        session.known_interface(conn, slug)
        if given or every:
            save_filter(conn, slug, given)
            audit(conn, session.actor, "interfaces.listing", {"interface": slug, "filter": given})
        stands = read_listing(conn, slug)
        listed = _every_article(conn, slug) if articles else None
    found = stands["filter"]
    printer = Printer()
    if as_json_:
        printer.json({"interface": slug, **stands, **({} if listed is None else {"items": listed})})
        return
    said = ", ".join(f"{part} {', '.join(v) if isinstance(v, list) else v}" for part, v in sorted(found.items()))
    printer.line(f"{slug} lists {said or 'every article of the ERP'}.")
    if listed is not None:
        rows = [(one["sku"], one["name"] or "–", one["kind"], one["state"]) for one in listed]
        printer.table(("sku", "name", "kind", "state"), rows)
    if given or every:
        printer.line(f"Read now: `connect articles listing --interface {slug} --wait`.")


def _every_article(conn: Connection, slug: str) -> list[dict[str, Any]]:
    """Page by page."""
    found: list[dict[str, Any]] = []
    while True:
        page = listed_articles(conn, slug, after=found[-1]["sku"] if found else None, limit=1000)
        found += page
        if len(page) < 1000:
            return found
