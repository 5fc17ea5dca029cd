"""`connect interfaces test`, `live` and `pause`: whether an interface, or one of its flows, goes on by itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import typer

from services.cli.interface_ping import tell
from services.cli.interface_rehearsal import print_items
from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.connectors.registry import titles
from shared.db.connect import Connection
from shared.records import dates
from shared.records.gate import Gate, alarm_offer, gate
from shared.records.go_live import back_to_test, go_live
from shared.records.go_live import pause as pause_it
from shared.records.overview import interfaces as overview

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Slug = Annotated[str, typer.Argument(help="the interface's name, e.g. otto-de")]
Flow = Annotated[
    Literal["order-import", "order-export", "stock"] | None, typer.Option("--flow", help="only this flow of it")
]
MODE_SAYS = {
    "test": "in test: events are taken in, nothing is sent unless a person asks for it",
    "live": "live: orders go on by themselves",
    "paused": "paused: events are taken in, nothing is sent",
}
FLOW_SAYS = {
    "test": "in test: nothing of it is sent unless a person asks for it",
    "live": "live: it goes on by itself",
    "paused": "paused: what comes in waits, nothing is sent",
}


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("test")(switch_to_test)
    app.command("live")(live)
    app.command("pause")(pause)


def switch_to_test(ctx: typer.Context, slug: Slug, flow: Flow = None, as_json_: Json = False) -> None:
    """Switch to test, where only what a person asks for is sent, and ask both remote systems whether they answer.

    To ask without switching: connect interfaces ping SLUG.
    """
    session: Session = ctx.obj
    with session.database() as conn:
        session.known_interface(conn, slug)
        if standing(conn, slug)["mode"] == "live" and _at_a_terminal(as_json_):
            typer.confirm(f"{slug} is live. In test nothing goes on by itself. Switch?", abort=True)
        back_to_test(conn, slug, session.actor, flow)
        data = standing(conn, slug)
    if not as_json_:
        _said(Printer(), data, flow)
    tell(session, slug, as_json_)


def live(
    ctx: typer.Context,
    slug: Slug,
    from_: Annotated[
        str | None, typer.Option("--from", help="orders from this date on, e.g. 2026-11-26; older ones are skipped")
    ] = None,
    flow: Flow = None,
    anyway: Annotated[
        str | None, typer.Option("--anyway", help="go live although the rehearsal is not done, for this reason")
    ] = None,
    as_json_: Json = False,
) -> None:
    """Switch to live, or go on after a pause. What is new is rehearsed first: connect interfaces rehearsal SLUG.

    \b
    connect interfaces live otto-de --from 2026-11-26
    connect interfaces live otto-de --flow stock
    connect interfaces live otto-de --from 2026-11-26 --anyway "samples were checked in the ERP itself"
    """
    session: Session = ctx.obj
    if anyway is not None and len(anyway.strip()) < 3:
        raise Trouble("--anyway takes the reason, which is kept in the audit.", USAGE)
    with session.database() as conn:
        session.known_interface(conn, slug)
        stands = gate(conn, slug, flow, session.language, titles())
        if stands.open and anyway is None:
            _refuse(slug, flow, stands, as_json_)
        since = _moment(session, from_ or _asked(stands, as_json_))
        if since is None and stands.step.wants_date:
            raise Trouble(
                f"Say from which date on orders are transferred: connect interfaces live {slug} --from …", USAGE
            )
        missing = [item.name for item in stands.open]
        go_live(conn, slug, session.actor, flow=flow, from_date=since, missing=missing, reason=anyway)
        data = standing(conn, slug) | {"missing": missing}
    data["alarm_offer"] = alarm_offer(slug, flow) if stands.step.new else None
    printer = Printer()
    if as_json_:
        printer.json(data)
        return
    _said(printer, data, flow)
    if data["from_date"] and stands.step.wants_date:
        printer.line(f"Orders placed before {session.moment(data['from_date'])} are skipped.")
    if data["alarm_offer"]:
        printer.line("Have a mail sent at once for every error, if no alarm watches it yet:")
        printer.line(f"  connect alarms add '{slug} errors' --interface {slug} --recipient you@example.org")


def pause(ctx: typer.Context, slug: Slug, flow: Flow = None, as_json_: Json = False) -> None:
    """Pause: events are taken in and wait, nothing is sent. `connect interfaces live` goes on with them in order."""
    session: Session = ctx.obj
    with session.database() as conn:
        session.known_interface(conn, slug)
        pause_it(conn, slug, session.actor, flow)
        data = standing(conn, slug)
    if as_json_:
        Printer().json(data)
    else:
        _said(Printer(), data, flow)


def standing(conn: Connection, slug: str) -> dict[str, Any]:
    """{"slug", "mode", "flows": {flow: mode}, "from_date"}."""
    found = next(one for one in overview(conn) if one["slug"] == slug)
    return {name: found[name] for name in ("slug", "mode", "flows", "from_date")}


def flows_apart(mode: str, flows: Mapping[str, str]) -> str:
    """The flows that do not stand as their interface does, e.g. "stock paused"; empty where there is none."""
    return ", ".join(f"{flow} {own}" for flow, own in sorted(flows.items()) if own != mode)


def _said(printer: Printer, data: dict[str, Any], flow: str | None) -> None:
    if flow is not None:
        printer.line(f"{flow} of {data['slug']} is {FLOW_SAYS[data['flows'][flow]]}.")
        return
    printer.line(f"{data['slug']} is {MODE_SAYS[data['mode']]}.")
    for name, mode in sorted(data["flows"].items()):
        if mode != data["mode"]:
            printer.line(f"  {name} stays {FLOW_SAYS[mode]}. `connect interfaces live {data['slug']} --flow {name}`")


def _refuse(slug: str, flow: str | None, stands: Gate, as_json: bool) -> None:
    printer = Printer()
    if as_json:
        printer.json({"slug": slug, "flow": flow, "refused": [item.as_json() for item in stands.open]})
    else:
        print_items(printer, stands.open)
    count = len(stands.open)
    raise Trouble(
        f"{slug} does not go live: {count} item{'s' if count != 1 else ''} of the rehearsal"
        f" {'are' if count != 1 else 'is'} open. `connect interfaces rehearsal {slug}` looks again;"
        ' --anyway "reason" goes live all the same.'
    )


def _asked(stands: Gate, as_json: bool) -> str | None:
    """Ask a person at a terminal; today is what most want."""
    if not stands.step.wants_date or not _at_a_terminal(as_json):
        return None
    said: str = typer.prompt("Transfer orders placed from which date on?", default=datetime.now().date().isoformat())  # noqa: DTZ005 - their day
    return said


def _at_a_terminal(as_json: bool) -> bool:
    return not as_json and sys.stdin.isatty() and sys.stdout.isatty()


def _moment(session: Session, text: str | None) -> datetime | None:
    try:
        return None if text is None else dates.read(text.strip(), session.zone).start
    except ValueError:
        raise Trouble(f"“{text}” is not a date: write it as 2026-11-26 or 2026-11-26T08:00.", USAGE) from None
