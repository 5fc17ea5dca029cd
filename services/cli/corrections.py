"""`connect orders fetch` and `edit`: read orders from the marketplace again, or correct the copy that is staged."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from services.cli.printing import Printer
from services.cli.record_words import OF_ORDERS, examples
from services.cli.records import Except, FilterText, Interface, Json, Numbers, excepted, meant, one
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.errors.catalogue import explain
from shared.people.audit import audit
from shared.records.actions import request_selected
from shared.records.history import read_record
from shared.records.receipt import read_receipt
from shared.runtime.edit import edit_order

FETCH = (
    "Read orders that are in Connect from the marketplace again. What has changed there is staged and runs; to run the"
    " staged copy as it is, use `retry`. The answer is a receipt."
)
EDIT = (
    "Correct the data of an order and let it run with them. Without --data the data are printed as JSON; give them back"
    " corrected. What was received is kept."
)


def add_corrections(app: typer.Typer) -> None:
    """Add both commands."""

    @app.command(help=FETCH + examples("connect orders fetch 4711", "connect orders fetch --filter 'error:…'"))
    def fetch(
        ctx: typer.Context,
        numbers: Numbers = None,
        filter: FilterText = None,
        without: Except = None,
        interface: Interface = None,
        why: Annotated[str | None, typer.Option("--why", help="the reason, for the audit")] = None,
        as_json_: Json = False,
    ) -> None:
        session: Session = ctx.obj
        wanted = meant(OF_ORDERS, numbers, filter, without)
        with session.database() as conn:
            ids = [one(session, conn, OF_ORDERS, number, interface) for number in wanted] or None
            parsed = None if ids else session.filter(conn, filter or "", interface)
            spared = [] if ids else excepted(session, conn, OF_ORDERS, without, interface)
            with conn.transaction():
                receipt = request_selected(
                    conn, "import", session.actor, ids=ids, filter=parsed, excepted=spared, again=True
                )
                audit(conn, session.actor, "orders.fetch", {"interface": interface, "receipt": str(receipt)}, why)
            found = read_receipt(conn, receipt, language=session.language)
        assert found is not None
        if as_json_:
            Printer().json(found)
        else:
            Printer().line(f"{len(found['numbers'])} orders are read from the marketplace again: receipt {receipt}.")

    @app.command(
        help=EDIT + examples("connect orders edit 4711 > data.json", "connect orders edit 4711 --data data.json")
    )
    def edit(
        ctx: typer.Context,
        number: Annotated[str, typer.Argument(help="order number, marketplace id, or Connect's own id")],
        data: Annotated[
            str | None, typer.Option(help="file with the corrected data as JSON, - for standard input")
        ] = None,
        interface: Interface = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would change")] = False,
        why: Annotated[str | None, typer.Option("--why", help="the reason, for the audit")] = None,
        as_json_: Json = False,
    ) -> None:
        session: Session = ctx.obj
        printer = Printer()
        with session.database() as conn:
            record_id = one(session, conn, OF_ORDERS, number, interface)
            if data is None:
                record = read_record(conn, record_id, language=session.language)
                printer.json((record or {}).get("payload", {}).get("data", {}))
                return
            given = _json(data)
            said = edit_order(conn, record_id, given, session.actor, why=why, dry_run=dry_run)
        if said is None:
            raise Trouble(f"Order {number} is gone.")
        if said.problems:
            raise Trouble(" ".join(explain(problem, session.language).title for problem in said.problems))
        if said.refused == "state":
            raise Trouble(f"Order {number} is {said.state}; only one that is pending, waits, failed or was skipped is"
                          " corrected.")  # fmt: skip
        if said.refused:
            raise Trouble("Nothing was changed.")
        if as_json_:
            printer.json({"stored": said.stored, "payload_no": said.payload_no, "changes": said.changes})
            return
        for change in said.changes:
            printer.line(f"  {change['path']}: {change['before']} → {change['after']}")
        printer.line(f"Order {number} runs with the corrected data." if said.stored else "Nothing was stored.")


def _json(name: str) -> dict[str, object]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        found = json.loads(text)
    except (OSError, ValueError) as error:
        raise Trouble(f"{name} cannot be read as JSON: {error}.", USAGE) from None
    if not isinstance(found, dict):
        raise Trouble(f"{name} holds no JSON object.", USAGE)
    return found
