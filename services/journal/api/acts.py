"""What operators do to many orders, exports or articles: retry, ignore, ignore no more; fetch orders again."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.journal.api.bodies import Chosen, FetchRecords, IgnoreRecords, RetryRecords, UnignoreRecords
from services.journal.asking import there, understood
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.people.audit import audit
from shared.records.actions import request_selected
from shared.records.bulk import BulkVerb, How, preview, start
from shared.records.filter import Filter, parse
from shared.records.interfaces import modes
from shared.records.receipt import read_receipt
from shared.records.resources import ORDERS, Resource


def routes(journal: Journal, resource: Resource) -> APIRouter:
    """The calls of one resource."""
    router = guarded_router(journal, f"/api/v1/{resource.name}")
    name, flow = resource.name, resource.flow

    def scope(conn: Connection, text: str | None) -> Filter | None:
        return None if text is None else parse(text, journal.zone, modes(conn))

    @router.post("/retry", summary=f"Retry {name}")
    @needs("operator")
    def retry(request: Request, response: Response, body: RetryRecords) -> dict[str, Any]:
        """Set records due; with dry_run only say what would happen. Answers with the bulk run.

        Up to 25 records are due at once. More begin after 10 seconds, until when the run can be cancelled without a
        trace, and go up a ramp: 1, 5, 25, the rest; the run stops by itself where more than 20 % of a step fail again.
        """
        how = How(body.undo_seconds, body.ramp, body.per_minute, body.leave, body.why, body.token)
        if not body.dry_run:
            return run(request, response, "retry", body, how)
        with journal.database() as conn, understood():
            return preview(
                conn, flow, ids=body.ids, filter=scope(conn, body.filter), excepted=body.excepted, leave=body.leave
            )

    @router.post("/ignore", summary=f"Ignore {name}")
    @needs("operator")
    def ignore(request: Request, response: Response, body: IgnoreRecords) -> dict[str, Any]:
        """Leave records alone from now on, for a reason that is shown with each. Answers with the bulk run. What is
        running or finished is not ignored; a newer version from the source brings a record back by itself."""
        how = How(body.undo_seconds, None, None, (), body.why, body.token)
        return run(request, response, "ignore", body, how)

    @router.post("/unignore", summary=f"Ignore {name} no more")
    @needs("operator")
    def unignore(request: Request, response: Response, body: UnignoreRecords) -> dict[str, Any]:
        """Bring ignored records back to what they were before. Answers with the bulk run."""
        how = How(body.undo_seconds, None, None, (), body.why, body.token)
        return run(request, response, "unignore", body, how)

    def run(request: Request, response: Response, verb: BulkVerb, body: Chosen, how: How) -> dict[str, Any]:
        actor = actor_of(request).name
        with journal.database() as conn, understood():
            wanted = scope(conn, body.filter)
            found = start(conn, flow, verb, actor, ids=body.ids, filter=wanted, excepted=body.excepted, how=how)
        response.headers["Location"] = f"/api/v1/bulk/{found['id']}"
        return found

    if resource is ORDERS:

        @router.post("/fetch", status_code=202, summary="Read orders from the marketplace again")
        @needs("operator")
        def fetch(request: Request, response: Response, body: FetchRecords) -> dict[str, Any]:
            """Read orders that are there from the marketplace as they are now; a retry takes the staged copy instead.
            What has changed is staged and runs, the rest is answered with `exists`. Answers with a receipt."""
            actor = actor_of(request).name
            with journal.database() as conn, understood(), conn.transaction():
                wanted = scope(conn, body.filter)
                receipt = request_selected(
                    conn, resource.verb, actor, ids=body.ids, filter=wanted, excepted=body.excepted, again=True
                )
                audit(conn, actor, "orders.fetch", {"interface": None, "receipt": str(receipt)}, body.why)
                found = there(read_receipt(conn, receipt), "receipt")
            response.headers["Location"] = f"/api/v1/receipts/{receipt}"
            return found

    return router
