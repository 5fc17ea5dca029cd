"""One order after the other: `python -m benchmarks.erp_single ADDRESS`. 32 threads; looked up, then created; acked.

What somebody would build instead: a worker of a task queue takes an order, asks the ERP whether it has it, and creates
it. Nothing is stored. Articles are remembered, which the connector does by itself.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from benchmarks.erp_ground import AT_ONCE, MAPPINGS
from benchmarks.stock_ground import ERP
from benchmarks.stock_single import Nothing
from shared.broker.open import open_consumer
from shared.connectors.contract import Draft, Mappings, Reason, RemoteError
from shared.connectors.open import open_sink
from shared.connectors.registry import discover
from shared.events.envelope import CONTRACTS
from shared.networks import LOOPBACK, Networks
from shared.settings import load


def main() -> None:
    """Run until a signal."""
    sink, _ = open_sink(
        discover()[ERP], {"base_url": sys.argv[1], "token": "demo"}, Nothing(), 20.0, Networks.parse(LOOPBACK)
    )
    consumer = open_consumer(load().broker(), ("order-imported",), name="bench-single")
    mappings = Mappings(MAPPINGS)

    def create(body: bytes) -> None:
        order = CONTRACTS["order-imported.v1"].model_validate_json(body).data.order
        draft = sink.draft(order, mappings)
        if not isinstance(draft, Draft):
            raise TypeError(f"no draft: {draft}")
        while True:  # its framework would try again, too
            try:
                if sink.find_products(draft.skus) and not sink.find_orders([order.number]):
                    sink.create_order(draft)
                return
            except RemoteError as error:
                if error.reason is not Reason.RATE_LIMITED:
                    raise

    with ThreadPoolExecutor(AT_ONCE) as threads:
        while True:
            deliveries = consumer.collect(1.0)
            list(threads.map(create, [delivery.body for delivery in deliveries]))
            consumer.ack(deliveries)


if __name__ == "__main__":
    main()
