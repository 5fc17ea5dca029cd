"""`connect archive`: puts orders that are long over into Parquet files, says what lies there, brings orders back."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import FAILED, USAGE, Trouble
from shared.archive import months, parts
from shared.archive.folder import ArchiveError, folders, read_manifest
from shared.db.connect import Connection
from shared.failpoint import Failpoints
from shared.people.audit import audit

HELP = """What is long over, in files: history, calls' outcomes and older copies leave the database.

\b
What would go:              connect archive run --folder /archive --dry-run
Once a month, as the owner: connect archive run --folder /archive
Is it whole:                connect archive verify --folder /archive
Bring an order back:        connect archive restore --folder /archive --interface otto-de --number 4711

Only orders whose buyer was overwritten by their age (CONNECT_KEEP_ORDERS_DAYS), which nobody holds, and which did not
change for --older-than days; of articles what happened in whole months before that, but the newest. Record, state,
numbers, newest copy, parcels and inbox stay, so the same event is known.
"""
app = typer.Typer(help=HELP)

LEAST_DAYS = 62
A_PART = 20_000

Folder = Annotated[Path, typer.Option("--folder", help="folder of the archive; a backup of its own is up to you")]
Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]


@app.command()
def run(
    ctx: typer.Context,
    folder: Folder,
    older_than: Annotated[
        int, typer.Option("--older-than", min=LEAST_DAYS, help="days since an order last changed")
    ] = 730,
    minutes: Annotated[float, typer.Option("--minutes", min=0, help="stop after the part that is in hand then")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say how many records of which month")] = False,
    as_json_: Json = False,
) -> None:
    """Write what is long over into files, read them back, take it out of the database, drop months that are empty.

    It may be killed and begun again at any time. Needs the database's owner: services may not delete history.

    \b
    connect archive run --folder /archive --dry-run
    connect archive run --folder /archive --older-than 730 --minutes 60
    """
    session: Session = ctx.obj
    cutoff = datetime.now(UTC) - timedelta(days=older_than)
    write, take = _with_parquet("write"), _with_parquet("take_out")
    with session.database(statement_timeout=600) as conn, _plainly():
        if dry_run:
            would = write.count(conn, cutoff)
            if many := write.count_articles(conn, months.over(conn, cutoff.date())):
                would["articles"] = many
            _tell_run(session, would, [], [], as_json_, dry_run=True)
            return
        _ready(conn, folder)
        failpoint, until = Failpoints(session.settings.fault), time.monotonic() + minutes * 60 if minutes else None
        write.abandon_unfinished(conn, folder)
        done = [_took(conn, take, folder, one, failpoint, session) for one in parts.parts(conn, "written")]
        for month in (None, *months.over(conn, cutoff.date())):  # orders, then articles month by month
            after = 0
            while until is None or time.monotonic() < until:
                part, further = write.write_part(conn, folder, cutoff, A_PART, after, failpoint, month)
                if part is not None:
                    done.append(_took(conn, take, folder, part, failpoint, session))
                if further == after:
                    break
                after = further
        dropped = months.drop_empty(conn, cutoff.date())
        _tell_run(session, {}, done, dropped, as_json_, dry_run=False)


@app.command("list")
def list_(ctx: typer.Context, folder: Folder, as_json_: Json = False) -> None:
    """Every part: month, records, rows, size, and whether its files lie in the folder."""
    session: Session = ctx.obj
    lying = {path.name: path for path in folders(_there(folder))}
    with session.database() as conn:
        known = parts.parts(conn)
    rows: list[dict[str, Any]] = [
        {
            "part": one.no, "kind": one.kind, "month": f"{one.month:%Y-%m}", "state": one.state, "records": one.records,
            "taken_out": one.taken_out, "rows": one.rows, "bytes": one.bytes, "made_at": one.begun_at,
            "folder": one.name.within(folder), "lies_there": lying.pop(one.name.within(folder).name, None) is not None,
        }
        for one in known
    ]  # fmt: skip
    rows += [_stranger(path) for path in lying.values()]
    missing = [row for row in rows if not row["lies_there"] and row["state"] != "writing"]
    printer = Printer()
    if as_json_:
        printer.json({"parts": [{**row, "folder": str(row["folder"])} for row in rows]})
    elif not rows:
        printer.line("Nothing is archived.")
    else:
        printer.table(
            ("part", "of", "month", "state", "records", "taken out", "rows", "bytes", "folder"),
            [[*(str(row[n]) for n in ("part", "kind", "month", "state", "records", "taken_out", "rows", "bytes")),
              (str(row["folder"]), "head") if row["lies_there"] else (f"MISSING {row['folder']}", "wrong")]
             for row in rows],
        )  # fmt: skip
    if missing:
        raise typer.Exit(1)


@app.command()
def verify(ctx: typer.Context, folder: Folder, as_json_: Json = False) -> None:
    """Read every part of this database back: manifest, SHA-256 of each file, rows. Exit 1 where one is not whole."""
    session: Session = ctx.obj
    verified = _with_parquet("verify").verified
    told: list[dict[str, Any]] = []
    with session.database() as conn:
        known = [one for one in parts.parts(conn) if one.state != "writing"]
    for one in known:
        try:
            with verified(one.name.within(_there(folder)), one.manifest):
                told.append({"part": one.no, "ok": True, "wrong": None})
        except ArchiveError as error:
            told.append({"part": one.no, "ok": False, "wrong": str(error)})
    wrong = [bad for bad in told if not bad["ok"]]
    printer = Printer()
    if as_json_:
        printer.json({"ok": not wrong, "parts": told})
    else:
        for bad in wrong:
            printer.line((f"part {bad['part']}: {bad['wrong']}", "wrong"))
        printer.line(f"{len(told) - len(wrong)} of {len(told)} parts are whole.")
    if wrong:
        raise typer.Exit(1)


@app.command()
def restore(
    ctx: typer.Context,
    folder: Folder,
    part: Annotated[int | None, typer.Option(min=1, help="all records of this part")] = None,
    number: Annotated[str, typer.Option(help="one order, with --interface")] = "",
    interface: Annotated[str, typer.Option("--interface", "-i", help="of the order")] = "",
    as_json_: Json = False,
) -> None:
    """Bring history and copies back into the database; the files stay. Needs the database's owner.

    \b
    connect archive restore --folder /archive --interface otto-de --number 4711
    connect archive restore --folder /archive --part 12
    """
    session: Session = ctx.obj
    if (part is None) == (not number) or bool(number) != bool(interface):
        raise Trouble("Name a --part, or an order with --interface and --number.", USAGE)
    back_to = _with_parquet("restore").restore
    with session.database(statement_timeout=600) as conn, _plainly():
        _ready(conn, _there(folder))
        wanted = _wanted(conn, part, interface, number)
        failpoint = Failpoints(session.settings.fault)
        back = {
            no: back_to(conn, folder, _known(conn, no), failpoint, ids, partial(_brought, conn, session, no, number))
            for no, ids in wanted.items()
        }
    printer = Printer()
    if as_json_:
        printer.json({"restored": sum(back.values()), "parts": sorted(back)})
    else:
        printer.line(f"{sum(back.values())} records are back, from {len(back)} parts of the archive.")


def _with_parquet(name: str) -> ModuleType:
    """A module that reads or writes Parquet; pyarrow comes with the extra `archive` only."""
    import importlib

    try:
        return importlib.import_module(f"shared.archive.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        raise Trouble(
            "The archive needs pyarrow: pip install --require-hashes -r requirements/archive.txt"
            " (or the extra `archive` of the package)."
        ) from None


@contextmanager
def _plainly() -> Iterator[None]:
    try:
        yield
    except ArchiveError as error:
        raise Trouble(str(error), FAILED) from None


def _ready(conn: Connection, folder: Path) -> None:
    owner = conn.execute(
        "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'archived'::regclass"
    ).fetchone()
    if owner != (True,):
        raise Trouble(
            f"The role {conn.info.user} may not change history: run it with the owner's CONNECT_DATABASE_URL, as"
            " `connect migrate`."
        )
    if not parts.lock(conn):
        raise Trouble("Somebody else archives or restores just now: wait until it is done.")
    _there(folder)


def _there(folder: Path) -> Path:
    if not folder.is_dir():
        raise Trouble(f"{folder} is no folder: make it, or mount it, first.", USAGE)
    return folder


def _took(
    conn: Connection, take: ModuleType, folder: Path, part: parts.Part, failpoint: Failpoints, session: Session
) -> dict[str, Any]:
    take.take_out(conn, folder, part, failpoint, partial(_gone, conn, session, part))
    found = _known(conn, part.no)
    told = {
        "part": found.no, "kind": found.kind, "month": f"{found.month:%Y-%m}", "records": found.records,
        "taken_out": found.taken_out, "rows": found.rows, "bytes": found.bytes,
    }  # fmt: skip
    if sys.stderr.isatty():
        sys.stderr.write(f"part {found.no}, {found.month:%Y-%m}: {found.taken_out} records\n")
    return told


def _gone(conn: Connection, session: Session, part: parts.Part) -> None:
    told = {"part": part.no, "month": f"{part.month:%Y-%m}", "records": part.records}
    audit(conn, session.actor, "archive.run", told)


def _brought(conn: Connection, session: Session, no: int, number: str, count: int) -> None:
    audit(conn, session.actor, "archive.restore", {"part": no, "records": count, "number": number or None})


def _known(conn: Connection, no: int) -> parts.Part:
    found = parts.part(conn, no)
    if found is None:
        raise Trouble(f"There is no part {no}: `connect archive list` shows them.")
    return found


def _wanted(conn: Connection, part: int | None, interface: str, number: str) -> dict[int, list[int] | None]:
    if part is not None:
        return {_known(conn, part).no: None}
    rows = conn.execute(
        "SELECT id FROM records WHERE interface = %s AND key = %s AND flow <> 'stock'", (interface, number)
    ).fetchall()
    if not rows:
        raise Trouble(f"There is no order {number} of {interface}.")
    found = parts.parts_of(conn, [row[0] for row in rows])
    if not found:
        raise Trouble(f"Nothing of {number} is in the archive.")
    return dict(found)


def _stranger(path: Path) -> dict[str, Any]:
    """A part that this database does not know, e.g. since a backup of earlier was restored."""
    try:
        said = read_manifest(path)
    except ArchiveError:
        said = {}
    size = sum(file.get("bytes", 0) for file in said.get("files", ()))
    return {"part": said.get("part"), "kind": said.get("kind"), "month": said.get("month"), "state": "unknown here",
            "records": said.get("records"), "taken_out": 0, "rows": None, "bytes": size, "made_at": said.get("made_at"),
            "folder": path, "lies_there": True}  # fmt: skip


def _tell_run(
    session: Session, would: dict[str, int], done: list[dict[str, Any]], dropped: list[str], as_json_: bool, *,
    dry_run: bool,
) -> None:  # fmt: skip
    printer = Printer()
    if as_json_:
        printer.json({"dry_run": dry_run, "would_go": would, "parts": done, "months_dropped": dropped})
        return
    if dry_run:
        for month, count in would.items():
            printer.line(f"{month}: {count} records would go, whole or in part.")
    for one in done:
        printer.line(
            f"Part {one['part']}, {one['kind']}, {one['month']}: {one['records']} records written,"
            f" {one['taken_out']} taken out, {one['rows']} rows, {one['bytes']} bytes."
        )
    if dropped:
        printer.line(f"Months of history that were empty and dropped: {', '.join(dropped)}.")
    if not would and not done:
        printer.line("Nothing is old enough, over, and free of its buyer.")
        if session.settings.keep_orders_days == 0:
            printer.line(
                (
                    "Buyers' data stays for ever (CONNECT_KEEP_ORDERS_DAYS is 0), and only orders without it go.",
                    "remark",
                )
            )
