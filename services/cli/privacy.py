"""`connect privacy`: look a person up, hand out and erase what is kept of them; legal holds; how long data stays."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from services.cli.printing import Printer
from services.cli.privacy_words import print_deed
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from services.cli.watching import Mark, bar
from shared.db.connect import Connection
from shared.failpoint import Failpoints
from shared.privacy.deed import Deed, Kind, ask, list_deeds, read_deed
from shared.privacy.handout import as_document
from shared.privacy.holds import hold, list_holds, release
from shared.privacy.queued import look
from shared.privacy.retention import walks
from shared.privacy.steps import share, standing, step
from shared.privacy.subject import Subject, SubjectError, subject

HELP = """A person's data: look it up, hand it out, erase it.

\b
Somebody asks what is kept of them:   connect privacy export --email erika@example.org --reason "ticket 811" --to FILE
Somebody wants it erased:             connect privacy erase --email erika@example.org --reason "ticket 812" --dry-run
                                      then the same without --dry-run
Their data must stay for a lawsuit:   connect privacy hold 4711 -i otto-de --reason "case 12/26"
What was done, without the data:      connect privacy list

Who it is about: --email, --phone, --name with --zip, or --number of an order. Numbers, amounts, articles, states and
history of an order stay, so the books still balance. An order that is under way is left alone, and said so.
"""
app = typer.Typer(help=HELP)
LOOK_SECONDS = 0.3

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Why = Annotated[str, typer.Option("--reason", help="why; kept in the receipt and the audit. Name nobody in it")]
Email = Annotated[str, typer.Option(help="the buyer's e-mail address")]
Phone = Annotated[str, typer.Option(help="the buyer's phone number, in any spelling")]
Name = Annotated[str, typer.Option(help="first and last name; goes with --zip")]
Zip = Annotated[str, typer.Option("--zip", help="postcode of the bill or the delivery")]
Number = Annotated[str, typer.Option(help="an order's number: the data of this order alone")]
Interface = Annotated[str, typer.Option("--interface", "-i", help="orders of one interface alone")]
Also = Annotated[list[str] | None, typer.Option(help="a further text that names them, wherever it stands; repeatable")]
Patience = Annotated[float, typer.Option("--wait", min=0, help="seconds to wait for the broker's queues to be empty")]
Order = Annotated[str, typer.Argument(help="number of the order")]
Slug = Annotated[str, typer.Option("--interface", "-i", help="its interface")]


@app.command()
def find(
    ctx: typer.Context,
    reason: Why,
    email: Email = "",
    phone: Phone = "",
    name: Name = "",
    zip_: Zip = "",
    number: Number = "",
    interface: Interface = "",
    also: Also = None,
    patience: Patience = 60.0,
    as_json_: Json = False,
) -> None:
    """Where something is kept of a person; changes nothing but the audit.

    connect privacy find --name "Erika Muster" --zip 22179 --reason "ticket 812"
    """
    session: Session = ctx.obj
    who = _subject(session, email, phone, name, zip_, number, interface, also)
    with session.database() as conn:
        _tell(session, _carried_out(conn, session, "find", who, reason, patience), as_json_)


@app.command()
def export(
    ctx: typer.Context,
    reason: Why,
    to: Annotated[Path, typer.Option("--to", help="the file to write; it must not be there yet")],
    email: Email = "",
    phone: Phone = "",
    name: Name = "",
    zip_: Zip = "",
    number: Number = "",
    interface: Interface = "",
    also: Also = None,
    patience: Patience = 60.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say where something would be taken from")] = False,
    as_json_: Json = False,
) -> None:
    """Write everything that is kept of a person into a file, for an access request. Unmasked: mind who reads it.

    connect privacy export --email erika@example.org --reason "letter of 3 May" --to erika.json
    """
    session: Session = ctx.obj
    who = _subject(session, email, phone, name, zip_, number, interface, also)
    if to.exists():
        raise Trouble(f"{to} is there already: name a new file.", USAGE)
    with session.database() as conn:
        deed = _carried_out(conn, session, "find" if dry_run else "export", who, reason, patience)
        if not dry_run:
            with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                for part in as_document(conn, deed):
                    file.write(part)
        _tell(session, deed, as_json_)


@app.command()
def erase(
    ctx: typer.Context,
    reason: Why,
    email: Email = "",
    phone: Phone = "",
    name: Name = "",
    zip_: Zip = "",
    number: Number = "",
    interface: Interface = "",
    also: Also = None,
    patience: Patience = 60.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would go, and what would stay")] = False,
    as_json_: Json = False,
) -> None:
    """Overwrite what is kept of a person. It cannot be undone; a receipt stays. Exit 1 where something was left alone.

    Stopped in between, it is carried on by the Journal, or by `connect privacy resume ID`.

    \b
    connect privacy erase --email erika@example.org --reason "ticket 812" --dry-run
    connect privacy erase --number 4711 -i otto-de --reason "ticket 812"
    """
    session: Session = ctx.obj
    who = _subject(session, email, phone, name, zip_, number, interface, also)
    with session.database() as conn:
        deed = _carried_out(conn, session, "find" if dry_run else "erase", who, reason, patience)
        _tell(session, deed, as_json_, standing(conn, deed.id) if dry_run else None)
    if deed.left_alone:
        raise typer.Exit(1)


@app.command()
def resume(
    ctx: typer.Context,
    deed: Annotated[UUID, typer.Argument(help="id, as `connect privacy list` shows it")],
    patience: Patience = 60.0,
    as_json_: Json = False,
) -> None:
    """Carry on what was stopped in between; where a Journal runs it does so by itself.

    connect privacy resume 1d2c…
    """
    session: Session = ctx.obj
    with session.database() as conn:
        _known(conn, deed)
        found = _carry_out(conn, session, deed, patience)
        _tell(session, found, as_json_)
    if found.left_alone:
        raise typer.Exit(1)


@app.command("list")
def list_(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="at most so many")] = 50,
    as_json_: Json = False,
) -> None:
    """The receipts, the newest first: what was done, when, by whom and why; nobody's name.

    connect privacy list --limit 10
    """
    session: Session = ctx.obj
    with session.database() as conn:
        found, gone = list_deeds(conn, limit), walks(conn)
    printer = Printer()
    if as_json_:
        printer.json({"items": [one.as_json() for one in found], "next": None, "by_age": gone})
        return
    rows = [
        (str(one.id), session.moment(one.created_at), one.kind, one.state, one.created_by, one.reason,
         str(len(one.left_alone)))
        for one in found
    ]  # fmt: skip
    if rows:
        printer.table(("id", "when", "what", "state", "by", "reason", "left alone"), rows)
    else:
        printer.line("Nobody was looked up yet.")
    printer.line((f"Gone by age: {gone['orders']} orders and exports, {gone['rejections']} rejections,"
                  f" {gone['audit']} lines of the audit.", "faint"))  # fmt: skip


@app.command("hold")
def hold_(ctx: typer.Context, number: Order, interface: Slug, reason: Why, as_json_: Json = False) -> None:
    """Keep an order's data although its time is over, or somebody asks for its erasure.

    connect privacy hold 4711 -i otto-de --reason "case 12/26"
    """
    _hold(ctx.obj, hold, number, interface, reason, f"There is no order {number} at {interface}.", as_json_)


@app.command("release")
def release_(ctx: typer.Context, number: Order, interface: Slug, reason: Why, as_json_: Json = False) -> None:
    """End a hold.

    connect privacy release 4711 -i otto-de --reason "case 12/26 is closed"
    """
    _hold(ctx.obj, release, number, interface, reason, f"No order {number} is held at {interface}.", as_json_)


@app.command()
def holds(ctx: typer.Context, as_json_: Json = False) -> None:
    """The orders that are held.

    connect privacy holds
    """
    session: Session = ctx.obj
    with session.database() as conn:
        found = list_holds(conn)
    printer = Printer()
    if as_json_:
        printer.json({"items": found, "next": None})
    elif not found:
        printer.line("No order is held.")
    else:
        rows = [
            (one["number"], one["interface"], session.moment(one["held_at"]), one["held_by"], one["reason"])
            for one in found
        ]
        printer.table(("order", "interface", "since", "by", "why"), rows)


def _hold(
    session: Session,
    deed: Callable[[Connection, str, str, str, str], bool],
    number: str,
    interface: str,
    reason: str,
    missing: str,
    as_json_: bool,
) -> None:
    with session.database() as conn:
        session.known_interface(conn, interface)
        try:
            done = deed(conn, interface, number, session.actor, reason)
        except SubjectError as error:
            raise Trouble(str(error), USAGE) from None
    if not done:
        raise Trouble(f"{missing} `connect privacy holds` shows what is held.")
    if as_json_:
        Printer().json({"interface": interface, "number": number, "held": deed is hold})
    else:
        Printer().line(f"{number} is held." if deed is hold else f"{number} is held no more.")


def _subject(session: Session, email: str, phone: str, name: str, zip_: str, number: str, interface: str,
             also: list[str] | None) -> Subject:  # fmt: skip
    try:
        found = subject(
            email=email, phone=phone, name=name, zip_code=zip_, number=number, interface=interface, also=also or ()
        )
    except SubjectError as error:
        raise Trouble(str(error), USAGE) from None
    if interface:
        with session.database() as conn:
            session.known_interface(conn, interface)
    return found


def _carried_out(conn: Connection, session: Session, kind: Kind, who: Subject, reason: str, patience: float) -> Deed:
    try:
        deed = ask(conn, kind, who, session.actor, reason)
    except SubjectError as error:
        raise Trouble(str(error), USAGE) from None
    return _carry_out(conn, session, deed, patience)


def _carry_out(conn: Connection, session: Session, deed: UUID, patience: float) -> Deed:
    """Step by step, with a bar on a terminal. A slice that somebody else is at is waited for."""
    given = session.settings
    waiting = look(str(given.amqp_url) if given.amqp_url else None)
    failpoint, until = Failpoints(given.fault), time.monotonic() + patience
    with bar("looking") as show:
        while (moved := step(conn, deed, waiting, failpoint)) is not None:
            show(Mark(share(conn, deed), 100, finished=False))
            if moved:
                until = time.monotonic() + patience
            elif time.monotonic() >= until:
                raise Trouble(
                    "Messages wait in the broker, or it cannot be seen: what they hold could be about this person, so"
                    f" it is looked up once they are taken in. Start the services, then: connect privacy resume {deed}"
                )
            else:
                time.sleep(LOOK_SECONDS)
    return _known(conn, deed)


def _known(conn: Connection, deed: UUID) -> Deed:
    found = read_deed(conn, deed)
    if found is None:
        raise Trouble(f"There is no {deed}: `connect privacy list` shows them.")
    return found


def _tell(session: Session, deed: Deed, as_json_: bool, would: dict[str, Any] | None = None) -> None:
    printer = Printer()
    if as_json_:
        printer.json(deed.as_json() | ({"dry_run": True, **would} if would is not None else {}))
    else:
        print_deed(printer, session, deed, would)
