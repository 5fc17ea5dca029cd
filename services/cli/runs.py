"""`connect runs`: what was begun for many records at once: how far it is, cancel or undo it, let it go on."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import Trouble
from services.cli.watching import Mark, watch
from shared.db.connect import Connection
from shared.people.audit import audit
from shared.records.bulk_end import cancel as end
from shared.records.bulk_end import go_on
from shared.records.bulk_read import OVER, list_runs, read_run

app = typer.Typer(help="Bulk runs: what was done to many orders, exports or articles at once.")
Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Id = Annotated[UUID, typer.Argument(help="id of the run, as `connect runs list` shows it")]


@app.command("list")
def list_(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="at most so many")] = 50,
    as_json_: Json = False,
) -> None:
    """The newest runs.

    connect runs list --limit 10
    """
    session: Session = ctx.obj
    with session.database() as conn:
        found = list_runs(conn, limit=limit)
    printer = Printer()
    if as_json_:
        printer.json({"items": found, "next": None})
    elif not found:
        printer.line("There has been none.")
    else:
        rows = [
            (
                one["id"],
                session.moment(one["created_at"]),
                f"{one['verb']} {one['resource']}",
                one["state"],
                f"{one['progress']['settled']}/{one['progress']['total']}",
                str(one["progress"]["failed"]),
                one["created_by"],
            )
            for one in found
        ]
        printer.table(("run", "begun", "what", "state", "finished", "failed again", "by"), rows)


@app.command()
def show(
    ctx: typer.Context,
    run: Id,
    wait: Annotated[bool, typer.Option("--wait", help="until it is over, with a bar on a terminal")] = False,
    timeout: Annotated[float, typer.Option(min=0, help="seconds to wait at most")] = 600.0,
    as_json_: Json = False,
) -> None:
    """One run: progress, what failed again and what was left alone. Exit 1 where something failed again.

    connect runs show 1d2c… --wait
    """
    session: Session = ctx.obj
    with session.database() as conn:
        found = watch(lambda: _read(conn, run), _mark, timeout if wait else 0.0, "running")
    if as_json_:
        Printer().json(found)
    else:
        _print(found)
    if found["progress"]["failed"] or found["state"] == "stopped":
        raise typer.Exit(1)


@app.command()
def cancel(ctx: typer.Context, run: Id, as_json_: Json = False) -> None:
    """Undo a run that has not begun, or let nothing more of it begin. What is done stays done.

    connect runs cancel 1d2c…
    """
    _change(ctx.obj, run, "cancel", as_json_)


@app.command()
def resume(ctx: typer.Context, run: Id, as_json_: Json = False) -> None:
    """Run the rest of a run that stopped because too many failed again; mend the cause first.

    connect runs resume 1d2c…
    """
    _change(ctx.obj, run, "resume", as_json_)


def _change(session: Session, run: UUID, verb: str, as_json_: bool) -> None:
    with session.database() as conn, conn.transaction():
        changed = end(conn, run, session.actor) if verb == "cancel" else go_on(conn, run)
        if changed:
            audit(conn, session.actor, f"bulk.{verb}", {"run": str(run)})
        found = _read(conn, run)
    if not changed:
        raise Trouble(f"The run is {found['state']} already: there is nothing to {verb}.")
    if as_json_:
        Printer().json(found)
    else:
        _print(found)


def _read(conn: Connection, run: UUID) -> dict[str, Any]:
    found = read_run(conn, run)
    if found is None:
        raise Trouble(f"There is no run {run}: `connect runs list` shows them.")
    return found


def _mark(run: dict[str, Any]) -> Mark:
    progress = run["progress"]
    over = run["state"] in OVER and not progress["open"]
    return Mark(progress["settled"], None if run["counts"]["matched"] is None else progress["total"], over)


def _print(run: dict[str, Any]) -> None:
    printer, progress = Printer(), run["progress"]
    printer.line(f"{run['verb']} {run['resource']}, by {run['created_by']}: {run['state']}" + _code(run))
    printer.line(
        f"{progress['settled']} of {progress['total']} finished: {progress['succeeded']} succeeded,"
        f" {progress['failed']} failed again; {progress['open']} under way, {progress['to_come']} to come."
    )
    for why, count in run["left"].items():
        printer.line(f"  {count} left alone: {why}")
    for one in run["failed_again"][:50]:
        printer.line(f"  failed again: {one['key'] or one['id']} ({one['code']})")


def _code(run: dict[str, Any]) -> str:
    return f" ({run['code']})" if run["code"] else ""
