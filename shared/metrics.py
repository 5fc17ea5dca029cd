"""Every metric, declared once. One registry and one port a process; labels are bounded.

Never a label: an order number, a SKU, a message text. What a process counts begins at 0 with it. What must be true
after a crash is read from Postgres and shown by one Journal: DERIVED (ADR 30).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)

DERIVED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "connect_records": ("Records by state; of an export each part", ("flow", "interface", "stage", "state")),
    "connect_oldest_unfinished_timestamp_seconds": (
        "When the oldest unfinished record was received; 0 if there is none",
        ("flow", "interface"),
    ),
    "connect_last_success_timestamp_seconds": ("Last record done", ("flow", "interface")),
    "connect_last_poll_timestamp_seconds": ("Last complete poll of the marketplace", ("interface",)),
    "connect_last_erp_poll_timestamp_seconds": ("Last complete poll of the ERP's orders", ("interface",)),
    "connect_poll_interval_seconds": ("How often a live flow polls", ("flow", "interface")),
    "connect_flow_live": ("1 where a flow runs, 0 in test and pause", ("flow", "interface")),
    "connect_breaker_state": ("0 closed, 1 half-open, 2 open", ("interface", "side")),
    "connect_token_expiry_timestamp_seconds": (
        "When the access token ends; it is renewed before",
        ("interface", "side"),
    ),
    "connect_hints": ("Hints that nobody has looked at yet", ("interface", "kind")),
    "connect_recorded_transitions_total": ("States entered, since ever", ("flow", "interface", "stage", "state")),
    "connect_recorded_errors_total": (
        "Times that a record failed or had to wait, by code",
        ("flow", "interface", "code"),
    ),
    "connect_recorded_inputs_total": ("Inputs that came in, since ever", ("event", "interface")),
    "connect_recorded_rejections_total": ("Inputs refused, since ever", ("queue",)),
    "connect_rollup_timestamp_seconds": ("When these figures were read from the database", ()),
    "connect_rollup_corrections_total": ("Counts that the self check of this process put right", ()),
}
"""Name → (help, labels) of what is derived from the database. `_total` makes a counter."""


class Derived(Collector):
    """What one process at a time shows of the database. Whole or not at all: a scrape never sees half of a round."""

    def __init__(self) -> None:
        self._families: tuple[Metric, ...] = ()

    def show(self, figures: Mapping[str, Mapping[tuple[str, ...], float]]) -> None:
        """Show these from now on: name → values of the labels → value. Raises KeyError for a name not in DERIVED."""
        self._families = tuple(self._family(name, values) for name, values in figures.items())

    def hide(self) -> None:
        """Show nothing: another process does, or nobody can."""
        self._families = ()

    def collect(self) -> Iterator[Metric]:
        """For a scrape."""
        yield from self._families

    @staticmethod
    def _family(name: str, values: Mapping[tuple[str, ...], float]) -> Metric:
        said, labels = DERIVED[name]
        counter = name.endswith("_total")
        family = (
            CounterMetricFamily(name.removesuffix("_total"), said, labels=labels)
            if counter
            else GaugeMetricFamily(name, said, labels=labels)
        )
        for of, value in sorted(values.items()):
            family.add_metric(of, value)
        return family


class Metrics:
    """The metrics of one process."""

    def __init__(self, service: str, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter that nobody asks for
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        r = self.registry
        # A gauge without labels stands at 0 where nobody sets it: only its service has it.
        alerts, journal = (r if service == name else None for name in ("alerts", "journal"))
        self.consumed = Counter(
            "connect_events_consumed", "Events taken in, by what became of them", ["event", "outcome"], registry=r
        )
        self.event_age = Histogram(
            "connect_event_age_seconds", "From an event's time to its storage", ["event"], buckets=SECONDS, registry=r
        )
        self.transitions = Counter(
            "connect_transitions", "States entered", ["flow", "interface", "stage", "state"], registry=r
        )
        self.stage_seconds = Histogram(
            "connect_stage_seconds", "From claim to settle", ["flow", "stage"], buckets=SECONDS, registry=r
        )
        self.polls = Counter("connect_polls", "Polls that came to their end", ["flow", "interface"], registry=r)
        self.webhooks = Counter(
            "connect_webhooks", "Calls of an ERP, by what became of them", ["interface", "outcome"], registry=r
        )
        self.last_webhook = Gauge(
            "connect_last_webhook_timestamp_seconds", "Last webhook that was believed", ["interface"], registry=r
        )
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
        self.rejections = Counter("connect_rejections", "Input refused", ["queue"], registry=r)
        self.search_notes = Gauge(
            "connect_search_notes",
            "Records that the index of texts is behind with, counted up to 100,000",
            registry=journal,
        )
        self.alarm_mails = Counter(
            "connect_alarm_mails", "Mails of alarms, by what became of them", ["kind", "outcome"], registry=r
        )
        self.alarm_evaluated = Gauge(
            "connect_alarm_last_evaluation_timestamp_seconds", "Last round of the alert service", registry=alerts
        )
        self.incidents = Gauge("connect_incidents", "Open incidents", ["interface", "flow", "severity"], registry=r)
        self.mails_waiting = Gauge("connect_alarm_mails_waiting", "Mails that are not sent yet", registry=alerts)
        self.alerts_received = Counter(
            "connect_alerts_received", "Notifications of Alertmanager, by what became of them", ["outcome"], registry=r
        )
        self.heartbeats = Counter("connect_heartbeats", "Signs of life sent outwards", ["outcome"], registry=r)
        self.watchdog_seen = Gauge(
            "connect_watchdog_seen_timestamp_seconds", "Last sign of life of Prometheus; 0 for never", registry=alerts
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
        self.derived = Derived()
        r.register(self.derived)
        Gauge("connect_build_info", "Version", ["version", "service"], registry=r).labels(version, service).set(1)
