"""The control side of the stand-in's warehouse: what people do there with sales, shipments and packages."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.connectors.tryton.sandbox_goods import Goods
from shared.connectors.tryton.sandbox_sales import Sales
from shared.connectors.tryton.sandbox_store import Raw, Store
from shared.connectors.tryton.wire import day


class Warehouse:
    """Ships, cancels, takes back."""

    def __init__(self, store: Store, sales: Sales, goods: Goods) -> None:
        self._store, self._sales, self._goods = store, sales, goods

    def routes(self) -> list[Route]:
        control = "/_sandbox/orders/{number:path}"
        return [
            Route(control + "/ship", self.post_ship, methods=["POST"]),
            Route(control + "/cancel", self.post_cancel, methods=["POST"]),
            Route(control + "/status", self.post_status, methods=["POST"]),
        ]

    async def post_ship(self, request: Request) -> Response:
        """`{"lines": [{"sku", "quantity"}], "parcels": [{"carrier", "tracking_number"}], "sent"}`.

        Without lines everything that still waits; without parcels one with a number of its own; not `sent`: it is
        packed, has its number, and still stands here.
        """
        wish = await request.json() if await request.body() else {}
        sale = self._sale(request)
        if sale is None:
            return Response(status_code=404)
        with self._store.transaction():
            taken = self._taken(sale, wish.get("lines"))
            if not taken:
                return JSONResponse({"detail": "nothing of it can be shipped"}, 409)
            shipment = self._ship(sale, taken, wish.get("parcels") or [{}], bool(wish.get("sent", True)))
        return JSONResponse({"shipment": shipment}, 201)

    async def post_cancel(self, request: Request) -> Response:
        """Somebody cancels it in Tryton: the sale where that still can be, else what waits to be shipped."""
        sale = self._sale(request)
        if sale is None:
            return Response(status_code=404)
        with self._store.transaction():
            waiting = [each["id"] for each in self._shipments(sale) if each["state"] == "waiting"]
            if sale["state"] not in ("draft", "quotation") and not waiting:
                return JSONResponse({"detail": f"it is {sale['state']}"}, 409)
            self._sales.press("cancel", [sale["id"]])
            self._sales.cancel_shipments(waiting)
        return JSONResponse({"cancelled": sale["id"]})

    async def post_status(self, request: Request) -> Response:
        """`{"status": "created"}`: as if nobody had ever quoted it."""
        sale = self._sale(request)
        if sale is None:
            return Response(status_code=404)
        if (await request.json()).get("status") != "created":
            return JSONResponse({"detail": "there is only `created`"}, 422)
        with self._store.transaction():
            numbers = [each["id"] for each in self._shipments(sale)]
            self._sales.cancel_shipments(numbers)
            self._store.remove("stock.shipment.out", numbers)
            self._store.change("sale.sale", sale["id"], {"state": "draft", "shipment_state": "none"})
        return JSONResponse({"changed": 1})

    def _ship(self, sale: Raw, taken: Sequence[Raw], parcels: Sequence[Raw], sent: bool) -> int:
        carrier = self._carrier(parcels[0].get("carrier", "DHL"))
        state = {"state": "done", "effective_date": day(datetime.now(UTC).date())} if sent else {"state": "packed"}
        shipment = self._store.add(
            "stock.shipment.out", {"sale": sale["id"], "carrier": carrier, "effective_date": None, **state}
        )
        for parcel, moves in zip(parcels, _spread(taken, len(parcels)), strict=True):
            number = parcel.get("tracking_number", f"0034043{random.randrange(10**13):013d}")  # noqa: S311
            link = parcel.get("tracking_url", f"https://tracking.example.org/{number}")
            tracking = {"shipping_reference": number, "shipping_tracking_url": link}
            package = self._store.add("stock.package", {"shipment": shipment, **tracking})
            for move in moves:
                state = {"state": "done" if sent else "assigned"}
                self._store.add("stock.move", {**move, **state, "shipment": shipment, "package": package})
                if sent:
                    self._goods.take(move["product"], move["quantity"])
                    self._sales.reserve(move["product"], -move["quantity"])
        if all(each["state"] in ("done", "cancelled") for each in self._shipments(sale)):
            self._store.change("sale.sale", sale["id"], {"shipment_state": "sent"})
        return shipment

    def _taken(self, sale: Raw, lines: Any) -> list[Raw]:
        """What leaves, taken out of the moves that wait."""
        taken: list[Raw] = []
        wanted = {line["sku"]: float(line.get("quantity", 1)) for line in lines} if lines else None
        for shipment in [each for each in self._shipments(sale) if each["state"] == "waiting"]:
            moves = [move for move in self._store.records("stock.move") if move["shipment"] == shipment["id"]]
            for move in moves:
                code = (self._store.get("product.product", move["product"]) or {}).get("code", "")
                quantity = move["quantity"] if wanted is None else min(move["quantity"], wanted.get(code, 0))
                if quantity <= 0:
                    continue
                if wanted is not None:
                    wanted[code] -= quantity
                taken.append({name: move[name] for name in ("product", "origin")} | {"quantity": quantity})
                if quantity < move["quantity"]:
                    self._store.change("stock.move", move["id"], {"quantity": move["quantity"] - quantity})
                else:
                    self._store.remove("stock.move", [move["id"]])
            if not any(move["shipment"] == shipment["id"] for move in self._store.records("stock.move")):
                self._store.remove("stock.shipment.out", [shipment["id"]])
        return taken

    def _shipments(self, sale: Raw) -> list[Raw]:
        return [each for each in self._store.records("stock.shipment.out") if each["sale"] == sale["id"]]

    def _carrier(self, name: str) -> int:
        """A carrier is known by its party: its own name says what it charges as well."""
        party = next((each["id"] for each in self._store.records("party.party") if each["name"] == name), None)
        if party is None:
            party = self._store.add("party.party", {"name": name})
            return self._store.add("carrier", {"party": party})
        return int(next(each["id"] for each in self._store.records("carrier") if each["party"] == party))

    def _sale(self, request: Request) -> Raw | None:
        """The sale with this number that is not cancelled, else any of them."""
        number = request.path_params["number"]
        found = [each for each in self._store.records("sale.sale") if each.get("reference") == number]
        return next((each for each in found if each["state"] != "cancelled"), found[0] if found else None)


def _spread(moves: Sequence[Raw], parcels: int) -> list[list[Raw]]:
    """Piece by piece, so that no parcel is empty where there are enough pieces."""
    pieces = [move for move in moves for _ in range(int(move["quantity"]))]
    spread: list[list[Raw]] = [[] for _ in range(parcels)]
    for place, piece in enumerate(pieces):
        spread[min(place, parcels - 1)].append({**piece, "quantity": 1.0})
    return spread
