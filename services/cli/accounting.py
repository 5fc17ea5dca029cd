"""`connect accounting`: the books of a day, term by term. Exit 1 when they do not balance."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from services.cli.printing import Printer
from services.cli.session import Session
from shared.records.books import OUTCOMES, WHERE_NOW, accounting


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("accounting")(show)


def show(
    ctx: typer.Context,
    interface: Annotated[
        str | None, typer.Option("--interface", "-i", help="one interface; ? is unreadable input")
    ] = None,
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="UTC day of receipt, e.g. 2026-11-23; today")
    ] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="one JSON document for programs")] = False,
) -> None:
    """The books of a day: everything that came in is somewhere, or the remainder is named.

    connect accounting --interface otto-de --day 2026-11-23
    """
    session: Session = ctx.obj
    with session.database() as conn:
        if interface not in (None, "?"):
            session.known_interface(conn, str(interface))
        found = accounting(conn, interface, (day or datetime.now(UTC)).date())
    printer = Printer()
    if as_json_:
        printer.json(found)
    else:
        printer.line((f"{found['day']} (UTC)", "head"))
        for book in found["books"]:
            printer.line("")
            printer.line((book["interface"], "head"))
            for title, terms in (("inputs", OUTCOMES), ("applied", WHERE_NOW)):
                parts = [f"{book[term]} {term.replace('_', ' ')}" for term in terms]
                if title == "applied" and book["test"]["applied"]:
                    parts.append(f"{book['test']['applied']} test")
                printer.line(f"  {book[title]} {title} = {' + '.join(parts)}")
            for remainder in book["remainders"]:
                printer.line("  ", (f"Does not balance ({remainder['name']}): {remainder['sentence']}", "wrong"))
            if book["balanced"]:
                printer.line("  ", ("balances", "ok"))
        if not found["books"]:
            printer.line("Nothing came in on this day.")
    if not found["balanced"]:
        raise typer.Exit(1)
