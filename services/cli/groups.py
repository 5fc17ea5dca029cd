"""`connect groups`: what is in trouble, by its cause; a note on it, who takes care, that it is known."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.connectors.registry import discover
from shared.records.causes import LONGEST_NOTE, CauseChange, UnknownAssignee, change_cause
from shared.records.filter import suggest
from shared.records.groups import SHOWN, Shown, list_groups, read_group
from shared.records.told_groups import told

app = typer.Typer(help="Failures by cause, the most harmful first: due today, then what they are worth, then how many.")

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Id = Annotated[str, typer.Argument(help="the group's name, e.g. payment-unmapped-1f0a93bc (`connect groups list`)")]


@app.command("list")
def list_(
    ctx: typer.Context,
    show: Annotated[str, typer.Option(help="open, acknowledged or resolved (those that emptied today)")] = "open",
    interface: Annotated[str | None, typer.Option("--interface", "-i", help="only this one, e.g. otto-de")] = None,
    as_json_: Json = False,
) -> None:
    """Every cause with how many records it holds up, their worth, and how many of them are due today.

    connect groups list --interface otto-de

    connect orders list --filter group:payment-unmapped-1f0a93bc
    """
    session: Session = ctx.obj
    kinds: dict[str, Shown] = {kind: kind for kind in SHOWN}
    if show not in kinds:
        raise Trouble(f"--show is {', '.join(SHOWN)}.", USAGE)
    with session.database() as conn:
        if interface is not None:
            session.known_interface(conn, interface)
        found = list_groups(conn, session.zone, shown=kinds[show], interface=interface)
    items = [told(one, _titles(), session.language) for one in found.items]
    printer = Printer()
    if as_json_:
        printer.json({"items": items, "counts": found.counts, "records": found.records})
        return
    if not items:
        printer.line("Nothing is open." if show == "open" else "There is none.")
        return
    rows = [
        (
            (one["title"], one["state"]), str(one["count"]), _worth(one), str(one["due_today"]),
            session.moment(one["first_seen"]), one["assignee"] or "–", one["id"],
        )
        for one in items
    ]  # fmt: skip
    printer.table(("cause", "records", "worth", "due today", "since", "who takes care", "group"), rows)


@app.command()
def show(ctx: typer.Context, group: Id, as_json_: Json = False) -> None:
    """One group: why, what to do, what goes on by itself, what was said about it, what ended it the last time.

    connect groups show payment-unmapped-1f0a93bc
    """
    session: Session = ctx.obj
    with session.database() as conn:
        found = read_group(conn, session.zone, group)
    if found is None:
        raise _unknown(group)
    one = told(found, _titles(), session.language)
    printer = Printer()
    if as_json_:
        printer.json(one)
        return
    remedy = one["remedy"]
    printer.line((one["title"], one["state"]), f"  [{one['id']}]")
    states = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in one["states"].items())
    printer.line(
        f"  {one['interface']} · {one['flow']} · {one['count']} records"
        f" ({states})"
        f" · {_worth(one)} · {one['due_today']} due today, {one['overdue']} overdue · {one['status']}"
    )
    printer.line((f"  {session.moment(one['first_seen'])} – {session.moment(one['last_seen'])}", "faint"))
    printer.line(f"  {remedy['cause']}")
    for step in remedy["steps"]:
        printer.line(f"  → {step['text']}")
    printer.line(f"  {remedy['turn']['who']} {remedy['turn']['aside']}".rstrip())
    printer.line(f"  {remedy['retry']['answer']} {remedy['retry']['more']}".rstrip())
    if one["last_time"]:
        printer.line((f"  {last_time(session, one['last_time'])}", "faint"))
    if one["note"]:
        printer.line(f"  “{one['note']}” ", (f"{one['noted_by']}, {session.moment(one['noted_at'])}", "faint"))
    if one["assignee"]:
        printer.line(f"  {one['assignee']} takes care.")
    if one["acknowledged"]:
        printer.line((f"  acknowledged by {one['acknowledged_by']}", "faint"))
    printer.line((f"  connect {one['resource']} list --filter {one['filter']}", "faint"))


def last_time(session: Session, told_: dict[str, Any]) -> str:
    """What ended it the last time, in one line."""
    who = told_["by"] or "itself"
    how = f", mapped to {told_['target']}" if told_["target"] else ""
    return (
        f"last fixed {session.moment(told_['at'])} by {who}{how}, after {round(told_['seconds'] / 60)} min;"
        f" {told_['succeeded']} of {told_['of']} succeeded then"
    )


@app.command()
def note(
    ctx: typer.Context,
    group: Id,
    text: Annotated[str, typer.Argument(help="what to remember; an empty text takes the note away")],
    as_json_: Json = False,
) -> None:
    """Write a note on a cause. It survives retries, and the cause's disappearance and return.

    connect groups note payment-unmapped-1f0a93bc "Asked the shop, answer by noon"
    """
    if len(text) > LONGEST_NOTE:
        raise Trouble(f"A note has at most {LONGEST_NOTE} characters, this one has {len(text)}.", USAGE)
    _say(ctx.obj, group, CauseChange(note=text), as_json_)


@app.command()
def assign(
    ctx: typer.Context,
    group: Id,
    user: Annotated[str, typer.Argument(help="name of a user; an empty text for nobody")],
    as_json_: Json = False,
) -> None:
    """Say who takes care of a cause. `--filter assignee:NAME` finds its records, `assignee:none` what nobody has.

    connect groups assign payment-unmapped-1f0a93bc Jana
    """
    _say(ctx.obj, group, CauseChange(assignee=user), as_json_)


@app.command()
def ack(
    ctx: typer.Context,
    group: Id,
    undo: Annotated[bool, typer.Option("--undo", help="take it back")] = False,
    as_json_: Json = False,
) -> None:
    """Acknowledge a cause: it is known and no news. It is open again when it returns after it was gone.

    connect groups ack payment-unmapped-1f0a93bc
    """
    _say(ctx.obj, group, CauseChange(acknowledged=not undo), as_json_)


def _say(session: Session, group: str, change: CauseChange, as_json_: bool) -> None:
    with session.database() as conn:
        try:
            if not change_cause(conn, group, change, session.actor):
                raise _unknown(group)
        except UnknownAssignee as error:
            near = suggest(error.name, error.names)
            more = f"Did you mean {near}?" if near else "`connect users list` shows them."
            raise Trouble(f"{error} {more}", USAGE) from None
        found = read_group(conn, session.zone, group)
    assert found is not None
    one = told(found, _titles(), session.language)
    if as_json_:
        Printer().json(one)
    else:
        Printer().line(f"{one['title']} {' and '.join(change.verbs)}: done.")


def _unknown(group: str) -> Trouble:
    return Trouble(f"There is no group {group}: `connect groups list` shows them.")


def _titles() -> dict[str, str]:
    return {key: connector.title for key, connector in discover().items()}


def _worth(one: dict[str, Any]) -> str:
    return " + ".join(f"{money['amount']} {money['currency']}" for money in one["amounts"]) or "–"
