"""`connect alarms`: who is told what by mail, what it would have been lately, and why there was a mail or none."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from services.cli import alarm_answers, alarm_calendar
from services.cli.alarm_settings import (
    At,
    DryRun,
    Flows,
    FollowCalendar,
    Frequency,
    Interfaces,
    Json,
    Name,
    On,
    Only,
    Quiet,
    Tongue,
    Weekday,
    Weekends,
    checked,
    find,
    foretold,
    settings,
    worded,
)
from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import Trouble
from shared.alarms import subscriptions
from shared.alarms.ledger import ledger, open_incidents
from shared.alarms.queue import ask_unconfirmed, queue_for
from shared.people.audit import audit

app = typer.Typer(help="Alarms: who gets a mail when something goes wrong, and why (no) mail was sent.")
app.command("acknowledge")(alarm_answers.acknowledge)
app.command("snooze")(alarm_answers.snooze)
app.command("limits")(alarm_calendar.limits)


@app.command("list")
def list_(ctx: typer.Context, as_json_: Json = False) -> None:
    """Every alarm, and the incidents that are open now."""
    session: Session = ctx.obj
    with session.database() as conn:
        found, incidents = subscriptions.listed(conn), open_incidents(conn)
    printer = Printer()
    if as_json_:
        printer.json({"items": found, "incidents": [worded(one, session) for one in incidents]})
        return
    for one in incidents:
        state = "failed" if one["severity"] == "error" else "waiting"
        said = " (acknowledged)" if one["answered_at"] and not one["snoozed_until"] else ""
        said = f" (snoozed until {session.moment(one['snoozed_until'])})" if one["snoozed_until"] else said
        sentence_ = worded(one, session)["sentence"]
        printer.line((one["severity"], state), f"  #{one['id']}  {one['interface']}  {sentence_}{said}")
    if not found:
        printer.line("No alarm yet: connect alarms add --recipient …")
        return
    rows = [
        (
            str(one["id"]),
            one["name"],
            ", ".join(one["interfaces"]) or "all",
            ", ".join(one["on"]),
            one["frequency"] if one["active"] else "paused",
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
    recipients: Annotated[
        list[str], typer.Option("--recipient", help="an address, with :de or :en its own language; may be repeated")
    ],
    interfaces: Interfaces = None,
    flows: Flows = None,
    on: On = None,
    frequency: Frequency = None,
    at: At = None,
    weekday: Weekday = None,
    quiet: Quiet = None,
    weekends: Weekends = None,
    calendar: FollowCalendar = None,
    filter_: Only = None,
    language: Tongue = None,
    dry_run: DryRun = False,
    as_json_: Json = False,
) -> None:
    """Keep an alarm. The addresses count as confirmed.

    \b
    connect alarms add Night --interface otto-de --on error --frequency hourly --recipient night@example.org
    connect alarms add Office --frequency daily --at 07:30 --quiet 20:00-07:00 --weekends --recipient a@example.org
    """
    session: Session = ctx.obj
    asked = settings(None, name, interfaces, flows, on, frequency, at, weekday, quiet, weekends, calendar, filter_,
                     language, recipients)  # fmt: skip
    with session.database() as conn, conn.transaction():
        alarm = checked(conn, session, asked)
        if dry_run:
            foretold(conn, session, alarm, as_json=as_json_)
            return
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
def change(
    ctx: typer.Context,
    name: Name,
    rename: Annotated[str | None, typer.Option(help="another name")] = None,
    recipients: Annotated[
        list[str] | None, typer.Option("--recipient", help="all who get it from now on; may be repeated")
    ] = None,
    interfaces: Interfaces = None,
    flows: Flows = None,
    on: On = None,
    frequency: Frequency = None,
    at: At = None,
    weekday: Weekday = None,
    quiet: Quiet = None,
    weekends: Weekends = None,
    calendar: FollowCalendar = None,
    filter_: Only = None,
    language: Tongue = None,
    dry_run: DryRun = False,
    as_json_: Json = False,
) -> None:
    """Change what is named; the rest stays. A list is given whole; `--interface all` and `--flow all` take all.

    \b
    connect alarms change Night --frequency 15min --quiet 22:00-06:30
    connect alarms change Night --on error --on warning --dry-run
    """
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction():
        one = find(conn, name)
        asked = settings(one, rename, interfaces, flows, on, frequency, at, weekday, quiet, weekends, calendar,
                         filter_, language, recipients)  # fmt: skip
        alarm = checked(conn, session, asked)
        if dry_run:
            foretold(conn, session, alarm, as_json=as_json_)
            return
        try:
            subscriptions.change(conn, one["id"], alarm, session.zone.key, verified=True)
        except subscriptions.NameTaken as error:
            raise Trouble(str(error)) from None
        audit(conn, session.actor, "alarms.change", {"alarm": one["id"], "name": alarm.name})
        now = find(conn, str(one["id"]))
    if as_json_:
        Printer().json(now)
    else:
        Printer().line(("Changed", "ok"), f" alarm {one['id']}.")


@app.command()
def pause(ctx: typer.Context, name: Name, dry_run: DryRun = False, as_json_: Json = False) -> None:
    """Mail nothing of this alarm until it is resumed."""
    _switch(ctx, name, on=False, dry_run=dry_run, as_json=as_json_)


@app.command()
def resume(ctx: typer.Context, name: Name, dry_run: DryRun = False, as_json_: Json = False) -> None:
    """Let a paused alarm go on: it tells what is open, like a new one."""
    _switch(ctx, name, on=True, dry_run=dry_run, as_json=as_json_)


@app.command()
def remove(ctx: typer.Context, name: Name, dry_run: DryRun = False, as_json_: Json = False) -> None:
    """Delete an alarm with its ledger."""
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction(force_rollback=dry_run):
        one = find(conn, name)
        subscriptions.remove(conn, one["id"])
        audit(conn, session.actor, "alarms.remove", {"alarm": one["id"], "name": one["name"]})
    if as_json_:
        Printer().json({"removed": one["id"], "dry_run": dry_run})
    elif dry_run:
        Printer().line(f"The alarm “{one['name']}” would be deleted, and why its mails were sent or not with it.")
    else:
        Printer().line(f"The alarm “{one['name']}” is gone.")


@app.command("test")
def send_test(ctx: typer.Context, name: Name, dry_run: DryRun = False, as_json_: Json = False) -> None:
    """Send a test mail to every confirmed recipient; the alert service sends it within seconds."""
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction(force_rollback=dry_run):
        one = find(conn, name)
        chosen = [who for who in one["recipients"] if who["verified_at"] and not who["stopped_at"]]
        if not chosen:
            raise Trouble("No recipient of this alarm has confirmed the address yet.")
        for who in chosen:
            queue_for(conn, who["id"], "test")
        audit(conn, session.actor, "alarms.test", {"alarm": one["id"], "name": one["name"]})
    if as_json_:
        Printer().json({"queued": 0 if dry_run else len(chosen), "to": [who["address"] for who in chosen],
                        "dry_run": dry_run})  # fmt: skip
    elif dry_run:
        Printer().line("A test mail would be sent to ", ", ".join(who["address"] for who in chosen), ".")
    else:
        mails = "1 test mail waits" if len(chosen) == 1 else f"{len(chosen)} test mails wait"
        Printer().line(f"{mails} to be sent: connect alarms ledger {one['id']} shows mails.")


@app.command()
def backtest(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="an alarm; without it the options say what to try")] = None,
    interfaces: Interfaces = None,
    flows: Flows = None,
    on: On = None,
    frequency: Frequency = None,
    at: At = None,
    weekday: Weekday = None,
    quiet: Quiet = None,
    weekends: Weekends = None,
    calendar: FollowCalendar = None,
    filter_: Only = None,
    days: Annotated[int, typer.Option(min=1, max=31)] = 14,
    as_json_: Json = False,
) -> None:
    """Which mails these settings would have sent in the last days. Options change what a named alarm says.

    \b
    connect alarms backtest Night --frequency hourly
    connect alarms backtest --interface otto-de --on error --on warning --frequency hourly
    """
    session: Session = ctx.obj
    with session.database() as conn:
        one = find(conn, name) if name is not None else None
        asked = settings(one, None if one else "-", interfaces, flows, on, frequency, at, weekday, quiet, weekends,
                         calendar, filter_, None, None)  # fmt: skip
        foretold(conn, session, checked(conn, session, asked), as_json=as_json_, days=days)


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
        found = ledger(conn, find(conn, name)["id"], before=moment, limit=limit)
    printer, rows = Printer(), found["items"]
    if as_json_:
        printer.json(found)
        return
    if found["next"] and moment is None:
        coming = found["next"]
        printer.line(f"Next mail, if nothing new happens: {session.moment(coming['at'])} ({coming['what']})")
    for row in rows:
        about = "; ".join(worded(one, session)["sentence"] for one in row["incidents"])
        until = f" until {session.moment(row['until'])}" if row["until"] else ""
        by = f" by {row['by']}" if row["by"] else ""
        printer.line(f"{session.moment(row['at'])}  {row['what']}{by}{until}  {about}")
        for mail in row["mails"]:
            printer.line((f"    {mail['address']}: {mail['state']} {mail['reply'] or ''}", "faint"))
    if not rows:
        printer.line("There was nothing to decide.")


def _switch(ctx: typer.Context, name: str, *, on: bool, dry_run: bool, as_json: bool) -> None:
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction():
        one = find(conn, name)
        will = one["active"] is not on
        if will and not dry_run:
            (subscriptions.resume if on else subscriptions.pause)(conn, one["id"], session.actor)
            about = {"alarm": one["id"], "name": one["name"]}
            audit(conn, session.actor, "alarms.resume" if on else "alarms.pause", about)
    if as_json:
        Printer().json({"id": one["id"], "active": one["active"] if dry_run else on, "changed": will and not dry_run})
        return
    state = "goes on" if on else "is paused"
    would = " would be changed" if will else f" {state} already"
    Printer().line(f"The alarm “{one['name']}”", would if dry_run or not will else f" {state}", ".")
