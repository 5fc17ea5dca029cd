"""The capacity table in the documents is what the measured costs give, and grows with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.capacity import DAY, DOCUMENT, PEAK, SIZES, need, read_costs, written


def test_the_document_has_the_table_that_the_costs_give() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert written(text, read_costs()) == text, "run `python -m benchmarks.capacity --write`"


def test_twice_the_orders_need_twice_as_much() -> None:
    costs = read_costs()
    one, two = need(1_000_000_000, costs), need(2_000_000_000, costs)
    assert two.peak == pytest.approx(2 * one.peak) == pytest.approx(2_000_000_000 / DAY * PEAK)
    assert two.cores["postgres"] == pytest.approx(2 * one.cores["postgres"])
    assert two.online_tb == pytest.approx(2 * one.online_tb)
    assert all(2 * count - 1 <= two.processes[service] <= 2 * count for service, count in one.processes.items())


def test_a_shop_with_few_orders_has_two_of_each_process_and_one_installation() -> None:
    least = need(SIZES[0], read_costs())
    assert set(least.processes.values()) == {2}
    assert least.installations == 1


def test_costs_of_a_run_that_was_not_exact_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "costs.jsonl"
    path.write_text(json.dumps({"benchmark": "whole", "name": "connect", "exact": False}))
    with pytest.raises(ValueError, match="not exact: connect"):
        read_costs(path)
