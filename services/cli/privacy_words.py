"""What `connect privacy` says of a deed."""

from __future__ import annotations

from typing import Any

from services.cli.printing import Printer
from services.cli.session import Session
from shared.privacy.deed import Deed

PLACES = {
    "orders": "orders and exports",
    "records": "orders and exports",
    "payloads": "copies of them",
    "events": "ids of events",
    "exchanges": "calls to remote systems",
    "rejections": "rejections",
    "receipt_numbers": "receipts and dry runs",
    "search_texts": "entries of the search",
    "views": "saved views",
    "audit": "lines of the audit",
    "causes": "notes on causes",
    "bulk_runs": "bulk runs",
}


def print_deed(printer: Printer, session: Session, deed: Deed, would: dict[str, Any] | None) -> None:
    """What was found or erased, and what stays and why. would: of a dry run, see `steps.standing`."""
    said = "Erased" if deed.kind == "erase" else "Found"
    if not deed.counts:
        printer.line("Nothing is kept of this person." if deed.kind != "erase" else "Nothing was there to erase.")
    for place, many in sorted(deed.counts.items(), key=lambda one: (one[0] != "orders", one[0])):
        printer.line(f"  {many} {PLACES.get(place, place)}")
    stays = deed.left_alone if would is None else would["would_stay"]
    for one in stays:
        printer.line(("  stays: ", "remark"), because(one))
    if would is not None:
        printer.line(
            (f"This was a dry run: nothing was changed. {would['would_go']} orders and exports would go.", "faint")
        )
    elif stays:
        printer.line(("Ask again once these are over; until then the rest of the person's data stays.", "remark"))
    printer.line(
        (f"{said} by {deed.created_by} at {session.moment(deed.finished_at)}: {deed.reason} ({deed.id})", "faint")
    )


def because(one: dict[str, str]) -> str:
    """Why something stays."""
    if one["why"] == "rest":
        return f"{one['number']} places beside orders, since they may be needed for the orders that stay"
    order = f"{one['number']} ({one['interface']})"
    if one["why"] == "held":
        return f"{order} is held for the law: connect privacy release {one['number']} -i {one['interface']}"
    return f"{order} is under way ({one['flow']} {one['state']}): let it finish, mend it, or ignore it first"
