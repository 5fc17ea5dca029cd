"""The stand-in's delivery notes and shipments, and the list of changed orders; the control side ships and cancels."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.connectors.xentral.sandbox_query import Raw, filters, known, listed, page, paged, stamp, unauthorised
from shared.connectors.xentral.sandbox_stock import Stock
from shared.connectors.xentral.sandbox_store import Store
from shared.connectors.xentral.sandbox_webhooks import Webhooks

NOTES = "/api/v1/deliveryNotes"
_CHANGED = "coalesce(t.changed, o.created)"
_ORDERS = f"""
  from orders o left join touched t on t.order_id = o.id
 where o.created <= ?1 and cast({_CHANGED} as integer) > ?2
   and (?3 = '[]' or o.number in (select value from json_each(?3)))
   and (?4 = '[]' or o.id in (select cast(value as integer) from json_each(?4)))
"""  # noqa: S608 - our own words


class Deliveries:
    """What leaves the warehouse, order by order."""

    def __init__(self, store: Store, webhooks: Webhooks, stock: Stock, settings: Mapping[str, float]) -> None:
        self._store = store
        self._webhooks = webhooks
        self._stock = stock
        self._settings = settings

    def routes(self) -> list[Route]:
        control = "/_sandbox/orders/{number:path}"
        return [
            Route("/api/v3/salesOrders", self.changes, name="list-changes"),
            Route(NOTES, self.show_all, name="list-deliveries"),
            Route(NOTES + "/{id}/shipments", self.shipments, name="read-shipments"),
            Route(NOTES + "/{id}", self.read, name="read-delivery"),
            Route(control + "/ship", self.post_ship, methods=["POST"]),
            Route(control + "/release", self.post_release, methods=["POST"]),
            Route(control + "/cancel", self.post_cancel, methods=["POST"]),
        ]

    async def changes(self, request: Request) -> Response:
        if not known(request):
            return unauthorised()
        given = {key: values for key, _, values in filters(request)}
        number, size = page(request)
        values = (
            time.time() - self._settings["search_lag"],
            _seconds(given.get("updatedAt", [])),
            json.dumps(given.get("externalOrderNumber", [])),
            json.dumps(given.get("id", [])),
        )
        ((total,),) = self._store.rows(f"select count(*) {_ORDERS}", values)
        rows = self._store.rows(
            f"select o.id, o.number, o.status, {_CHANGED} {_ORDERS} order by o.id limit ?5 offset ?6",
            (*values, size, (number - 1) * size),
        )
        shown = [
            {"id": str(each), "externalOrderNumber": external, "status": status, "updatedAt": stamp(changed)}
            for each, external, status, changed in rows
        ]
        return listed(shown, total, number, size)

    async def show_all(self, request: Request) -> Response:
        if not known(request):
            return unauthorised()
        given = {key: values for key, _, values in filters(request)}
        rows = self._store.rows(
            "select id, order_id, changed, body from notes where cast(changed as integer) > ? "
            "and (? = '[]' or order_id in (select cast(value as integer) from json_each(?))) order by id",
            (_seconds(given.get("updatedAt", [])), *[json.dumps(given.get("salesOrderId", []))] * 2),
        )
        return paged([_row(*row) for row in rows], request)

    async def read(self, request: Request) -> Response:
        if not known(request):
            return unauthorised()
        row = self._note(request.path_params["id"])
        if row is None:
            return Response(status_code=404)
        shown = _row(*row)
        shown["documentNumber"] = shown.pop("number")
        # The same state has another word in the list.
        shown["status"] = {"sent": "completed"}.get(shown["status"], shown["status"])
        return JSONResponse({"data": {**shown, "positions": json.loads(row[3])["positions"]}})

    async def shipments(self, request: Request) -> Response:
        if not known(request):
            return unauthorised()
        row = self._note(request.path_params["id"])
        if row is None:
            return Response(status_code=404)
        rows = self._store.rows("select id, body from shipments where note_id = ? order by id", (row[0],))
        return paged([{"id": str(number), **json.loads(body)} for number, body in rows], request)

    async def post_release(self, request: Request) -> Response:
        """A draft (`…/status` with `created`) is released."""
        return self._set_status(request, ("created",), "released", "released")

    async def post_cancel(self, request: Request) -> Response:
        """Somebody cancels it in the ERP."""
        return self._set_status(request, ("created", "released"), "canceled", "updated")

    async def post_ship(self, request: Request) -> Response:
        """One delivery note: `{"lines": [{"sku", "quantity"}], "parcels": [{"carrier", "tracking_number"}], "sent"}`.

        A note changes its order's own time of change only where the status changes, so that a poll has to look at both.
        Without lines everything that has not left; without parcels one with a number of its own; not `sent`: the label
        exists and the parcel still stands here.
        """
        wish = await request.json() if await request.body() else {}
        order = self._order(request)
        if order is None:
            return Response(status_code=404)
        shipped = self.ship(order, wish.get("lines"), wish.get("parcels"), sent=bool(wish.get("sent", True)))
        if shipped is None:
            return JSONResponse({"detail": "nothing of it can be shipped"}, 409)
        return JSONResponse(shipped, 201)

    def ship(self, order: Raw, lines: Any = None, parcels: list[Raw] | None = None, *, sent: bool = True) -> Raw | None:
        """What `post_ship` does; None where nothing of the order can be shipped."""
        left = self.left(order)
        taken = _taken(left, lines)
        if order["status"] not in ("released", "completed") or not taken:
            return None
        note, made = self._ship(order, taken, parcels or [{"carrier": "DHL"}], sent)
        if sent:
            for position in taken:
                self._stock.take(position["product"]["id"], position["quantity"])
        if sent and sum(each["quantity"] for each in left) == sum(each["quantity"] for each in taken):
            self._store.set_status(order["id"], ("released",), "completed")
            self._webhooks.tell_of_order("dispatched", order["id"])
        now = stamp(time.time())
        self._webhooks.tell("deliveryNote.created", deliveryNoteId=note, createdAt=now)
        for number, tracking in made:
            self._webhooks.tell(
                "shipment.created",
                shipmentId=number,
                deliveryNoteId=note,
                carrier=tracking["carrier"],
                trackingNumber=tracking["number"],
                trackingUrl=tracking["link"],
                createdAt=now,
            )
        return {"deliveryNote": str(note), "shipments": [str(number) for number, _ in made]}

    def _ship(self, order: Raw, taken: list[Raw], parcels: list[Raw], sent: bool) -> tuple[int, list[tuple[int, Raw]]]:
        now = time.time()
        body = {"status": "sent" if sent else "released", "positions": taken}
        made = []
        with self._store.transaction() as db:
            cursor = db.execute(
                "insert into notes (order_id, changed, body) values (?, ?, ?)", (order["id"], now, json.dumps(body))
            )
            note = int(cursor.lastrowid or 0)
            for parcel in parcels:
                number = parcel.get("tracking_number", f"0034043{random.randrange(10**13):013d}")  # noqa: S311
                link = parcel.get("tracking_url", f"https://tracking.example.org/{number}")
                tracking = {"number": number, "link": link, "carrier": parcel.get("carrier", "DHL")}
                shipment = {
                    "tracking": tracking,
                    "deliveryNote": {"id": str(note)},
                    "salesOrder": {"id": order["id"]},
                    "shippingMethod": {"id": "3"},
                    **({"sentAt": stamp(now)[:10], "sentAtTimestamp": stamp(now)} if sent else {}),
                }
                query = "insert into shipments (note_id, body) values (?, ?)"
                made.append((int(db.execute(query, (note, json.dumps(shipment))).lastrowid or 0), tracking))
        return note, made

    def left(self, order: Raw) -> list[Raw]:
        """What has not left yet, position by position."""
        gone: dict[str, int] = {}
        for (body,) in self._store.rows("select body from notes where order_id = ?", (order["id"],)):
            for position in json.loads(body)["positions"]:
                gone[position["id"]] = gone.get(position["id"], 0) + position["quantity"]
        ids = [position["product"]["id"] for position in order["positions"]]
        numbers = {each["id"]: each["number"] for each in self._store.find_products("id", ids)}
        left = []
        for place, position in enumerate(order["positions"], 1):
            product = {"id": position["product"]["id"], "number": numbers.get(position["product"]["id"], "")}
            rest = int(position["quantity"]) - gone.get(str(place), 0)
            left.append({"id": str(place), "quantity": rest, "product": product, "webId": position.get("webId")})
        return [each for each in left if each["quantity"] > 0]

    def _order(self, request: Request) -> Raw | None:
        """The order with this external number that is not cancelled, else any of them."""
        found = [self._store.order(each) for each in self._store.ids_of(request.path_params["number"])]
        orders = [each for each in found if each is not None]
        return next((each for each in orders if each["status"] != "canceled"), orders[0] if orders else None)

    def _set_status(self, request: Request, old: tuple[str, ...], new: str, event: str) -> Response:
        order = self._order(request)
        if order is None:
            return Response(status_code=404)
        if not self._store.set_status(order["id"], old, new):
            return JSONResponse({"detail": f"it is {order['status']}"}, 409)
        self._webhooks.tell_of_order(event, order["id"])
        return JSONResponse({"status": new})

    def _note(self, note_id: str) -> Any:
        rows = self._store.rows("select id, order_id, changed, body from notes where id = ?", (note_id,))
        return rows[0] if rows else None


def _taken(left: list[Raw], lines: Any) -> list[Raw]:
    """The part of what is left that the lines ask for."""
    if not lines:
        return left
    taken = []
    for line in lines:
        wanted = int(line.get("quantity", 1))
        for position in left:
            quantity = min(wanted, position["quantity"])
            if position["product"]["number"] == line["sku"] and quantity > 0:
                taken.append({**position, "quantity": quantity})
                wanted -= quantity
    return taken


def _row(number: int, order_id: int, changed: float, body: str) -> Raw:
    return {
        "id": str(number),
        "number": f"{300000 + number}",
        "status": json.loads(body)["status"],
        "updatedAt": stamp(changed),
        "salesOrder": {"id": str(order_id)},
    }


def _seconds(values: list[str]) -> int:
    """The moment behind which changes are wanted, -1 for all."""
    return int(datetime.fromisoformat(values[0]).timestamp()) if values else -1
