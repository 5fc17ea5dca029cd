"""`connect events`: publish a file of events, check one without any server, tell what became of an event."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.event_file import events_of
from services.cli.printing import Printer
from services.cli.publishing import publish as publish_lines
from services.cli.session import Session
from services.cli.trouble import Trouble
from shared.broker.open import open_publisher
from shared.errors.catalogue import explain
from shared.records.fate import fate
from shared.records.wording import state_word
from shared.runtime.decode import Refused, decode

app = typer.Typer(help="Events: publish them, check them, follow them.")

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
File = Annotated[
    Path, typer.Argument(help="one CloudEvent a line (JSONL), or one JSON document; - reads standard input")
]


@app.command()
def publish(
    ctx: typer.Context,
    file: File,
    rate: Annotated[float | None, typer.Option(min=0.1, help="at most so many a second")] = None,
    patience: Annotated[float, typer.Option(min=1, help="give up after so many seconds without a confirmation")] = 60.0,
    unconfirmed: Annotated[
        Path | None, typer.Option(help="where to write lines that were not confirmed; beside the file")
    ] = None,
    as_json_: Json = False,
) -> None:
    """Publish events to the broker, each confirmed. Exit 1 when one was not; publishing a file again is harmless.

    \b
    connect events publish orders.jsonl
    connect events publish - --rate 50 < orders.jsonl
    """
    session: Session = ctx.obj
    publisher = open_publisher(session.settings.broker(), name="connect-cli")
    begin = time.monotonic()
    try:
        with events_of(file) as lines, _bar(file) as progress:
            found = publish_lines(lines, publisher, patience=patience, rate=rate, progress=progress)
    finally:
        publisher.close()
    left: Path | None = None
    if found.left:
        left = unconfirmed or Path("unconfirmed.jsonl" if str(file) == "-" else f"{file}.unconfirmed")
        left.write_bytes(b"".join(line + b"\n" for line in found.left))
    seconds = time.monotonic() - begin
    printer = Printer()
    if as_json_:
        printer.json(
            {
                "published": found.confirmed + found.refused + found.unknown,
                "confirmed": found.confirmed,
                "refused": found.refused,
                "unknown": found.unknown,
                "seconds": round(seconds, 3),
                "unconfirmed_file": str(left) if left else None,
            }
        )
    else:
        speed = f", {found.confirmed / seconds:.0f} a second" if seconds > 0 else ""
        printer.line(f"{found.confirmed} confirmed, {found.refused} refused, {found.unknown} unknown{speed}.")
    if left is not None:
        raise Trouble(
            f"{len(found.left)} events were not confirmed and are in {left}."
            " Look at `connect doctor`, then publish that file; what arrived twice is recognised."
        )


@app.command()
def validate(ctx: typer.Context, file: File, as_json_: Json = False) -> None:
    """Check events against their contract, every problem of every line. Needs no server.

    connect events validate orders.jsonl
    """
    session: Session = ctx.obj
    now, count = datetime.now(UTC), 0
    wrong: list[dict[str, Any]] = []
    with events_of(file, blank=True) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            count += 1
            found = decode(line, None, now)
            if isinstance(found, Refused):
                wrong.append({"line": number, "id": found.event_id, "problems": _explained(found, session)})
    printer = Printer()
    if as_json_:
        printer.json({"ok": not wrong, "events": count, "invalid": len(wrong), "lines": wrong})
    else:
        for one in wrong:
            for problem in one["problems"]:
                place = f" {problem['field']}" if problem["field"] else ""
                printer.line(f"line {one['line']}{place}: ", (problem["sentence"], "wrong"), f"  [{problem['code']}]")
                printer.line((f"    {problem['cause']} {problem['steps'][0]}", "faint"))
        printer.line(f"{count - len(wrong)} of {count} events are valid.")
    if wrong:
        raise typer.Exit(1)


@app.command()
def show(
    ctx: typer.Context,
    source: Annotated[str, typer.Option("--source", help="the event's `source`, e.g. /marketplaces/shop-1")],
    event_id: Annotated[str, typer.Option("--id", help="the event's `id`")],
    as_json_: Json = False,
) -> None:
    """What became of one event: applied, duplicate, superseded or rejected, and the record it concerns.

    connect events show --source /marketplaces/shop-1 --id 5f0c
    """
    session: Session = ctx.obj
    with session.database() as conn:
        found = fate(conn, source, event_id, session.language)
    if found is None:
        raise Trouble(
            f"No event {event_id} of {source} has come in. Is it still in the broker (`connect doctor`)?"
            " Publish it again: that is harmless."
        )
    printer = Printer()
    if as_json_:
        printer.json(found)
        return
    printer.line((f"{found['event']} {event_id}", "head"), f"  {found['interface']}  {found['outcome']}")
    printer.line((f"  received {session.moment(found['received_at'])}", "faint"))
    if record := found["record"]:
        word = state_word(record["state"], session.language) if record["state"] else "gone"
        printer.line(f"  {record['flow']} {record['key']}: {word} (connect orders show {record['key']})")
    for rejection in found["rejections"]:
        printer.line(f"  rejection {rejection['id']} ({rejection['state']}): {rejection['problems'][0]['sentence']}")
    if found["duplicates"]:
        printer.line(f"  came {len(found['duplicates'])} more times; duplicates change nothing")


def _explained(refused: Refused, session: Session) -> list[dict[str, Any]]:
    return [
        {**problem.as_json(), "sentence": said.title, "cause": said.cause, "steps": list(said.steps)}
        for problem in refused.problems
        for said in [explain(problem, session.language)]
    ]


@contextmanager
def _bar(file: Path) -> Iterator[Any]:
    """A progress bar on a terminal, nothing anywhere else."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    total = None
    if str(file) != "-":
        with events_of(file) as lines:
            total = sum(1 for _ in lines)
    columns = (TextColumn("publishing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.advance(task, done)
