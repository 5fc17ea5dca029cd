"""The stand-in's shipments interface. As awkward as the real one: the same tracking number is taken again for other
items, there is no idempotency key, and items that are not PROCESSABLE are a conflict.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.connectors.otto.carriers import CODES, PARCEL, RETURNS
from shared.connectors.otto.sandbox_store import Raw, Store, stamp

PATH = "/v1/shipments"


class Shipments:
    """Ships position items of the orders in the store."""

    def __init__(self, store: Store, known: Callable[[Request], bool]) -> None:
        self._store = store
        self._known = known

    def routes(self) -> list[Route]:
        by_number = PATH + "/carriers/{carrier}/trackingnumbers/{number:path}"
        return [
            Route(PATH, self.send, methods=["POST"], name="send-shipment"),
            Route(PATH, self.show_all, name="list-shipments"),
            Route(by_number, self.find, name="find-shipment"),
            Route(PATH + "/{id}", self.read, name="read-shipment"),
        ]

    async def send(self, request: Request) -> Response:
        if not self._known(request):
            return JSONResponse({"message": "Unauthorized"}, 401)
        body = await request.json()
        wrong = _violations(body)
        if wrong:
            return JSONResponse({"errors": [_error("Bad Request", *each) for each in wrong]}, 400)
        shipment_id = str(uuid.uuid4())
        shipment = {**body, "shipmentId": shipment_id, "creationDate": stamp()}
        shipment["states"] = [{"state": "SENT", "occurredOn": shipment["creationDate"]}]
        missing, busy = self._store.ship(shipment, apply=not request.scope.get("not_applied"))
        if missing:
            found = [_error("Bad Request", f"There is no position item {item}.", "positionItems") for item in missing]
            return JSONResponse({"errors": found}, 400)
        if busy:
            found = [
                _error("Conflict", f"Fulfillment status of {item} needs to be [PROCESSABLE].", "positionItems")
                for item in busy
            ]
            # The schema of this interface declares a single object here, and so it comes where there is one.
            return JSONResponse({"errors": found[0] if len(found) == 1 else found}, 409)
        return JSONResponse({"shipmentId": shipment_id}, 201)

    async def show_all(self, request: Request) -> Response:
        if not self._known(request):
            return JSONResponse({"message": "Unauthorized"}, 401)
        given = request.query_params
        if "datefrom" not in given:
            return JSONResponse({"errors": [_error("Bad Request", "datefrom is missing.", "")]}, 400)
        limit = min(max(int(given.get("limit", "25")), 1), 100)
        rows = self._store.shipments(int(given.get("next", "0")), limit + 1, given["datefrom"])
        more = len(rows) > limit
        rows = rows[:limit]
        link = f"{PATH}?datefrom={given['datefrom']}&next={rows[-1][0]}&limit={limit}" if more else ""
        shown = [
            {name: body[name] for name in ("shipmentId", "creationDate", "trackingKey", "states")} for _, body in rows
        ]
        return JSONResponse({"resources": shown, "links": [{"rel": "next", "href": link}] if more else []})

    async def find(self, request: Request) -> Response:
        if not self._known(request):
            return JSONResponse({"message": "Unauthorized"}, 401)
        found = self._store.shipment_by_number(request.path_params["carrier"], request.path_params["number"])
        return JSONResponse(found) if found else _not_found()

    async def read(self, request: Request) -> Response:
        if not self._known(request):
            return JSONResponse({"message": "Unauthorized"}, 401)
        found = self._store.shipment(request.path_params["id"])
        return JSONResponse(found) if found else _not_found()


def _not_found() -> Response:
    return JSONResponse({"errors": [_error("Not Found", "There is no such shipment.", "")]}, 404)


def _error(title: str, detail: str, where: str) -> Raw:
    return {"title": title, "detail": detail, "path": PATH, "jsonPath": f"$.{where}" if where else "$"}


def _violations(body: Any) -> list[tuple[str, str]]:
    """What the schema demands, as (detail, where)."""
    if not isinstance(body, dict):
        return [("The body must be an object.", "")]
    wrong = []
    key = body.get("trackingKey") or {}
    if key.get("carrier") not in CODES:
        wrong.append(("The carrier is not one of the known ones.", "trackingKey.carrier"))
    elif key["carrier"] in PARCEL and not key.get("trackingNumber"):
        wrong.append(("The tracking number is missing.", "trackingKey.trackingNumber"))
    if not isinstance(body.get("shipDate"), str):
        wrong.append(("The shipment date is missing.", "shipDate"))
    address = body.get("shipFromAddress") or {}
    for name, most in (("city", 60), ("zipCode", 10), ("countryCode", 3)):
        if not 1 <= len(str(address.get(name, ""))) <= most:
            wrong.append((f"{name} is missing or too long.", f"shipFromAddress.{name}"))
    items = body.get("positionItems")
    if not isinstance(items, list) or not items:
        return [*wrong, ("There must be at least one position item.", "positionItems")]
    for number, item in enumerate(items):
        where = f"positionItems[{number}]"
        for name in ("positionItemId", "salesOrderId"):
            if not _is_uuid(item.get(name)):
                wrong.append((f"{name} must be a UUID.", f"{where}.{name}"))
        returns = item.get("returnTrackingKey") or {}
        if returns.get("carrier") not in RETURNS or not returns.get("trackingNumber"):
            wrong.append(("The return tracking key is incomplete.", f"{where}.returnTrackingKey"))
    return wrong


def _is_uuid(value: Any) -> bool:
    try:
        return bool(uuid.UUID(str(value)))
    except ValueError:
        return False
