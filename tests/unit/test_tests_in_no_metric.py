"""Records of a test are in no metric of records, from the first moment on."""

from __future__ import annotations

from typing import Any, cast

from shared.metrics import Metrics
from shared.records.change import Outcome
from shared.runtime.collect import Collect, Ports
from shared.runtime.intake import Taken


def test_what_is_taken_in_as_a_test_counts_as_an_event_and_as_no_record() -> None:
    metrics = Metrics("tests", "0")
    ports = Ports(*[cast(Any, None)] * 3, metrics, *[cast(Any, None)] * 4)
    taken = Taken(Outcome.APPLIED, "order-imported", "otto-de", flow="order-import", stage="erp")
    Collect("order-imported", ports)._report([cast(Any, None)] * 2, [taken, taken._replace(test=True)])

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, labels)

    pending = {"flow": "order-import", "interface": "otto-de", "stage": "erp", "state": "pending"}
    assert value("connect_transitions_total", **pending) == 1.0
    assert value("connect_events_consumed_total", event="order-imported", outcome="applied") == 2.0
