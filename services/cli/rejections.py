"""`connect rejections`: input that was refused, why, and submitting it again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.db.connect import Connection
from shared.errors.catalogue import explain
from shared.errors.problem import Problem
from shared.people.audit import audit
from shared.records import dates
from shared.records.rejections import (
    STATES,
    Rejection,
    Wanted,
    list_rejections,
    read_rejection,
    reopen,
    set_aside,
)
from shared.records.wording import explained
from shared.runtime.intake import Intake
from shared.runtime.resubmission import resubmit_alike, try_out

app = typer.Typer(help="Input that was refused: nothing of it is lost, all of it can be submitted again.")
PAGE = 500

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Dry = Annotated[bool, typer.Option("--dry-run", help="only say what would come of it")]
Number = Annotated[int, typer.Argument(help="number of the rejection", min=1, max=2**63 - 1)]


@app.command("list")
def list_(
    ctx: typer.Context,
    state: Annotated[str, typer.Option(help="open, resubmitted, set-aside or all")] = "open",
    interface: Annotated[str | None, typer.Option("--interface", "-i", help="one interface; ? named none")] = None,
    queue: Annotated[str | None, typer.Option(help="the way in, e.g. order-imported or http")] = None,
    code: Annotated[str | None, typer.Option(help="of a problem, e.g. field-invalid")] = None,
    since: Annotated[str | None, typer.Option("--from", help="a date, e.g. 2026-11-23")] = None,
    until: Annotated[str | None, typer.Option("--to", help="a date, with its whole day")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="at most so many; without it all")] = None,
    as_json_: Json = False,
) -> None:
    """What was refused, the newest first."""
    session: Session = ctx.obj
    if state not in (*STATES, "all"):
        raise typer.BadParameter(f"--state is {', '.join(STATES)} or all.")
    begin, end = _moment(session, since, last=False), _moment(session, until, last=True)
    wanted = Wanted(None if state == "all" else state, interface, queue, code, begin, end)
    with session.database() as conn:
        found = _all(conn, wanted, limit)
    printer = Printer()
    if as_json_:
        printer.json({"items": [_as_json(one, session) for one in found], "next": None})
        return
    if not found:
        printer.line("Nothing is refused." if state == "open" else "There is none.")
        return
    rows = []
    for one in found:
        problems = explained(one.problems, session.language)
        more = f" (+{len(problems) - 1})" if len(problems) > 1 else ""
        said = problems[0]["sentence"] + more if problems else ""
        rows.append((str(one.id), session.moment(one.received_at), one.interface, one.origin, said))
    printer.table(("number", "received", "interface", "came by", "problem"), rows)


@app.command()
def show(ctx: typer.Context, number: Number, as_json_: Json = False) -> None:
    """One rejection: its raw text and every problem with what to do."""
    session: Session = ctx.obj
    with session.database() as conn:
        one = read_rejection(conn, number)
    if one is None:
        raise Trouble(f"There is no rejection {number}: `connect rejections list` shows them.")
    printer = Printer()
    if as_json_:
        printer.json(_as_json(one, session, raw=True))
        return
    printer.line((f"Rejection {one.id}", "head"), f"  {one.interface}  {one.event}  {one.state}")
    printer.line(
        (f"  {session.moment(one.received_at)} · {one.origin} · {one.source or '?'} {one.event_id or ''}", "faint")
    )
    for place, problem in enumerate(explained(one.problems, session.language), start=1):
        printer.line(f"  {place}. ", (problem["sentence"], "failed"), f"  [{problem['code']}]")
        printer.line(f"     {problem['cause']}")
        for step in problem["steps"]:
            printer.line(f"     → {step}")
    printer.line("")
    printer.line(_text(one.raw))
    if one.state == "set-aside":
        printer.line((f"Set aside by {one.resolved_by}: {one.reason}", "faint"))
    if one.state == "open":
        printer.line((f"Submit it again: connect rejections resubmit {one.id} [--file edited.json]", "faint"))


@app.command()
def resubmit(
    ctx: typer.Context,
    number: Number,
    file: Annotated[Path | None, typer.Option("--file", help="the corrected event; - reads standard input")] = None,
    dry_run: Dry = False,
    as_json_: Json = False,
) -> None:
    """Submit it again, as it was or corrected. With --dry-run only what would be wrong is said.

    \b
    connect rejections show 12 --json | jq -r .raw > event.json   (correct it)
    connect rejections resubmit 12 --file event.json
    """
    session: Session = ctx.obj
    body = None if file is None else sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    with session.database() as conn, conn.transaction():
        known = read_rejection(conn, number)
        if known is None:
            raise Trouble(f"There is no rejection {number}: `connect rejections list` shows them.")
        if dry_run:
            _print_verdict(session, try_out(conn, known, known.raw if body is None else body), as_json_)
            return
        taken = Intake(lambda _: None).resubmit(conn, number, body, session.actor)
        if taken is None and known.state == "set-aside":
            raise Trouble(f"Rejection {number} was set aside: `connect rejections reopen {number}` first.")
        if taken is None:
            raise Trouble(f"Rejection {number} was submitted again already, on {session.moment(known.resolved_at)}.")
        audit(conn, session.actor, "rejections.resubmit", {"rejection": number, "outcome": str(taken.outcome)})
    refused = taken.rejection_id is not None
    problems = [explain(problem, session.language) for problem in taken.problems]
    printer = Printer()
    if as_json_:
        printer.json(
            {
                "rejection": number,
                "outcome": "rejected" if refused else str(taken.outcome),
                "record_id": taken.record_id,
                "rejection_id": taken.rejection_id,
                "problems": [
                    {**problem.as_json(), "sentence": said.title, "steps": list(said.steps)}
                    for problem, said in zip(taken.problems, problems, strict=True)
                ],
            }
        )
    elif refused:
        printer.line((f"Refused again, as rejection {taken.rejection_id}:", "failed"))
        for said in problems:
            printer.line(f"  {said.title} {said.steps[0]}")
    else:
        printer.line(("Taken in", "ok"), f" ({taken.outcome}).")
    if refused:
        raise typer.Exit(1)


@app.command("resubmit-all")
def resubmit_all(
    ctx: typer.Context,
    code: Annotated[str, typer.Option(help="of the problem they share, e.g. interface-unknown")],
    interface: Annotated[str | None, typer.Option("--interface", "-i", help="of one interface; ? named none")] = None,
    dry_run: Dry = False,
    as_json_: Json = False,
) -> None:
    """Submit all open ones with the same problem again, as they came, once its cause is mended.

    connect rejections resubmit-all --code interface-unknown --dry-run
    """
    session: Session = ctx.obj
    with session.database() as conn:
        wanted = Wanted(None, interface, None, code)
        done = resubmit_alike(conn, Intake(lambda _: None), wanted, session.actor, dry_run=dry_run)
    printer = Printer()
    if as_json_:
        printer.json(done)
    elif dry_run:
        printer.line(f"{done['matched']} would be submitted again.")
    else:
        said = ", ".join(f"{count} {outcome}" for outcome, count in done["outcomes"].items())
        printer.line(f"{done['matched']} submitted again: {said or 'nothing to do'}.")
    if done["more"] and not as_json_:
        printer.line("There are further ones: run it again.")
    if done["outcomes"].get("rejected"):
        raise typer.Exit(1)


@app.command("set-aside")
def set_aside_(
    ctx: typer.Context,
    number: Number,
    reason: Annotated[str, typer.Option(help="why nobody needs it, for whoever looks later")],
    as_json_: Json = False,
) -> None:
    """Nobody needs it: it is kept, is not listed as open, and can be opened again.

    connect rejections set-aside 12 --reason "a test of the shop"
    """
    session: Session = ctx.obj
    if len(reason.strip()) < 3:
        raise Trouble("Say why with --reason, in a few words.", USAGE)
    with session.database() as conn:
        done = set_aside(conn, number, session.actor, reason.strip()[:500])
        _print_state(conn, session, number, done, as_json_)


@app.command("reopen")
def reopen_(ctx: typer.Context, number: Number, as_json_: Json = False) -> None:
    """Open one that was set aside.

    connect rejections reopen 12
    """
    session: Session = ctx.obj
    with session.database() as conn:
        done = reopen(conn, number, session.actor)
        _print_state(conn, session, number, done, as_json_)


def _print_state(conn: Connection, session: Session, number: int, done: bool, as_json: bool) -> None:
    one = read_rejection(conn, number)
    if one is None:
        raise Trouble(f"There is no rejection {number}: `connect rejections list` shows them.")
    if not done:
        raise Trouble(f"Nothing was done: rejection {number} is {one.state}.")
    if as_json:
        Printer().json(_as_json(one, session))
    else:
        Printer().line(f"Rejection {number} is {one.state}.")


def _print_verdict(session: Session, problems: Sequence[Problem], as_json: bool) -> None:
    said = explained([problem.as_json() for problem in problems], session.language)
    printer = Printer()
    if as_json:
        printer.json({"ok": not said, "problems": said, "dry_run": True})
    elif not said:
        printer.line(("It would be taken in.", "ok"))
    for problem in () if as_json else said:
        printer.line((problem["sentence"], "failed"), f"  [{problem['code']}] {problem['field']}")
    if said:
        raise typer.Exit(1)


def _moment(session: Session, text: str | None, *, last: bool) -> datetime | None:
    if text is None:
        return None
    try:
        found = dates.read(text.strip(), session.zone)
    except (ValueError, OverflowError):
        raise Trouble(f"“{text}” is not a date: write it as 2026-11-26 or 2026-11-26T08:00.", USAGE) from None
    return found.last_end if last else found.start


def _all(conn: Connection, wanted: Wanted, limit: int | None) -> list[Rejection]:
    found: list[Rejection] = []
    while True:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        page = list_rejections(conn, wanted, before=found[-1].id if found else None, limit=size) if size else []
        found += page
        if len(page) < size or not page:
            return found


def _as_json(one: Rejection, session: Session, *, raw: bool = False) -> dict[str, Any]:
    data = asdict(one)
    body = data.pop("raw")
    data["problems"] = explained(one.problems, session.language)
    return {**data, "raw": _text(body)} if raw else data


def _text(raw: bytes) -> str:
    return bytes(raw).decode("utf-8", "backslashreplace")
