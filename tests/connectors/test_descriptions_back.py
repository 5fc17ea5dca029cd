"""The flows back against the vendors' API descriptions, where these lie beside the project; they are not ours."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx2
import jsonschema
import pytest

from shared.connectors.registry import discover
from tests.connectors.conftest import opened
from tests.connectors.test_descriptions import SPECS, described, schema
from tests.connectors.test_erp_sources import created, listening
from tests.connectors.test_flows_back_faults import drafted, placed
from tests.connectors.test_status_sinks import parcel
from tests.support.sandbox import Stand

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(not SPECS.is_dir(), reason="the vendors' descriptions are not here"),
]


def fits(document: dict[str, Any], name: str, body: Any) -> None:
    jsonschema.validate(body, schema(document, document["components"]["schemas"][name]))


def test_quantities_look_as_described(stand: Stand) -> None:
    with opened(discover()["otto"], stand) as side:
        side.stock_sink.ping()
        token, _ = side.http.tokens.get("access", lambda: pytest.fail("the ping has fetched it"))
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=stand.addresses["otto"], headers=headers, trust_env=False) as client:
        path = "/v1/availability/quantities"
        good, bad = {"sku": "Kühlbox/20L", "quantity": 3}, {"sku": "nowhere", "quantity": 1}
        assert client.post(path, json=[good]).status_code == 200
        mixed = client.post(path, json=[good, bad])
        none = client.post(path, json=[bad])
        many = client.post(path, json=[good] * 201)
        assert (mixed.status_code, none.status_code, many.status_code) == (207, 422, 413)
        listed, single = client.get(path).json(), client.get(f"{path}/K%C3%BChlbox%2F20L").json()
        for document in described("otto-market*.json"):
            fits(document, "AvailableQuantityRequestDTOAvailabilityV1", good)
            fits(document, "UpdateQuantityMultiStatusResponseAvailabilityV1", mixed.json())
            fits(document, "ApiErrorResponseAvailabilityV1", none.json())
            fits(document, "PayloadTooLargeApiErrorResponseForQuantitiesAvailabilityV1", many.json())
            fits(document, "AvailableQuantityResponseAvailabilityV1", listed)
            fits(document, "AvailableQuantitySingleResponseDTOAvailabilityV1", single)


def test_shipments_and_cancellations_look_as_described(stand: Stand) -> None:
    with opened(discover()["otto"], stand) as side:
        order = placed(side, stand, skus=["ABC-1"], units=2)
        draft = drafted(side, order, parcel("described", ("ABC-1", 1)))
        side.status_sink.send_shipment(draft)
        side.status_sink.ping()
        token, _ = side.http.tokens.get("access", lambda: pytest.fail("the ping has fetched it"))
        side.status_sink.cancel_units(order)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=stand.addresses["otto"], headers=headers, trust_env=False) as client:
        path = f"/v1/shipments/carriers/{draft.carrier}/trackingnumbers/{draft.tracking_number}"
        found = client.get(path).json()
        listed = client.get("/v1/shipments?datefrom=2020-01-01T00:00:00Z").json()
        conflict = client.post("/v1/shipments", json=draft.document)
        wrong = client.post("/v1/shipments", json={**draft.document, "trackingKey": {"carrier": "X"}})
        missing = client.get("/v1/shipments/carriers/DHL/trackingnumbers/none")
        assert (conflict.status_code, wrong.status_code, missing.status_code) == (409, 400, 404)
        time.sleep(1.2)
        raw = client.get(f"/v4/orders/{order.number}").json()
    assert sorted(item["fulfillmentStatus"] for item in raw["positionItems"]) == ["CANCELLED_BY_PARTNER", "SENT"]
    for document in described("otto-market*.json"):
        fits(document, "CreateShipmentRequestShipmentsV1", draft.document)
        fits(document, "ShipmentShipmentsV1", found)
        fits(document, "ShipmentListShipmentsV1", listed)
        fits(document, "BadRequestShipmentsV1", wrong.json())
        fits(document, "NotFoundGetShipmentByTrackingNumberShipmentsV1", missing.json())
        fits(document, "PartnerOrderOrdersV4", raw)
        for path in sorted(discover()["otto"].folder.glob("samples/shipment-*.json")):
            content = json.loads(path.read_text(encoding="utf-8"))
            if "document" in content:
                fits(document, "CreateShipmentRequestShipmentsV1", content["document"])


def test_what_the_erp_tells_looks_as_described(stand: Stand) -> None:
    with opened(discover()["xentral"], stand) as side, listening() as (url, got):
        token = {"Authorization": "Bearer t"}
        with httpx2.Client(base_url=stand.addresses["xentral"], headers=token, trust_env=False) as client:
            types = [{"id": each["id"]} for each in client.get("/api/v1/webhookEventTypes").json()["data"]]
            hook = {"name": "Connect", "url": url, "signatureKey": "k" * 20, "events": types}
            where = client.post("/api/v1/webhooks", json=hook).headers["location"]
            erp_id = created(side, stand, "described")
            figures = {"warehouses": {"1": 3}, "reserved": 1, "pseudo": 2, "correction": 1}
            stand.post("xentral", "stock", [{"sku": "ABC-1", **figures}])
            note = stand.post("xentral", "orders/described/ship")["deliveryNote"]
            answers = {
                "/api/v1/products": client.get("/api/v1/products").json(),
                "/api/v1/salesOrders/{id}": client.get(f"/api/v1/salesOrders/{erp_id}").json(),
                "/api/v1/deliveryNotes": client.get("/api/v1/deliveryNotes").json(),
                "/api/v1/deliveryNotes/{id}": client.get(f"/api/v1/deliveryNotes/{note}").json(),
                "/api/v1/deliveryNotes/{id}/shipments": client.get(f"/api/v1/deliveryNotes/{note}/shipments").json(),
                "/api/v1/products/{id}/externalReferences": client.get("/api/v1/products/1/externalReferences").json(),
                "/api/v1/webhooks": client.get("/api/v1/webhooks").json(),
                "/api/v1/webhookEventTypes": client.get("/api/v1/webhookEventTypes").json(),
            }
            ends = time.monotonic() + 10
            while not any(b"shipment.created" in body for _, body in got):
                assert time.monotonic() < ends
                time.sleep(0.05)
            assert client.delete(where).status_code == 204
            assert client.delete(where).status_code == 404
            refused = client.post("/api/v1/webhooks", json={**hook, "signatureKey": "short", "url": "ftp://x"})
            assert refused.status_code == 400
            assert set(refused.json()["violations"]) == {"signatureKey", "url"}
    for document in described("xentral-api*.json"):
        for path, answer in answers.items():
            content = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            jsonschema.validate(answer, schema(document, content))
            assert answer["data"] or "References" in path, path
        body = document["paths"]["/api/v1/webhooks"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        jsonschema.validate(hook, schema(document, body))
    for document in described("xentral-event-system*.json"):
        kinds = set()
        for _, posted in got:
            event = json.loads(posted)
            name = event["type"].removeprefix("com.xentral.").removesuffix(".v1")
            kinds.add(name)
            payload = document["channels"][name]["publish"]["message"]["payload"]
            # The second of several forms is a fat one; the stand-in posts the thin ones.
            thin = payload["oneOf"][0] if "oneOf" in payload else payload
            known = {key: thin[key] for key in ("type", "required", "properties") if key in thin}
            jsonschema.validate(event["body"], known)
        assert len(kinds) >= 6
