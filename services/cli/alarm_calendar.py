"""`connect maintenance`, `calendar` and `limits`: when alarms are quiet, and when age becomes one."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer
from pydantic import ValidationError

from services.cli.alarm_settings import DryRun, Json
from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.alarms import levels, planned
from shared.alarms.calendar import federal_holidays
from shared.alarms.planned import Maintenance
from shared.people.audit import audit

maintenance = typer.Typer(help="Planned maintenance: nothing is mailed meanwhile, what still stands is mailed then.")
days = typer.Typer(help="The business calendar: days on which nobody works and silence is no alarm.")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]


@maintenance.command("list")
def list_(ctx: typer.Context, as_json_: Json = False) -> None:
    """What is planned, on now, or lately over."""
    session: Session = ctx.obj
    with session.database() as conn:
        found = planned.planned(conn)
    printer = Printer()
    if as_json_:
        printer.json({"items": found})
        return
    rows = []
    for one in found:
        when = (
            f"{DAYS[one['weekday']]}s {one['at']:%H:%M}-{one['until']:%H:%M}"
            if one["weekday"] is not None
            else f"{session.moment(one['starts'])} - {session.moment(one['ends'])}"
        )
        state = "over" if one["over"] else "on" if one["on_now"] else "planned"
        rows.append((str(one["id"]), when, state, ", ".join(one["interfaces"]) or "all", one["note"]))
    if rows:
        printer.table(("number", "when", "state", "interfaces", "note"), rows)
    else:
        printer.line("No maintenance is planned: connect maintenance plan --help")


@maintenance.command("plan")
def plan(
    ctx: typer.Context,
    interfaces: Annotated[list[str] | None, typer.Option("--interface", help="may be repeated; all without it")] = None,
    starts: Annotated[datetime | None, typer.Option("--from", formats=FORMATS, help="e.g. 2026-12-01T22:00")] = None,
    ends: Annotated[datetime | None, typer.Option("--to", formats=FORMATS)] = None,
    weekday: Annotated[int | None, typer.Option(help="each week on this day, 0 is Monday", min=0, max=6)] = None,
    hours: Annotated[str | None, typer.Option(help="of a weekly one, e.g. 22:00-02:00")] = None,
    note: Annotated[str, typer.Option(help="what is done")] = "",
    dry_run: DryRun = False,
    as_json_: Json = False,
) -> None:
    """Plan a window, once or weekly, by the clock of the installation.

    \b
    connect maintenance plan --interface otto-de --from 2026-12-01T22:00 --to 2026-12-02T02:00
    connect maintenance plan --weekday 6 --hours 02:00-04:00 --note "backup of the ERP"
    """
    session: Session = ctx.obj
    at, _, until = (hours or "").partition("-")
    asked = {
        "interfaces": interfaces or [], "starts": starts and starts.replace(tzinfo=session.zone),
        "ends": ends and ends.replace(tzinfo=session.zone), "weekday": weekday, "at": at or None,
        "until": until or None, "note": note,
    }  # fmt: skip
    try:
        window = Maintenance.model_validate(asked)
    except ValidationError as error:
        raise Trouble(error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ") + ".", USAGE) from None
    number = None
    with session.database() as conn, conn.transaction():
        for slug in window.interfaces:
            session.known_interface(conn, slug)
        if not dry_run:
            number = planned.plan(conn, window, session.actor)
            audit(conn, session.actor, "maintenance.plan", {"window": number, "interfaces": list(window.interfaces)})
    if as_json_:
        Printer().json({"id": number, "dry_run": dry_run})
    else:
        Printer().line(("Would be planned." if dry_run else f"Planned as window {number}.", "ok"))


@maintenance.command("end")
def end(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(help="of `list`", min=1)],
    dry_run: DryRun = False,
    as_json_: Json = False,
) -> None:
    """End a window that is on; forget one that has not begun, or a weekly one."""
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction(force_rollback=dry_run):
        if not planned.end(conn, number):
            raise Trouble(f"There is no window {number}, or it is over: `connect maintenance list` shows them.")
        audit(conn, session.actor, "maintenance.end", {"window": number})
    if as_json_:
        Printer().json({"ended": number, "dry_run": dry_run})
    elif dry_run:
        Printer().line((f"Window {number} would be ended.", "ok"), " What still stands would be mailed then.")
    else:
        Printer().line(("Ended.", "ok"), " What still stands is mailed now.")


@days.command("list")
def list_days(ctx: typer.Context, as_json_: Json = False) -> None:
    """The free days from this year on."""
    session: Session = ctx.obj
    with session.database() as conn:
        found = planned.free_days(conn)
    printer = Printer()
    if as_json_:
        printer.json({"items": [{"day": day, "name": name} for day, name in found]})
        return
    for day, name in found:
        printer.line(f"{day}  {DAYS[day.weekday()]:<9}  {name}")
    if not found:
        printer.line("No free day: connect calendar add 2026-12-24, or --holidays-of 2026")


@days.command("add")
def add_days(
    ctx: typer.Context,
    given: Annotated[list[str] | None, typer.Argument(metavar="DAY...", help="e.g. 2026-12-24")] = None,
    holidays_of: Annotated[
        int | None, typer.Option(help="Germany's federal holidays of this year", min=2000, max=2200)
    ] = None,
    name: Annotated[str, typer.Option(help="what the days are called")] = "",
    dry_run: DryRun = False,
    as_json_: Json = False,
) -> None:
    """Enter free days.

    \b
    connect calendar add 2026-12-24 2026-12-31 --name "company holidays"
    connect calendar add --holidays-of 2027
    """
    session: Session = ctx.obj
    every = {_day(text): name for text in given or ()}
    every |= federal_holidays(holidays_of) if holidays_of else {}
    if not every:
        raise Trouble("Name a day, e.g. 2026-12-24, or --holidays-of a year.", USAGE)
    with session.database() as conn, conn.transaction(force_rollback=dry_run):
        added = planned.add_free_days(conn, every)
        audit(conn, session.actor, "calendar.add", {"days": sorted(map(str, every))[:100], "added": added})
    if as_json_:
        Printer().json({"added": added, "dry_run": dry_run})
    else:
        known = f" {len(every) - added} entered already." if added < len(every) else ""
        Printer().line((f"{added} would be entered." if dry_run else f"{added} entered.", "ok"), known)


@days.command("remove")
def remove_day(
    ctx: typer.Context,
    day: Annotated[str, typer.Argument(help="e.g. 2026-12-24")],
    dry_run: DryRun = False,
    as_json_: Json = False,
) -> None:
    """Work is done on this day after all."""
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction(force_rollback=dry_run):
        if not planned.remove_free_days(conn, [_day(day)]):
            raise Trouble(f"{day} is not a free day: `connect calendar list` shows them.")
        audit(conn, session.actor, "calendar.remove", {"days": [day]})
    if as_json_:
        Printer().json({"removed": day, "dry_run": dry_run})
    else:
        Printer().line((f"{day} would be removed." if dry_run else "Removed.", "ok"))


def limits(
    ctx: typer.Context,
    flow: Annotated[str | None, typer.Argument(help="order-import, order-export or stock")] = None,
    minutes: Annotated[int | None, typer.Argument(help="5 to 43200", min=5, max=43_200)] = None,
    dry_run: DryRun = False,
    as_json_: Json = False,
) -> None:
    """How long the oldest due record of a flow may stand before that is an error: show, or change one.

    \b
    connect alarms limits
    connect alarms limits stock 30
    """
    session: Session = ctx.obj
    if (flow is None) != (minutes is None) or (flow is not None and flow not in levels.LIMITS):
        raise Trouble(f"Name a flow ({', '.join(levels.LIMITS)}) and its minutes.", USAGE)
    with session.database() as conn, conn.transaction(force_rollback=dry_run):
        if flow is not None and minutes is not None:
            levels.set_limit(conn, flow, minutes)
            audit(conn, session.actor, "limits.change", {"flow": flow, "minutes": minutes})
        found = levels.limits(conn)
    if as_json_:
        Printer().json({"items": [{"flow": one, "minutes": most} for one, most in found.items()]})
        return
    for one, most in found.items():
        Printer().line(f"{one:<13} {most} minutes")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Trouble(f"“{text}” is not a day: write it like 2026-12-24.", USAGE) from None
