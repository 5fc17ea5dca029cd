"""`connect alarms`: who is told what by mail, what it would have been lately, and why there was a mail or none."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.alarms import subscriptions
from shared.alarms.ledger import ledger, open_incidents
from shared.alarms.lookback import look_back
from shared.alarms.queue import ask_unconfirmed, queue_for
from shared.alarms.wanted import Alarm
from shared.db.connect import Connection
from shared.people.audit import audit
from shared.records.wording import sentence

app = typer.Typer(help="Alarms: who gets a mail when something goes wrong, and why (no) mail was sent.")

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Name = Annotated[str, typer.Argument(help="name or number of the alarm")]
Interfaces = Annotated[list[str], typer.Option("--interface", help="only this one; may be repeated; without it all")]
Flows = Annotated[list[str], typer.Option("--flow", help="order-import, order-export or stock; without it all")]
On = Annotated[list[str], typer.Option("--on", help="error or warning; may be repeated")]
Frequency = Annotated[str, typer.Option(help="immediately, 15min, hourly, daily or weekly")]
Only = Annotated[str, typer.Option("--filter", help="only where a record of the incident matches")]


@app.command("list")
def list_(ctx: typer.Context, as_json_: Json = False) -> None:
    """Every alarm, and the incidents that are open now."""
    session: Session = ctx.obj
    with session.database() as conn:
        found, incidents = subscriptions.listed(conn), open_incidents(conn)
    printer = Printer()
    if as_json_:
        printer.json({"items": found, "incidents": [_worded(one, session) for one in incidents]})
        return
    for one in incidents:
        state = "failed" if one["severity"] == "error" else "waiting"
        printer.line((one["severity"], state), f"  {one['interface']}  {_worded(one, session)['sentence']}")
    if not found:
        printer.line("No alarm yet: connect alarms add --recipient …")
        return
    rows = [
        (
            str(one["id"]),
            one["name"],
            ", ".join(one["interfaces"]) or "all",
            ", ".join(one["on"]),
            one["frequency"],
            ", ".join(who["address"] for who in one["recipients"]),
            session.moment(one["last_mail"]),
        )
        for one in found
    ]
    printer.table(("number", "name", "interfaces", "on", "frequency", "recipients", "last mail"), rows)


@app.command()
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="what it is called in its mails")],
    recipients: Annotated[list[str], typer.Option("--recipient", help="an address; may be repeated")],
    interfaces: Interfaces = [],  # noqa: B006 - typer reads it, nobody changes it
    flows: Flows = [],  # noqa: B006
    on: On = ["error"],  # noqa: B006
    frequency: Frequency = "immediately",
    filter_: Only = "",
    language: Annotated[str, typer.Option(help="de or en")] = "en",
    as_json_: Json = False,
) -> None:
    """Keep an alarm. The addresses count as confirmed.

    \b
    connect alarms add Night --interface otto-de --on error --frequency hourly --recipient night@example.org
    """
    session: Session = ctx.obj
    alarm = _alarm(name, interfaces, flows, on, frequency, filter_, language, recipients)
    with session.database() as conn, conn.transaction():
        _check(conn, session, alarm)
        try:
            number = subscriptions.add(conn, alarm, session.actor, session.zone.key, verified=True)
        except subscriptions.NameTaken as error:
            raise Trouble(str(error)) from None
        ask_unconfirmed(conn, number)
        audit(conn, session.actor, "alarms.add", {"alarm": number, "name": alarm.name})
    if as_json_:
        Printer().json({"id": number})
    else:
        Printer().line(("Kept", "ok"), f" as alarm {number}. Try it: connect alarms test {number}")


@app.command()
def remove(ctx: typer.Context, name: Name, as_json_: Json = False) -> None:
    """Delete an alarm with its ledger."""
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction():
        one = _find(conn, name)
        subscriptions.remove(conn, one["id"])
        audit(conn, session.actor, "alarms.remove", {"alarm": one["id"], "name": one["name"]})
    if as_json_:
        Printer().json({"removed": one["id"]})
    else:
        Printer().line(f"The alarm “{one['name']}” is gone.")


@app.command("test")
def send_test(ctx: typer.Context, name: Name, as_json_: Json = False) -> None:
    """Send a test mail to every confirmed recipient; the alert service sends it within seconds."""
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction():
        one = _find(conn, name)
        chosen = [who for who in one["recipients"] if who["verified_at"] and not who["stopped_at"]]
        if not chosen:
            raise Trouble("No recipient of this alarm has confirmed the address yet.")
        for who in chosen:
            queue_for(conn, who["id"], "test")
        audit(conn, session.actor, "alarms.test", {"alarm": one["id"], "name": one["name"]})
    if as_json_:
        Printer().json({"queued": len(chosen)})
    else:
        Printer().line(f"{len(chosen)} test mails wait to be sent: connect alarms ledger {one['id']} shows mails.")


@app.command()
def backtest(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="an alarm; without it the options say what to try")] = None,
    interfaces: Interfaces = [],  # noqa: B006
    flows: Flows = [],  # noqa: B006
    on: On = ["error"],  # noqa: B006
    frequency: Frequency = "immediately",
    filter_: Only = "",
    days: Annotated[int, typer.Option(min=1, max=31)] = 14,
    as_json_: Json = False,
) -> None:
    """Which mails these settings would have sent in the last days.

    \b
    connect alarms backtest Night
    connect alarms backtest --interface otto-de --on error --on warning --frequency hourly
    """
    session: Session = ctx.obj
    with session.database() as conn:
        if name is not None:
            alarm = subscriptions.alarm_of(_find(conn, name))
        else:
            alarm = _alarm("-", interfaces, flows, on, frequency, filter_, session.language, [])
        _check(conn, session, alarm)
        found = look_back(conn, alarm, session.zone.key, days)
    printer = Printer()
    if as_json_:
        printer.json(asdict(found))
        return
    count = len(found.mails)
    printer.line((f"{count} mail{'s' * (count != 1)}", "head"), f" in {days} days with these settings.")
    for mail in found.mails:
        said = "; ".join(f"{one['interface']} {_worded(one, session)['sentence']}" for one in mail["about"])
        printer.line(f"  {session.moment(mail['at'])}  {mail['kind']}  {said}")
    for other, mails in found.instead.items():
        printer.line((f"  with {'error and warning' if other == 'both' else other}: {mails}", "faint"))


@app.command("ledger")
def ledger_(
    ctx: typer.Context,
    name: Name,
    at: Annotated[datetime | None, typer.Option(help="up to this moment, e.g. 2026-11-23T09:12")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
    as_json_: Json = False,
) -> None:
    """Why there was a mail, or none: the decisions of one alarm, newest first."""
    session: Session = ctx.obj
    with session.database() as conn:
        moment = at and (at if at.tzinfo else at.replace(tzinfo=session.zone))
        rows = ledger(conn, _find(conn, name)["id"], before=moment, limit=limit)
    printer = Printer()
    if as_json_:
        printer.json({"items": rows})
        return
    for row in rows:
        about = "; ".join(_worded(one, session)["sentence"] for one in row["incidents"])
        until = f" until {session.moment(row['until'])}" if row["until"] else ""
        printer.line(f"{session.moment(row['at'])}  {row['what']}{until}  {about}")
        for mail in row["mails"]:
            printer.line((f"    {mail['address']}: {mail['state']} {mail['reply'] or ''}", "faint"))
    if not rows:
        printer.line("There was nothing to decide.")


def _find(conn: Connection, name: str) -> dict[str, Any]:
    for one in subscriptions.listed(conn):
        if name in (one["name"], str(one["id"])):
            return one
    raise Trouble(f"There is no alarm “{name}”: `connect alarms list` shows them.")


def _alarm(
    name: str,
    interfaces: list[str],
    flows: list[str],
    on: list[str],
    frequency: str,
    filter_: str,
    language: str,
    recipients: list[str],
) -> Alarm:
    asked = {
        "name": name, "interfaces": interfaces, "flows": flows, "on": on, "frequency": frequency, "filter": filter_,
        "language": language, "recipients": recipients,
    }  # fmt: skip
    try:
        return Alarm.model_validate(asked)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Trouble(f"{first['loc'][0]}: {first['msg']}.", USAGE) from None


def _check(conn: Connection, session: Session, alarm: Alarm) -> None:
    for slug in alarm.interfaces:
        session.known_interface(conn, slug)
    session.filter(conn, alarm.filter)


def _worded(one: dict[str, Any], session: Session) -> dict[str, Any]:
    problem = one["problem"] or {"code": one["code"], "values": {"service": one["key"]}}
    rest = {name: value for name, value in one.items() if name != "problem"}
    return rest | {"sentence": sentence([problem], session.language) or ""}
