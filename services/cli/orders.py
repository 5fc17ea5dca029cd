"""`connect orders`: list, show, retry and import orders of the flow order-import; link one that a person created."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.bulk_commands import add_bulk_commands
from services.cli.corrections import add_corrections
from services.cli.facets import add_facets
from services.cli.printing import Printer
from services.cli.record_words import OF_ORDERS
from services.cli.records import Interface, Json, group, one
from services.cli.requests import add_request
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.people.audit import audit
from shared.records.by_hand import mark_done_by_hand
from shared.records.resources import ORDERS

app = group(OF_ORDERS)
add_bulk_commands(app, OF_ORDERS)
add_facets(app, OF_ORDERS)
add_request(app, OF_ORDERS)
add_corrections(app)


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
    if not 1 <= len(erp_number.strip()) <= ORDERS.number_length:
        raise Trouble(f"Give the ERP's number of the order, with at most {ORDERS.number_length} characters.", USAGE)
    with session.database() as conn, conn.transaction():
        record_id = one(session, conn, OF_ORDERS, number, interface)
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
