"""A call for each event: `python -m benchmarks.stock_single ADDRESS`. Eight threads, ack when a batch is through."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import orjson

from benchmarks.stock_ground import MARKETPLACE
from shared.broker.open import open_consumer
from shared.connectors.contract import OwnTokens
from shared.connectors.open import open_stock_sink
from shared.connectors.registry import discover
from shared.networks import LOOPBACK, Networks
from shared.settings import load

AT_ONCE = 8


class Nothing:
    """A call's context that limits nothing and counts nothing."""

    def __init__(self) -> None:
        self.tokens = OwnTokens()
        self.at_once = 4

    def before_call(self, operation: str) -> None:
        """Go on."""

    def before_send(self) -> None:
        """Go on."""

    def after_call(self, operation: str, code: str, seconds: float) -> None:
        """Nobody counts."""


def main() -> None:
    """Run until a signal."""
    settings = {"base_url": sys.argv[1], "client_id": "demo", "client_secret": "demo"}
    sink, _ = open_stock_sink(discover()[MARKETPLACE], settings, Nothing(), 20.0, Networks.parse(LOOPBACK))
    consumer = open_consumer(load().broker(), ("stock-changed",), name="bench-single")

    def send(body: bytes) -> None:
        data = orjson.loads(body)["data"]
        sink.send_quantities({data["sku"]: data["quantity"]})

    with ThreadPoolExecutor(AT_ONCE) as threads:
        while True:
            deliveries = consumer.collect(1.0)
            list(threads.map(send, [delivery.body for delivery in deliveries]))
            consumer.ack(deliveries)


if __name__ == "__main__":
    main()
