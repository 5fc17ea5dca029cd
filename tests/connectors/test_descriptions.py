"""Requests and answers against the vendors' API descriptions, where these lie beside the project; they are not ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest

from shared.connectors.contract import Draft, Mappings
from shared.connectors.registry import discover
from shared.events.orders import Order
from tests.connectors.conftest import opened
from tests.support.sandbox import Stand

pytestmark = pytest.mark.servers

SPECS = Path(__file__).parents[3] / "shared" / "specs"


def described(pattern: str) -> Iterator[dict[str, Any]]:
    for path in sorted(SPECS.glob(pattern)) if SPECS.is_dir() else ():
        yield json.loads(path.read_text(encoding="utf-8"))


def schema(document: dict[str, Any], part: Any) -> dict[str, Any]:
    """A part of an OpenAPI 3.0 description as JSON Schema: `nullable` is the one difference that matters here."""

    def plain(node: Any) -> Any:
        if isinstance(node, list):
            return [plain(each) for each in node]
        if not isinstance(node, dict):
            return node
        node = {key: plain(value) for key, value in node.items() if key not in ("example", "examples", "format")}
        if node.get("nullable") and isinstance(node.get("type"), str):
            node["type"] = [node["type"], "null"]
        return node

    return {**plain(part), "components": plain(document["components"])}


def test_orders_of_the_stand_in_look_as_described(stand: Stand) -> None:
    stand.place("otto", 3)
    stand.place("otto", 1, "discount")
    stand.place("otto", 1, "announced")
    stand.place("otto", 1, "cancelled")
    with opened(discover()["otto"], stand) as side:
        side.source.ping()
        token, _ = side.http.tokens.get("access", lambda: pytest.fail("the ping has fetched it"))
    answer = httpx2.get(f"{stand.addresses['otto']}/v4/orders", headers={"Authorization": f"Bearer {token}"}).json()
    for document in described("otto-market*.json"):
        listed = document["components"]["schemas"]["PartnerOrderListOrdersV4"]
        jsonschema.validate(answer, schema(document, listed))
    for content in (json.loads(path.read_text()) for path in sorted(discover()["otto"].folder.glob("samples/order-*"))):
        for document in described("otto-market*.json"):
            single = document["components"]["schemas"]["PartnerOrderOrdersV4"]
            if "vatRate" in content["raw"]["positionItems"][0]["product"]:
                jsonschema.validate(content["raw"], schema(document, single))


def test_the_import_looks_as_described(stand: Stand) -> None:
    with opened(discover()["xentral"], stand) as side:
        made = 0
        for path in sorted(side.samples.glob("order-*.json")):
            order = Order.model_validate(json.loads(path.read_text(encoding="utf-8"))["order"])
            drafted = side.sink.draft(order, side.mappings)
            if isinstance(drafted, Draft):
                made += 1
                positions = [{**each, "product": {"id": "1"}} for each in drafted.document["positions"]]
                for document in described("xentral-api*.json"):
                    body = document["paths"]["/api/v1/salesOrders/actions/import"]["post"]["requestBody"]
                    wanted = body["content"]["application/json"]["schema"]
                    jsonschema.validate({**drafted.document, "positions": positions}, schema(document, wanted))
        assert made


def test_lists_and_refusals_of_the_erp_look_as_described(stand: Stand) -> None:
    stand.settings("xentral", search_lag=0)
    with opened(discover()["xentral"], stand) as side:
        good = json.loads((side.samples / "order-good.json").read_text(encoding="utf-8"))
        drafted = side.sink.draft(Order.model_validate(good["order"]), Mappings(side.mappings.table))
        side.sink.create_order(drafted)
    client = httpx2.Client(base_url=stand.addresses["xentral"], headers={"Authorization": "Bearer t"})
    with client:
        listed = client.get("/api/v1/salesOrders").json()
        refused = client.post("/api/v1/salesOrders/actions/import", json={**drafted.document, "customer": None})
    for document in described("xentral-api*.json"):
        answers = document["paths"]["/api/v1/salesOrders"]["get"]["responses"]
        content = answers["200"]["content"]["application/json"]["schema"]
        jsonschema.validate(listed, schema(document, content))
        answers = document["paths"]["/api/v1/salesOrders/actions/import"]["post"]["responses"]
        content = answers["400"]["content"]["application/problem+json"]["schema"]
        assert refused.headers["content-type"].startswith("application/problem+json")
        jsonschema.validate(refused.json(), schema(document, content))
    assert listed["data"]
