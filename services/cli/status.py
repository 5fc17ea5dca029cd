"""`connect status`: how everything is doing, as the Journal's first page says it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from services.cli.printing import Cell, Printer
from services.cli.session import Session
from shared import moments
from shared.broker.watched import WatchedBroker
from shared.records.health import backlog
from shared.settings import SettingsError
from shared.status.document import status as document

PATIENCE_SECONDS = 5.0
"""What a person at a terminal waits for a broker that does not answer."""

MARKS: dict[str, Cell] = {
    "fine": ("ok", "ok"),
    "warning": ("warning", "remark"),
    "error": ("ERROR", "wrong"),
    "off": ("off", "faint"),
    "unknown": ("unknown", "faint"),
}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(status)


def status(
    ctx: typer.Context, as_json_: Annotated[bool, typer.Option("--json", help="one JSON document for programs")] = False
) -> None:
    """Interfaces, open incidents, services, broker and database. Exit 1 where something needs a person.

    \b
    connect status
    connect status --json | jq '.interfaces[] | {slug, light}'
    """
    session: Session = ctx.obj
    try:
        broker = WatchedBroker(session.settings.broker(), patience=PATIENCE_SECONDS)
    except SettingsError:
        broker = WatchedBroker(None)
    seen = broker.seen()
    with session.database() as conn:
        found = document(conn, seen, session.language) | {"backlog": backlog(conn)}
    if as_json_:
        Printer().json(found)
    else:
        _print(Printer(), session, found)
    if found["light"] == "error":
        raise typer.Exit(1)


def _print(printer: Printer, session: Session, found: Mapping[str, Any]) -> None:
    now: datetime = found["at"]

    def ago(at: datetime | None) -> str:
        return "–" if at is None else moments.relative(at, now, "en")

    printer.table(
        ("interface", "", "mode", "last success", "backlog", "failed", "oldest", "next poll"),
        [
            (
                one["slug"], MARKS[one["light"]], one["mode"],
                ago(max((row["last_success"] for row in one["standing"] if row["last_success"]), default=None)),
                str(sum(row["backlog"] for row in one["standing"])), str(sum(row["failed"] for row in one["standing"])),
                ago(min((row["oldest"] for row in one["standing"] if row["oldest"]), default=None)),
                ago(one["next_poll_at"]),
            )
            for one in found["interfaces"]
        ],
    )  # fmt: skip
    opened = [one for one in found["incidents"] if one["ended"] is None]
    printer.line("")
    many = f"{len(opened)} open incident{'s' * (len(opened) != 1)}:"
    printer.line(many if opened else "No open incident.")
    for one in opened:
        where = f"{one['interface']} {one['flow']}" if one["interface"] else "operations"
        mark = MARKS["error" if one["severity"] == "error" else "warning"]
        printer.line("  ", mark, f"  since {session.moment(one['since'])}  {where}: {one['sentence']}")
    printer.line("")
    printer.table(
        ("service", "", "last sign of life", "running since", "version"),
        [
            (one["name"], MARKS[one["light"]], ago(one["progress"]), ago(one["since"]), ", ".join(one["versions"]))
            for one in found["services"]
        ],
    )
    broker, base = found["broker"], found["database"]
    printer.line("")
    printer.line("broker    ", MARKS[broker["light"]], f"  {broker['kind']} {broker['state']}".rstrip())
    for queue in broker["queues"]:
        if queue["purpose"] != "wake" and (queue["ready"] or queue["light"] != "fine"):
            said = "missing" if queue["missing"] else f"{queue['ready']} ready, {queue['consumers']} consumers"
            printer.line("  ", MARKS[queue["light"]], f"  {queue['name']}: {said}")
    size = "size not known" if base["size"] is None else moments.size(base["size"], "en")
    room = f", {moments.size(base['disk']['free'], 'en')} free on the disk" if base["disk"] else ""
    printer.line(
        "database  ", MARKS[base["light"]],
        f"  {size}, {base['connections']} of {base['connections_most']} connections, schema {base['schema']}{room}",
    )  # fmt: skip
