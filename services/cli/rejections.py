"""`connect rejections`: input that was refused, why, and submitting it again."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import Trouble
from shared.db.connect import Connection
from shared.errors.catalogue import explain
from shared.people.audit import audit
from shared.records.rejections import Rejection, list_rejections, read_rejection
from shared.records.wording import explained
from shared.runtime.intake import Intake

app = typer.Typer(help="Input that was refused: nothing of it is lost, all of it can be submitted again.")
PAGE = 500

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Number = Annotated[int, typer.Argument(help="number of the rejection", min=1, max=2**63 - 1)]


@app.command("list")
def list_(
    ctx: typer.Context,
    state: Annotated[str, typer.Option(help="open, resubmitted or all")] = "open",
    limit: Annotated[int | None, typer.Option(min=1, help="at most so many; without it all")] = None,
    as_json_: Json = False,
) -> None:
    """What was refused, the newest first."""
    session: Session = ctx.obj
    if state not in ("open", "resubmitted", "all"):
        raise typer.BadParameter("--state is open, resubmitted or all.")
    with session.database() as conn:
        found = _all(conn, None if state == "all" else state, limit)
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
    if one.state == "open":
        printer.line((f"Submit it again: connect rejections resubmit {one.id} [--file edited.json]", "faint"))


@app.command()
def resubmit(
    ctx: typer.Context,
    number: Number,
    file: Annotated[Path | None, typer.Option("--file", help="the corrected event; - reads standard input")] = None,
    as_json_: Json = False,
) -> None:
    """Submit it again, as it was or corrected.

    \b
    connect rejections show 12 --json | jq -r .raw > event.json   (correct it)
    connect rejections resubmit 12 --file event.json
    """
    session: Session = ctx.obj
    body = None if file is None else sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    with session.database() as conn:
        known = read_rejection(conn, number)
        if known is None:
            raise Trouble(f"There is no rejection {number}: `connect rejections list` shows them.")
        taken = Intake(lambda _: None).resubmit(conn, number, body, session.actor)
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


def _all(conn: Connection, state: str | None, limit: int | None) -> list[Rejection]:
    found: list[Rejection] = []
    while True:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        page = list_rejections(conn, state=state, before=found[-1].id if found else None, limit=size) if size else []
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
