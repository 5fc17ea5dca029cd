"""`connect alarms acknowledge` and `snooze`: what a person says to an open incident."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.alarm_settings import DryRun, Json, worded
from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import Trouble
from shared.alarms import links
from shared.people.audit import audit

Incident = Annotated[
    int, typer.Argument(help="its number: `connect alarms list` shows open ones", min=1, max=2**63 - 1)
]
Hours = Annotated[int, typer.Option(help="tell it again in so many hours, if it is still open", min=1, max=336)]


def acknowledge(ctx: typer.Context, incident: Incident, dry_run: DryRun = False, as_json_: Json = False) -> None:
    """No more reminders of an incident; the next mail comes when it gets worse or is over. For all recipients."""
    _answer(ctx, incident, None, dry_run=dry_run, as_json=as_json_)


def snooze(
    ctx: typer.Context,
    incident: Incident,
    hours: Hours = links.LATER_HOURS,
    dry_run: DryRun = False,
    as_json_: Json = False,
) -> None:
    """Tell an incident again later, if it is still open then. For all recipients.

    \b
    connect alarms snooze 17 --hours 4
    """
    _answer(ctx, incident, hours, dry_run=dry_run, as_json=as_json_)


def _answer(ctx: typer.Context, number: int, hours: int | None, *, dry_run: bool, as_json: bool) -> None:
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction():
        one = links.incident(conn, number)
        if one is None or one["ended"] is not None:
            raise Trouble(f"There is no open incident {number}: `connect alarms list` shows them.")
        until = None
        if not dry_run:
            later = hours is not None
            until = links.answer(conn, number, session.actor, later=later, hours=hours or links.LATER_HOURS)
            audit(conn, session.actor, "incidents.snooze" if later else "incidents.acknowledge", {"incident": number})
    if as_json:
        Printer().json({"incident": number, "until": until, "dry_run": dry_run})
        return
    done = "Acknowledged" if hours is None else f"Snoozed for {hours} h"
    Printer().line(("Would be " + done.lower() if dry_run else done, "ok"), f": {worded(one, session)['sentence']}")
