"""Every metric, declared once. One registry and one port a process; labels are bounded.

Never a label: an order number, a SKU, a message text. What must be true after a crash is read from Postgres, not
counted here.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)


class Metrics:
    """The metrics of one process."""

    def __init__(self, service: str, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter that nobody asks for
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        r = self.registry
        self.consumed = Counter(
            "connect_events_consumed", "Events taken in, by what became of them", ["event", "outcome"], registry=r
        )
        self.event_age = Histogram(
            "connect_event_age_seconds", "From an event's time to its storage", ["event"], buckets=SECONDS, registry=r
        )
        self.transitions = Counter(
            "connect_transitions", "States entered", ["flow", "interface", "stage", "state"], registry=r
        )
        self.records = Gauge(
            "connect_records",
            "Records by state, from the database",
            ["flow", "interface", "stage", "state"],
            registry=r,
        )
        self.oldest = Gauge(
            "connect_oldest_unfinished_timestamp_seconds",
            "When the oldest unfinished record was received; 0 if there is none",
            ["flow", "interface"],
            registry=r,
        )
        self.stage_seconds = Histogram(
            "connect_stage_seconds", "From claim to settle", ["flow", "stage"], buckets=SECONDS, registry=r
        )
        self.last_success = Gauge(
            "connect_last_success_timestamp_seconds", "Last record done", ["flow", "interface"], registry=r
        )
        self.last_poll = Gauge(
            "connect_last_poll_timestamp_seconds", "Last complete poll of the marketplace", ["interface"], registry=r
        )
        self.last_erp_poll = Gauge(
            "connect_last_erp_poll_timestamp_seconds", "Last complete poll of the ERP's orders", ["interface"],
            registry=r,
        )  # fmt: skip
        self.webhooks = Counter(
            "connect_webhooks", "Calls of an ERP, by what became of them", ["interface", "outcome"], registry=r
        )
        self.last_webhook = Gauge(
            "connect_last_webhook_timestamp_seconds", "Last webhook that was believed", ["interface"], registry=r
        )
        self.hints = Gauge("connect_hints", "Hints that nobody has looked at yet", ["interface", "kind"], registry=r)
        self.errors = Counter(
            "connect_errors", "Records that failed or wait, by code", ["flow", "interface", "code"], registry=r
        )
        self.unclassified = Counter("connect_unclassified_errors", "Errors without an entry of their own", registry=r)
        self.remote_requests = Counter(
            "connect_remote_requests", "Calls of remote systems", ["system", "operation", "code"], registry=r
        )
        self.remote_seconds = Histogram(
            "connect_remote_request_seconds", "Duration of those calls", ["system", "operation"], buckets=SECONDS,
            registry=r,
        )  # fmt: skip
        self.breaker = Gauge(
            "connect_breaker_state", "0 closed, 1 half-open, 2 open", ["interface", "side"], registry=r
        )
        self.rejections = Counter("connect_rejections", "Input refused", ["queue"], registry=r)
        self.search_notes = Gauge(
            "connect_search_notes", "Records that the index of texts is behind with, counted up to 100,000", registry=r
        )
        self.alarm_mails = Counter(
            "connect_alarm_mails", "Mails of alarms, by what became of them", ["kind", "outcome"], registry=r
        )
        self.alarm_evaluated = Gauge(
            "connect_alarm_last_evaluation_timestamp_seconds", "Last round of the alert service", registry=r
        )
        self.incidents = Gauge("connect_incidents", "Open incidents", ["interface", "flow", "severity"], registry=r)
        self.mails_waiting = Gauge("connect_alarm_mails_waiting", "Mails that are not sent yet", registry=r)
        self.alerts_received = Counter(
            "connect_alerts_received", "Notifications of Alertmanager, by what became of them", ["outcome"], registry=r
        )
        self.heartbeats = Counter("connect_heartbeats", "Signs of life sent outwards", ["outcome"], registry=r)
        self.watchdog_seen = Gauge(
            "connect_watchdog_seen_timestamp_seconds", "Last sign of life of Prometheus; 0 for never", registry=r
        )
        self.probe_seconds = Gauge(
            "connect_probe_seconds", "How long the last probe order took from the broker to the Journal", ["interface"],
            registry=r,
        )  # fmt: skip
        self.probe_success = Gauge(
            "connect_probe_last_success_timestamp_seconds", "Last probe order that came through", ["interface"],
            registry=r,
        )  # fmt: skip
        self.loop_age = Gauge(
            "connect_loop_progress_timestamp_seconds", "Last progress of a loop", ["loop"], registry=r
        )
        Gauge("connect_build_info", "Version", ["version", "service"], registry=r).labels(version, service).set(1)
