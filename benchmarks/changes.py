"""`changes`: what an ERP hints at is read there, a call for each order, note and parcel: some at once, or in turn."""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack

from benchmarks import cpu
from benchmarks.driver import Plan, Run
from benchmarks.erp_ground import MAPPINGS, order, skus
from benchmarks.servers import Servers
from benchmarks.stock_ground import ERP
from benchmarks.stock_single import Nothing
from shared.connectors.contract import Draft, Hint, Mappings, OrderSink
from shared.connectors.open import open_sink, open_status_source
from shared.connectors.registry import discover
from shared.events.envelope import CONTRACTS
from shared.networks import LOOPBACK, Networks
from tests.support.sandbox import Stand, sandbox

LOOK = 50
"""Hints of one look, as many as an exporter takes."""

LATENCY = 0.1
"""Seconds that a call of the ERP takes."""


def changes(servers: Servers, plan: Plan, *, at_once: int) -> Run:
    """Orders a second whose changes were read, of plan.orders. at_once: calls that the interface allows."""
    connector, context = discover()[ERP], Nothing()
    context.at_once = at_once
    folder = servers.folder / f"changes-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    with ExitStack() as stack:
        stand = stack.enter_context(sandbox(folder, log=folder / "stand.log"))
        given = {"base_url": stand.addresses[ERP], "token": "demo"}
        networks = Networks.parse(LOOPBACK)
        sink, sink_http = open_sink(connector, given, context, 20.0, networks)
        source, source_http = open_status_source(connector, given, context, 20.0, networks)
        stack.enter_context(sink_http)
        stack.enter_context(source_http)
        stand.settings(ERP, search_lag=0)
        stand.products(ERP, *skus())
        for n in range(plan.orders):
            _shipped(stand, sink, n)
        stand.settings(ERP, latency=LATENCY)
        hints = [Hint("delivery", str(note["id"])) for note in stand.state(ERP)["deliveryNotes"]]
        before, began, cpu_began = cpu.sample({"stand": [stand.process.pid]}), time.monotonic(), time.process_time()
        read = [change for n in range(0, len(hints), LOOK) for change in source.changes_hinted(hints[n : n + LOOK])]
        seconds, ours = time.monotonic() - began, 1000 * (time.process_time() - cpu_began) / plan.orders
        used = cpu.between(before, cpu.sample({"stand": [stand.process.pid]}))
    whole = {change.number for change in read if len(change.shipments) == 1}
    wrong = [] if len(whole) == plan.orders else [f"{len(whole)} of {plan.orders} were read"]
    each = {"processes": ours, "postgres": 0.0, "broker": 0.0, "total": ours}
    return Run(plan.orders / seconds, used.foreign_cores, each, wrong, {"orders": float(plan.orders)})


def _shipped(stand: Stand, sink: OrderSink, n: int) -> None:
    """An order in the ERP, with a parcel."""
    number, body = order("bench", n)
    draft = sink.draft(CONTRACTS["order-imported.v1"].model_validate_json(body).data.order, Mappings(MAPPINGS))
    if not isinstance(draft, Draft):
        raise TypeError(f"no draft: {draft}")
    sink.find_products(draft.skus)
    sink.create_order(draft)
    stand.post(ERP, f"orders/{number}/ship", {"parcels": [{"carrier": "DHL", "tracking_number": f"T{n:07d}"}]})
