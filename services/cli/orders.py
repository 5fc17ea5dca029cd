"""`connect orders`: list, show, retry and import orders of the flow order-import."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from typing import Annotated, Any
from uuid import UUID

import typer

from services.cli.order_view import print_list, print_order
from services.cli.printing import Printer, as_json
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.connectors.registry import discover
from shared.db.connect import Connection
from shared.people.audit import audit
from shared.records.actions import MOST_NUMBERS, NUMBER_LENGTH, read_receipt, request_import
from shared.records.bulk import preview, retry_ids, retry_matching
from shared.records.by_hand import mark_done_by_hand
from shared.records.history import find_records, history, read_record
from shared.records.listing import stream

FLOW = "order-import"
app = typer.Typer(help="Orders on their way from the marketplace into the ERP.")

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Interface = Annotated[str | None, typer.Option("--interface", "-i", help="only this interface, e.g. otto-de")]
FilterText = Annotated[
    str | None,
    typer.Option(
        "--filter",
        "-f",
        help="e.g. 'state:failed ordered>=2026-11-01', 'error:sku-unknown', '4711|4712', '-state:done'",
    ),
]


@app.command("list")
def list_(
    ctx: typer.Context,
    filter: FilterText = None,
    interface: Interface = None,
    sort: Annotated[str, typer.Option(help="number, ordered, updated or state; - in front: descending")] = "-updated",
    limit: Annotated[int | None, typer.Option(min=1, help="at most so many; without it every match")] = None,
    as_json_: Json = False,
) -> None:
    """Every order that matches, with its state and what is wrong with it.

    connect orders list --filter 'state:failed|waiting interface:otto-de'
    """
    session: Session = ctx.obj
    with session.database() as conn:
        wanted = session.filter(conn, filter or "", interface)
        with closing(stream(conn, FLOW, wanted, sort=sort, language=session.language)) as items:
            shown = islice(items, limit)
            if as_json_:
                _json_list(shown)
            else:
                print_list(Printer(), session, shown)


def _json_list(items: Iterable[dict[str, Any]]) -> None:
    """Written as it is read, so that a million orders need no memory."""
    printer, count = Printer(), 0
    printer.raw('{"items": [')
    for item in items:
        printer.raw((",\n" if count else "\n") + as_json(item))
        count += 1
    printer.raw(f'],\n"next": null, "total": {{"count": {count}, "capped": false}}}}\n')


@app.command()
def show(
    ctx: typer.Context,
    number: Annotated[str, typer.Argument(help="order number, marketplace id, ERP number, or Connect's own id")],
    interface: Interface = None,
    as_json_: Json = False,
) -> None:
    """One order: where it is, everything that is wrong and how to fix it, and its history.

    connect orders show 4711
    """
    session: Session = ctx.obj
    titles = {key: connector.title for key, connector in discover().items()}
    with session.database() as conn:
        record_id = _one(session, conn, number, interface)
        record = read_record(conn, record_id, language=session.language)
        if record is None:
            raise Trouble(f"Order {number} is gone.")
        happened = history(conn, record_id, titles=titles, language=session.language)
    if as_json_:
        Printer().json({**record, "history": happened})
    else:
        print_order(Printer(), session, record, happened)


def _one(session: Session, conn: Connection, number: str, interface: str | None) -> int:
    if interface is not None:
        session.known_interface(conn, interface)
    found = find_records(conn, FLOW, number, interface)
    if not found and number.isdecimal() and int(number) < 2**63:
        row = conn.execute("SELECT id FROM records WHERE id = %s AND flow = %s", (int(number), FLOW)).fetchone()
        found = [int(row[0])] if row else []
    if not found:
        where = f" in {interface}" if interface else ""
        raise Trouble(
            f"Connect knows no order {number}{where}. Ask the marketplace for it with"
            f" `connect orders import --interface {interface or '…'} {number}`, or look at `connect rejections list`."
        )
    if len(found) > 1:
        rows = conn.execute("SELECT interface, key FROM records WHERE id = ANY(%s) ORDER BY id", (found,)).fetchall()
        named = ", ".join(f"{key} of {slug}" for slug, key in rows)
        raise Trouble(f"“{number}” is several orders: {named}. Say which with --interface or the order number.", USAGE)
    return found[0]


@app.command()
def retry(
    ctx: typer.Context,
    numbers: Annotated[list[str] | None, typer.Argument(help="order numbers, also separated by commas")] = None,
    filter: FilterText = None,
    interface: Interface = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say how many would run")] = False,
    as_json_: Json = False,
) -> None:
    """Let orders run again, by number or all that match a filter. Nothing is created twice.

    \b
    connect orders retry 4711 4712
    connect orders retry --filter 'state:failed error:remote-timeout' --dry-run
    """
    session: Session = ctx.obj
    wanted = split_numbers(numbers or [])
    if bool(wanted) == bool((filter or "").strip()):
        raise Trouble("Say which orders: either numbers, or --filter with at least one term.", USAGE)
    with session.database() as conn:
        if wanted:
            ids = [_one(session, conn, number, interface) for number in wanted]
            answer = preview(conn, FLOW, ids=ids, filter=None) if dry_run else retry_ids(conn, FLOW, ids, session.actor)
        else:
            parsed = session.filter(conn, filter or "", interface)
            if dry_run:
                answer = preview(conn, FLOW, ids=None, filter=parsed)
            else:
                answer = retry_matching(conn, FLOW, parsed, (), session.actor)
        if not dry_run:
            audit(conn, session.actor, "orders.retry", {"run": answer["id"], "counts": answer["counts"]})
    printer, counts = Printer(), answer["counts"]
    if as_json_:
        printer.json(answer)
    elif dry_run:
        states = ", ".join(f"{count} {state}" for state, count in sorted(counts["by_state"].items())) or "none"
        printer.line(f"{counts['matched']} orders match ({states}); {counts['already_on_their_way']} are on their way.")
    else:
        printer.line(f"{counts['done']} of {counts['matched']} orders run again; {counts['skipped']} were left alone.")
        for record_id, why in list(answer["skipped"].items())[:20]:
            printer.line(f"  order with id {record_id} {why}")


@app.command("done-by-hand")
def done_by_hand(
    ctx: typer.Context,
    number: Annotated[str, typer.Argument(help="order number, marketplace id, or Connect's own id")],
    erp_number: Annotated[str, typer.Argument(help="the number under which you created it in the ERP")],
    interface: Interface = None,
    as_json_: Json = False,
) -> None:
    """You created the order in the ERP yourself: link it. Connect creates it no more, and its exports go on.

    connect orders done-by-hand 4711 200417
    """
    session: Session = ctx.obj
    if not 1 <= len(erp_number.strip()) <= NUMBER_LENGTH:
        raise Trouble(f"Give the ERP's number of the order, with at most {NUMBER_LENGTH} characters.", USAGE)
    with session.database() as conn:
        record_id = _one(session, conn, number, interface)
        said = mark_done_by_hand(conn, record_id, erp_number, session.actor)
        if said is None:
            raise Trouble(f"Order {number} is gone.")
        if not said.done:
            raise Trouble(f"Order {number} is {said.state}; only one that waits, failed or was skipped can be marked.")
        audit(conn, session.actor, "orders.done-by-hand", {"record": record_id, "erp_number": erp_number.strip()})
    printer = Printer()
    if as_json_:
        printer.json({"id": record_id, "state": "done", "erp_number": erp_number.strip(), "released": said.released})
    else:
        printer.line(f"Order {number} is done by hand as {erp_number.strip()}; {said.released} exports go on.")


@app.command("import")
def import_(
    ctx: typer.Context,
    numbers: Annotated[list[str], typer.Argument(help="order numbers or marketplace ids, also separated by commas")],
    interface: Annotated[str, typer.Option("--interface", "-i", help="whose marketplace to ask, e.g. otto-de")],
    wait: Annotated[bool, typer.Option("--wait", help="wait until the marketplace has answered")] = False,
    timeout: Annotated[float, typer.Option(min=0, help="seconds to wait at most")] = 60.0,
    as_json_: Json = False,
) -> None:
    """Fetch orders from the marketplace by number; the answer is a receipt with a result per number.

    connect orders import --interface otto-de 4711,4712 --wait
    """
    session: Session = ctx.obj
    wanted = split_numbers(numbers)
    if not wanted:
        raise Trouble("Give at least one order number.", USAGE)
    if len(wanted) > MOST_NUMBERS:
        raise Trouble(f"{len(wanted)} numbers at once, {MOST_NUMBERS} are allowed: ask in several goes.", USAGE)
    with session.database() as conn:
        session.known_interface(conn, interface)
        receipt_id = request_import(conn, interface, wanted, session.actor)
        audit(conn, session.actor, "orders.import", {"interface": interface, "count": len(wanted)})
        receipt = _receipt(conn, receipt_id, timeout if wait else 0.0)
    printer = Printer()
    if as_json_:
        printer.json(receipt)
    else:
        rows = [(one["number"], _RESULTS[one["result"]], one["code"] or "") for one in receipt["numbers"]]
        printer.table(("order", "result", "error"), rows)
        if not receipt["complete"]:
            printer.line("The importer asks the marketplace for what is queued; --wait waits for the answer.")
    if any(one["result"] in ("not-found", "malformed", "failed") for one in receipt["numbers"]):
        raise typer.Exit(1)


_RESULTS: dict[str, tuple[str, str]] = {
    "queued": ("queued", "pending"),
    "exists": ("is in Connect already", "done"),
    "not-found": ("the marketplace does not know it", "failed"),
    "malformed": ("cannot be an order number", "failed"),
    "failed": ("failed", "failed"),
}


def _receipt(conn: Connection, receipt_id: UUID, patience: float) -> dict[str, Any]:
    until = time.monotonic() + patience
    while True:
        receipt = read_receipt(conn, receipt_id)
        assert receipt is not None
        if receipt["complete"] or time.monotonic() >= until:
            return receipt
        time.sleep(0.2)


def split_numbers(texts: list[str]) -> list[str]:
    """Numbers out of arguments like `4711,4712` and pasted lines, each once, in order."""
    parts = [part.strip() for text in texts for part in text.replace("\n", ",").replace(";", ",").split(",")]
    return list(dict.fromkeys(part for part in parts if part))
