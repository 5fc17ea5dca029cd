"""A real Prometheus scrapes a whole Connect: dashboards show data, rules give figures, alerts fire and are over."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.local import ports
from tests.monitoring.questions import filled, questions
from tests.monitoring.rules import records
from tests.monitoring.stand import Monitored, monitored
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]

WITHOUT_TROUBLE = {"queue:connect_recorded_rejections:max", "queue:connect_recorded_rejections:diff15m",
                   "kind_outcome:connect_alarm_mails:increase1h"}  # fmt: skip
"""Recorded figures of what does not happen while all is well; `cases/` proves them with data."""

MOST_SECONDS = 120.0
"""Far more than it takes: 15 seconds of silence, and some rounds of scraping and judging."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    with monitored(tmp_path_factory.mktemp("monitored")) as stand:
        yield stand


def test_every_panel_and_every_rule_has_data(watched: Monitored) -> None:
    done = 'sum(connect_transitions_total{flow="%s", state="done"})'
    for flow in ("order-import", "order-export", "stock"):
        until(lambda flow=flow: watched.values(done % flow), f"something of {flow} is done", 180)  # type: ignore[misc]
    asked = {(place, filled(query.expr)): query.quiet for place, query in questions()}
    asked |= {
        ("recorded", rule["record"]): "as listed" if rule["record"] in WITHOUT_TROUBLE else "" for rule in records()
    }
    left = dict(asked)

    def all_answered() -> bool:
        for place, expr in list(left):
            quiet = left[place, expr]
            if watched.values(expr) or quiet:  # what cannot be parsed is refused here in any case
                del left[place, expr]
        return not left

    try:
        until(all_answered, "every query has data", 90)
    except AssertionError:
        pytest.fail(f"without data: {sorted(left)}")
    assert len(asked) > 80


def test_prometheus_is_content_with_rules_and_targets(watched: Monitored) -> None:
    until(lambda: watched.firing("Watchdog"), "the Watchdog fires", 60)
    groups = watched.ask("rules")["groups"]
    wrong = [(rule["name"], rule.get("lastError")) for group in groups for rule in group["rules"]
             if rule["health"] == "err"]  # fmt: skip
    assert not wrong
    jobs = {"connect", "rabbitmq", "postgres", "prometheus"}
    until(
        lambda: {one["labels"]["job"] for one in watched.ask("targets")["activeTargets"]} == jobs,
        "it knows its targets",
    )
    until(lambda: len(watched.values("up == 1")) >= 8, "every target answers", 60)


def test_a_killed_service_is_told_and_is_over_when_it_is_back(watched: Monitored, tmp_path: Path) -> None:
    port = ports.any_free()
    mine = f'up{{job="connect", instance="127.0.0.1:{port}"}}'
    with watched.service("importer", port) as process:
        watched.target("connect", f"127.0.0.1:{port}", service="importer")
        until(lambda: watched.values(mine) == [1.0], "Prometheus sees the second importer", 60)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        told = until(lambda: watched.firing("ServiceDown"), "ServiceDown fires", MOST_SECONDS)
    assert [(one["service"], one["instance"]) for one in told] == [("importer", f"127.0.0.1:{port}")]
    with watched.service("importer", port):
        until(lambda: not watched.firing("ServiceDown"), "ServiceDown is over", MOST_SECONDS)
