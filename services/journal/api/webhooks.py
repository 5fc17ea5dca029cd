"""`POST /webhooks/{slug}`: an ERP says that something changed. Verified, stored as hints, answered; looked at later.

Nobody logs in here: the signature tells who calls. What is not believed is refused, counted, and kept once for each
interface and reason, so that somebody notices and a stranger cannot fill the database.
"""

from __future__ import annotations

import re
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from services.journal.api.bodies import raw_body
from services.journal.guard import guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.connectors.contract import Connector, Webhooks
from shared.connectors.open import open_webhooks
from shared.db.connect import Connection
from shared.errors.catalogue import explain
from shared.errors.problem import Problem
from shared.records.hints import GATHER_SECONDS, store_hints
from shared.records.interfaces import Interface, read
from shared.records.rejections import Refusal, refuse_once

SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
DESCRIPTION = """For an ERP that calls when something changed. Needs no token: the call is signed with the key that is
entered in the settings of the interface's ERP side. Answers 204 as soon as it is noted what to look at; what changed is
then read from the ERP. A call that is not believed gets 401, a body that is no event 400; both show as a rejection."""


def routes(journal: Journal) -> APIRouter:
    """The call."""
    router = guarded_router(journal, "/api/v1/webhooks")

    @router.post("/{slug}", status_code=204, description=DESCRIPTION)
    @needs("public")
    def post_webhook(request: Request, slug: str, body: Annotated[bytes, Depends(raw_body)]) -> Response:
        """Note what to look at."""
        if SLUG.fullmatch(slug) is None:
            raise _unknown(slug)
        with journal.database() as conn:
            interface, connector = _receiver(journal, conn, slug)
            row = conn.execute("SELECT clock_timestamp()").fetchone()
            assert row is not None
            hooks = _opened(connector, interface)
            if (problem := hooks.refusal(request.headers, body, row[0])) is not None:
                raise _refused(journal, conn, request, slug, body, problem, 401)
            try:
                hints = hooks.hints(body)
            except ValueError:
                problem = Problem("webhook-unreadable", "", {"system": connector.title})
                raise _refused(journal, conn, request, slug, body, problem, 400) from None
            if hints:
                # An order is looked at once the ERP's search shows it as it is now.
                for kinds, gather in (
                    (("article",), GATHER_SECONDS),
                    (("order", "delivery"), max(GATHER_SECONDS, connector.lookup_lag)),
                ):
                    store_hints(conn, slug, [(one.kind, one.id) for one in hints if one.kind in kinds], gather)
        journal.metrics.webhooks.labels(slug, "accepted" if hints else "ignored").inc()
        journal.metrics.last_webhook.labels(slug).set(row[0].timestamp())
        return Response(status_code=204)

    return router


def _receiver(journal: Journal, conn: Connection, slug: str) -> tuple[Interface, Connector]:
    """The interface, and the connector of its ERP."""
    try:
        interface = None if journal.seal is None else read(conn, journal.seal, slug)
    except ValueError:
        raise _not_set_up(
            "The credentials of this interface cannot be opened: is CONNECT_SECRET_KEY the same?"
        ) from None
    if interface is None:
        raise _unknown(slug)
    connector = journal.connectors.get(interface.erp)
    if connector is None or connector.webhooks is None or "erp" not in interface.sides:
        raise ApiProblem(404, "no-webhooks", f"The ERP of {slug} is none that calls by webhook.")
    return interface, connector


def _opened(connector: Connector, interface: Interface) -> Webhooks:
    side = interface.sides["erp"]
    try:
        return open_webhooks(connector, {**side.settings, **side.secrets})
    except ValueError:
        raise _not_set_up("The settings of this interface's ERP side do not fit.") from None


def _refused(
    journal: Journal, conn: Connection, request: Request, slug: str, body: bytes, problem: Problem, status: int
) -> ApiProblem:
    """Make it visible, and say why."""
    refusal = Refusal(
        queue="webhook",
        origin=f"webhook of {slug}",
        event="webhook",
        interface=slug,
        source=None,
        event_id=None,
        raw=body,
        content_type=request.headers.get("content-type"),
        routing_key=None,
        problems=(problem,),
    )
    refuse_once(conn, refusal)
    journal.metrics.webhooks.labels(slug, problem.code).inc()
    journal.metrics.rejections.labels("webhook").inc()
    structlog.get_logger().warning("webhook.refused", interface=slug, code=problem.code)
    said = explain(problem, "en")
    headers = {"WWW-Authenticate": "Signature"} if status == 401 else {}
    return ApiProblem(status, problem.code, said.title, {"cause": said.cause, "steps": said.steps}, headers)


def _unknown(slug: str) -> ApiProblem:
    return ApiProblem(404, "interface-unknown", f"There is no interface “{slug[:63]}”.")


def _not_set_up(detail: str) -> ApiProblem:
    return ApiProblem(503, "not-set-up", detail, headers={"Retry-After": "60"})
