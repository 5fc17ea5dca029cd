"""The story of the first order, from outside: publish, read why it failed, mend it, watch it turn green."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from tests.support.installation import Installation, installation, write_events
from tests.support.system import order_event
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]


def line(number: str, sku: str) -> dict[str, Any]:
    """An order line."""
    return {"id": number, "sku": sku, "title": "Shirt", "quantity": 1, "unit_price": "19.99", "tax_rate": "19.0"}


def show(connect: Installation, number: str) -> dict[str, Any]:
    """`connect orders show`."""
    return dict(connect.connect("orders", "show", number))


@pytest.mark.parametrize("broker", ["pgmq", "rabbitmq"])
def test_an_order_with_two_mistakes_is_explained_mended_and_done(tmp_path: Path, broker: str) -> None:
    events = [
        order_event("good-1"),
        order_event("two-mistakes", lines=[line("1", "GONE-1"), line("2", "GONE-2")], total="44.88"),
        order_event("paypal", payment={"method": "PAYPAL"}),
        order_event("good-2"),
    ]
    with installation(tmp_path, broker, probe_minutes="0.1") as connect:
        up = connect.start("--demo")
        publishing = connect.begin("events", "publish", str(write_events(tmp_path / "events.jsonl", events)))
        assert publishing.wait(60) == 0, publishing.communicate()

        def state(number: str) -> str | None:
            found = connect.connect("orders", "list", "--filter", number)["items"]
            return str(found[0]["state"]) if found else None

        for number in ("good-1", "good-2"):
            until(lambda: state(number) == "done", f"{number} is done", 60)  # noqa: B023
        until(lambda: state("two-mistakes") == "failed", "both mistakes are found", 60)
        problems = show(connect, "two-mistakes")["reason"]["problems"]
        assert [problem["values"]["sku"] for problem in problems] == ["GONE-1", "GONE-2"]
        for problem in problems:
            assert problem["steps"], "says how to fix it"
            assert problem["values"]["sku"] in problem["sentence"]

        connect.control("xentral", "products", [{"sku": "GONE-1"}, {"sku": "GONE-2"}])
        until(lambda: state("two-mistakes") == "done", "it goes on by itself", 90)
        until(lambda: state("paypal") == "failed", "the payment is not mapped", 30)
        connect.connect("interfaces", "map", "otto-de", "payment", "PAYPAL", "5")
        until(lambda: state("paypal") == "done", "saving the mapping sets it going", 30)

        record = connect.connect("orders", "list", "--filter", "two-mistakes")["items"][0]
        with httpx2.Client(headers={"Authorization": f"Bearer {up['token']}"}, trust_env=False) as client:
            history = client.get(f"{up['journal']}/api/v1/orders/{record['id']}/history").raise_for_status().json()
        hops = {(step["stage"], step["to_state"]) for step in history["items"] if step["kind"] == "transition"}
        assert {("connect", "done"), ("erp", "pending"), ("erp", "failed"), ("erp", "done")} <= hops
        numbers = [o["externalOrderNumber"] for o in connect.control("xentral", "state")["salesOrders"]]
        assert all(numbers.count(number) == 1 for number in ("good-1", "good-2", "two-mistakes", "paypal"))
        assert connect.connect("accounting")["balanced"]
        all_flows_went_with_the_fewest_rights(connect, up["database_url"])
        assert connect.stop() == 0


def all_flows_went_with_the_fewest_rights(connect: Installation, database_url: str) -> None:
    """Every service works as the role, and as the broker's user, that may not declare or change the schema."""
    with psycopg.connect(database_url, autocommit=True) as conn:

        def count(statement: str) -> int:
            return len(conn.execute(statement.encode()).fetchall())

        for flow in ("order-import", "order-export", "stock"):
            done = f"SELECT FROM records WHERE flow = '{flow}' AND state = 'done' LIMIT 1"
            until(lambda: count(done), f"something of {flow} is done", 60)  # noqa: B023
        until(lambda: count("SELECT FROM probes WHERE succeeded_at IS NOT NULL"), "a probe order came through", 60)
        roles = conn.execute(
            "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name ~ '^connect-(importer|exporter|stock|alerts|journal)'"
        ).fetchall()
        assert roles == [("connect_services",)]
    assert "permission denied" not in (connect.folder / "data" / "postgres" / "log").read_text()
    for log in (connect.folder / "data" / "rabbitmq").glob("rabbitmq.log"):
        refused = [line for line in log.read_text().splitlines() if "access_refused" in line]
        assert all(".declare caused" in line and "connect-services" in line for line in refused), refused
