"""`connect accounting`: the books of a day, term by term. Exit 1 when they do not balance."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer

from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.db.connect import Connection
from shared.records.books import OUTCOMES, WHERE_NOW, accounting, days
from shared.records.inputs import LISTED, list_inputs

PAGE = 1000


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
    many: Annotated[int | None, typer.Option("--days", min=1, max=92, help="one line for each of so many days")] = None,
    term: Annotated[str | None, typer.Option("--list", help=f"the rows behind one term: {', '.join(LISTED)}")] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="one JSON document for programs")] = False,
) -> None:
    """The books of a day: everything that came in is somewhere, or the remainder is named.

    \b
    connect accounting --interface otto-de --day 2026-11-23
    connect accounting --days 30
    connect accounting --day 2026-11-23 --list superseded
    """
    session: Session = ctx.obj
    of = (day or datetime.now(UTC)).date()
    if term is not None and (term not in LISTED or many is not None):
        raise Trouble(f"--list is one of {', '.join(LISTED)}, and goes without --days.", USAGE)
    printer = Printer()
    with session.database() as conn:
        if interface not in (None, "?"):
            session.known_interface(conn, str(interface))
        if term is not None:
            _print_rows(printer, session, _rows(conn, interface, of, term, session), as_json_)
            return
        if many is not None:
            _print_days(printer, days(conn, interface, of, many), as_json_)
            return
        found = accounting(conn, interface, of)
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


def _rows(conn: Connection, interface: str | None, of: date, term: str, session: Session) -> list[dict[str, Any]]:
    """All of them, page by page."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = list_inputs(conn, interface, of, term, cursor=cursor, limit=PAGE, language=session.language)
        found += page.items
        if (cursor := page.next) is None:
            return found


def _print_rows(printer: Printer, session: Session, found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        printer.json({"items": found, "next": None})
        return
    rows = [
        (
            session.moment(one["at"]),
            one["interface"],
            one["key"] or (f"rejection {one['rejection']}" if one["rejection"] else "–"),
            one["state"] or "–",
            one["reason"] or "",
        )
        for one in found
    ]
    printer.table(("received", "interface", "what", "now", "why"), rows)
    if not found:
        printer.line("There is none.")


def _print_days(printer: Printer, found: list[dict[str, Any]] | None, as_json: bool) -> None:
    if found is None:
        raise Trouble("There is too much to count at once: ask for fewer days.")
    if as_json:
        printer.json({"items": found})
    else:
        terms = ("inputs", "rejected", "done", "failed", "waiting", "in_flight")
        rows = [
            (
                one["day"],
                *(str(one[term]) for term in terms),
                ("balances", "ok") if one["balanced"] else ("no", "wrong"),
            )
            for one in found
        ]
        printer.table(("day (UTC)", *(term.replace("_", " ") for term in terms), "books"), rows)
    if not all(one["balanced"] for one in found):
        raise typer.Exit(1)
