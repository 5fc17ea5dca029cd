"""The settings of an alarm as options of `connect alarms`: read, completed from a kept one, checked, looked back at."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.alarms import subscriptions
from shared.alarms.lookback import look_back
from shared.alarms.wanted import Alarm
from shared.db.connect import Connection
from shared.records.wording import sentence

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="change nothing, only say what it would do")]
Name = Annotated[str, typer.Argument(help="name or number of the alarm")]
Interfaces = Annotated[
    list[str] | None, typer.Option("--interface", help="only this one; may be repeated; all without it")
]
Flows = Annotated[list[str] | None, typer.Option("--flow", help="order-import, order-export or stock; all without it")]
On = Annotated[list[str] | None, typer.Option("--on", help="error (usual) or warning; may be repeated")]
Frequency = Annotated[str | None, typer.Option(help="immediately (usual), 15min, hourly, daily or weekly")]
At = Annotated[str | None, typer.Option(help="time of daily and weekly mails, e.g. 07:30")]
Weekday = Annotated[int | None, typer.Option(help="of weekly mails, 0 is Monday", min=0, max=6)]
Quiet = Annotated[str | None, typer.Option(help="no mails in these hours, e.g. 22:00-06:30; none: at no time")]
Weekends = Annotated[bool | None, typer.Option("--weekends/--no-weekends", help="quiet at weekends")]
FollowCalendar = Annotated[
    bool | None, typer.Option("--calendar/--no-calendar", help="quiet on free days of the calendar")
]
Only = Annotated[str | None, typer.Option("--filter", help="only where a record of the incident matches")]
Tongue = Annotated[str | None, typer.Option("--language", help="of the mails: de or en")]


def settings(
    kept: dict[str, Any] | None,
    name: str | None,
    interfaces: list[str] | None,
    flows: list[str] | None,
    on: list[str] | None,
    frequency: str | None,
    at: str | None,
    weekday: int | None,
    quiet: str | None,
    weekends: bool | None,
    calendar: bool | None,
    only: str | None,
    language: str | None,
    recipients: list[str] | None,
) -> Alarm:
    """A kept alarm, or an empty one, with what was given. Raises Trouble."""
    base = subscriptions.alarm_of(kept).model_dump(mode="json") if kept else {}
    if kept:
        base["recipients"] = [subscriptions.recipient(who) for who in kept["recipients"]]
    hours = dict(base.get("hours") or {})
    if quiet is not None:
        start, dash, end = quiet.partition("-")
        if quiet != "none" and not dash:
            raise Trouble(f"--quiet {quiet}: say from when until when, e.g. 22:00-06:30, or none.", USAGE)
        hours |= {"quiet_from": start if dash else None, "quiet_to": end if dash else None}
    hours |= {key: value for key, value in (("weekends", weekends), ("calendar", calendar)) if value is not None}
    given = {
        "name": name, "interfaces": _all(interfaces), "flows": _all(flows), "on": on or None, "frequency": frequency,
        "at": at, "weekday": weekday, "filter": only, "language": language, "recipients": recipients or None,
        "hours": hours or None,
    }  # fmt: skip
    try:
        return Alarm.model_validate(base | {key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Trouble(f"{first['loc'][0]}: {first['msg']}.", USAGE) from None


def checked(conn: Connection, session: Session, alarm: Alarm) -> Alarm:
    """Its interfaces are there and its filter can be read. Raises Trouble."""
    for slug in alarm.interfaces:
        session.known_interface(conn, slug)
    session.filter(conn, alarm.filter)
    return alarm


def foretold(conn: Connection, session: Session, alarm: Alarm, *, as_json: bool, days: int = 14) -> None:
    """Print which mails it would have sent in the last days."""
    found = look_back(conn, alarm, session.zone.key, days)
    printer = Printer()
    if as_json:
        printer.json(asdict(found))
        return
    count = len(found.mails)
    printer.line((f"{count} mail{'s' * (count != 1)}", "head"), f" in {days} days with these settings.")
    for mail in found.mails:
        said = "; ".join(f"{one['interface']} {worded(one, session)['sentence']}" for one in mail["about"])
        printer.line(f"  {session.moment(mail['at'])}  {mail['kind']}  {said}")
    for other, mails in found.instead.items():
        printer.line((f"  with {'error and warning' if other == 'both' else other}: {mails}", "faint"))


def find(conn: Connection, name: str) -> dict[str, Any]:
    """An alarm by name or number. Raises Trouble."""
    for one in subscriptions.listed(conn):
        if name in (one["name"], str(one["id"])):
            return one
    raise Trouble(f"There is no alarm “{name}”: `connect alarms list` shows them.")


def worded(one: dict[str, Any], session: Session) -> dict[str, Any]:
    """An incident with its sentence in place of the stored problem."""
    problem = one["problem"] or {"code": one["code"], "values": {"service": one["key"]}}
    rest = {name: value for name, value in one.items() if name != "problem"}
    return rest | {"sentence": sentence([problem], session.language) or ""}


def _all(given: list[str] | None) -> list[str] | None:
    return [] if given == ["all"] else given or None
