"""`list`, `show`: the same for orders, exports and articles. Called once for each by its module."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.printing import Printer, as_json
from services.cli.record_table import print_list
from services.cli.record_view import print_record
from services.cli.record_why import add_why
from services.cli.record_words import Words, examples, split_numbers
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.connectors.registry import discover
from shared.db.connect import Connection
from shared.records.card import error_card
from shared.records.history import find_records, history, of_the_same_order, read_record
from shared.records.listing import stream
from shared.records.sheet import Sheet
from shared.records.sheet_csv import csv_lines
from shared.records.sheet_xlsx import SheetTooLong, write_xlsx
from shared.runtime.links import links

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Interface = Annotated[str | None, typer.Option("--interface", "-i", help="only this interface, e.g. otto-de")]
FilterText = Annotated[
    str | None,
    typer.Option(
        "--filter",
        "-f",
        help="e.g. 'state:failed ordered>=2026-11-01', 'error:sku-unknown', '4711|4712', '-state:done', 'due:24h'",
    ),
]
Except = Annotated[str | None, typer.Option("--except", help="with --filter: numbers to leave out, with commas")]
Numbers = Annotated[list[str] | None, typer.Argument(help="numbers, also separated by commas")]


def group(words: Words) -> typer.Typer:
    """The commands that all have."""
    app = typer.Typer(help=words.about)
    _add_list(app, words)
    _add_show(app, words)
    add_why(app, words)
    return app


def _add_list(app: typer.Typer, words: Words) -> None:
    resource = words.resource
    example = f"connect {resource.name} list --filter '{words.filter} interface:otto-de'"

    @app.command("list", help="Every match, with its state and what is wrong with it." + examples(example))
    def list_(
        ctx: typer.Context,
        filter: FilterText = None,
        interface: Interface = None,
        sort: Annotated[
            str, typer.Option(help="number, ordered, updated or state; - in front: descending")
        ] = "-updated",
        limit: Annotated[int | None, typer.Option(min=1, help="at most so many; without it every match")] = None,
        as_json_: Json = False,
        as_csv: Annotated[bool, typer.Option("--csv", help="a sheet, every match; heads are those of the API")] = False,
        xlsx: Annotated[Path | None, typer.Option(help="write a workbook into this file, which must be new")] = None,
    ) -> None:
        session: Session = ctx.obj
        if as_json_ + as_csv + (xlsx is not None) > 1:
            raise Trouble("Take one of --json, --csv and --xlsx.", USAGE)
        with session.database() as conn:
            wanted = session.filter(conn, filter or "", interface)
            with closing(stream(conn, resource.flow, wanted, sort=sort, language=session.language)) as items:
                shown = islice(items, limit)
                if xlsx is not None:
                    _workbook(xlsx, Sheet(resource, session.language, session.zone), shown)
                elif as_csv:
                    for piece in csv_lines(Sheet(resource, None, session.zone), shown):
                        Printer().raw(piece.decode())
                elif as_json_:
                    _json_list(shown)
                else:
                    print_list(Printer(), session, resource, shown)


def _workbook(path: Path, sheet: Sheet, items: Iterable[dict[str, Any]]) -> None:
    """Raises Trouble for a file that is there already or cannot be written; what was begun is taken away."""
    try:
        with path.open("xb") as file:
            try:
                count = write_xlsx(file, sheet, items)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except FileExistsError:
        raise Trouble(f"{path} is there already: name a new file, or take it away first.", USAGE) from None
    except OSError as error:
        raise Trouble(f"{path} cannot be written: {error.strerror}.", USAGE) from None
    except SheetTooLong as error:
        raise Trouble(str(error)) from None
    Printer().line(f"{count} rows are in {path}.")


def _json_list(items: Iterable[dict[str, Any]]) -> None:
    """Written as it is read, so that a million orders need no memory."""
    printer, count = Printer(), 0
    printer.raw('{"items": [')
    for item in items:
        printer.raw((",\n" if count else "\n") + as_json(item))
        count += 1
    printer.raw(f'],\n"next": null, "total": {{"count": {count}, "capped": false}}}}\n')


def _add_show(app: typer.Typer, words: Words) -> None:
    resource = words.resource
    text = f"One {resource.one}: where it is, everything that is wrong and how to fix it, and its history."

    @app.command(help=f"{text}\n\nIt is named by {words.named_by}.{examples(f'connect {resource.name} show 4711')}")
    def show(
        ctx: typer.Context,
        number: Annotated[str, typer.Argument(help="what it is named by")],
        interface: Interface = None,
        bodies: Annotated[
            bool, typer.Option("--calls", help="with what was sent to remote systems and answered")
        ] = False,
        as_json_: Json = False,
    ) -> None:
        session: Session = ctx.obj
        connectors = discover()
        titles = {key: connector.title for key, connector in connectors.items()}
        with session.database() as conn:
            record = read_record(conn, one(session, conn, words, number, interface), language=session.language)
            if record is None:
                raise Trouble(f"{resource.one.title()} {number} is gone.")
            record["card"] = error_card(conn, record, session.zone, titles, session.language)
            happened = history(conn, record["id"], titles=titles, language=session.language)
            record |= {"links": links(conn, connectors, record)}
            beside = of_the_same_order(conn, record)
            other = None if beside is None else read_record(conn, beside, language=session.language)
        if as_json_:
            Printer().json({**record, "history": happened})
        else:
            print_record(Printer(), session, resource, record, happened, other, bodies=bodies)


def one(session: Session, conn: Connection, words: Words, number: str, interface: str | None) -> int:
    """The id of the record that a person named. Raises Trouble with the next step where it is none or several."""
    resource = words.resource
    if interface is not None:
        session.known_interface(conn, interface)
    found = find_records(conn, resource.flow, number, interface)
    if not found and number.isdecimal() and int(number) < 2**63:
        row = conn.execute("SELECT id FROM records WHERE id = %s AND flow = %s", (int(number), resource.flow))
        found = [int(id_) for (id_,) in row.fetchall()]
    if not found:
        where = f" in {interface}" if interface else ""
        step = words.missing.format(interface=interface or "…", number=number)
        raise Trouble(f"Connect knows no {resource.one} {number}{where}. {step}")
    if len(found) > 1:
        rows = conn.execute("SELECT interface, key FROM records WHERE id = ANY(%s) ORDER BY id", (found,)).fetchall()
        named = ", ".join(f"{key} of {slug}" for slug, key in rows)
        raise Trouble(
            f"“{number}” is several {resource.name}: {named}. Say which with --interface or the whole number.", USAGE
        )
    return found[0]


def excepted(session: Session, conn: Connection, words: Words, given: str | None, interface: str | None) -> list[int]:
    """The ids of what --except names."""
    return [one(session, conn, words, number, interface) for number in split_numbers([given or ""])]


def meant(words: Words, numbers: Sequence[str] | None, filter: str | None, without: str | None) -> list[str]:
    """The numbers, or none where a filter says what is meant. Raises Trouble where it is neither or both."""
    wanted = split_numbers(numbers or [])
    if bool(wanted) == bool((filter or "").strip()):
        name = words.resource.name
        raise Trouble(f"Say which {name}: either numbers, or --filter with at least one term.", USAGE)
    if without is not None and wanted:
        raise Trouble("--except goes with --filter.", USAGE)
    return wanted
