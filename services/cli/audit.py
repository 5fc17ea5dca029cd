"""`connect audit`: who did what, to what, when and why."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.people.audit import Wanted, read_audit
from shared.people.audit_chain import verify
from shared.people.audit_words import SENTENCES, details, sentence
from shared.records import dates

PAGE = 1000


app = typer.Typer(help="Who did what, and whether the audit is whole.", invoke_without_command=True)


@app.callback()
def audit(
    ctx: typer.Context,
    actor: Annotated[str, typer.Option(help="a part of a name, e.g. mara or cli:")] = "",
    verb: Annotated[list[str] | None, typer.Option(help="e.g. orders.retry; repeat for several")] = None,
    about: Annotated[str, typer.Option(help="a text in what it was done to, or in the reason")] = "",
    since: Annotated[str | None, typer.Option("--from", help="a date, e.g. 2026-11-23 or 2026-11-23T08:00")] = None,
    until: Annotated[str | None, typer.Option("--to", help="a date, with its whole day")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="at most so many; without it all")] = 100,
    as_json_: Annotated[bool, typer.Option("--json", help="one JSON document for programs")] = False,
) -> None:
    """Who did what, the newest first.

    \b
    connect audit --actor mara --from 2026-11-23
    connect audit --verb interfaces.map --about PAYPAL
    connect audit verify
    """
    if ctx.invoked_subcommand is not None:
        return
    session: Session = ctx.obj
    if unknown := [one for one in verb or () if one not in SENTENCES]:
        raise Trouble(f"There is no verb “{unknown[0]}”: there are {', '.join(SENTENCES)}.", USAGE)
    begin, end = _moment(session, since, last=False), _moment(session, until, last=True)
    wanted = Wanted(actor, verb or (), about, begin, end)
    found: list[dict[str, Any]] = []
    with session.database() as conn:
        while limit is None or len(found) < limit:
            most = PAGE if limit is None else min(PAGE, limit - len(found))
            page = read_audit(conn, wanted, before=found[-1]["id"] if found else None, limit=most)
            found += page
            if len(page) < most:
                break
    printer = Printer()
    if as_json_:
        items = [one | {"sentence": sentence(one["verb"], session.language)} for one in found]
        printer.json({"items": items, "next": None})
        return
    rows = []
    for one in found:
        told = ", ".join(f"{label} {value}" for _, label, value in details(one["target"], session.language))
        why = f" ({one['reason']})" if one["reason"] else ""
        rows.append((session.moment(one["at"]), one["actor"], sentence(one["verb"], session.language), f"{told}{why}"))
    printer.table(("when", "who", "what", "details"), rows)
    if not found:
        printer.line("The audit holds nothing of this.")


@app.command("verify")
def verify_(
    ctx: typer.Context,
    head: Annotated[
        str | None,
        typer.Option(help="a newest hash of earlier, as this command or the Journal's log said it"),
    ] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="one JSON document for programs")] = False,
) -> None:
    """Whether a line of the audit was changed, removed or slipped in. Exit 1 when one was.

    Note the newest hash outside of the database: given as --head later, it shows whether all of it was written anew.
    """
    session: Session = ctx.obj
    with session.database() as conn:
        found = verify(conn, head)
    printer = Printer()
    if as_json_:
        wrong = [{"id": line, "problem": what} for line, what in found.wrong]
        printer.json({**asdict(found), "wrong": wrong, "whole": found.whole})
    else:
        printer.line(
            f"{found.lines} lines, {found.sealed} links; {found.erased} forgotten or erased by the rules,"
            f" {found.waiting} not sealed yet."
        )
        for line, what in found.wrong:
            printer.line((f"Line {line} {what}.", "wrong"))
        if not found.head_found:
            printer.line(("The hash that was given is not in the chain: it was written anew.", "wrong"))
        printer.line(f"Newest hash: {found.head}")
        printer.line(("The audit is whole.", "ok") if found.whole else ("The audit is not whole.", "wrong"))
    if not found.whole:
        raise typer.Exit(1)


def _moment(session: Session, text: str | None, *, last: bool) -> datetime | None:
    if text is None:
        return None
    try:
        found = dates.read(text.strip(), session.zone)
    except (ValueError, OverflowError):
        raise Trouble(f"“{text}” is not a date: write it as 2026-11-26 or 2026-11-26T08:00.", USAGE) from None
    return found.last_end if last else found.start
