"""Whether all is well, at a glance."""

from __future__ import annotations

from deploy.grafana.builder.board import INTERFACES, Board
from deploy.grafana.builder.panel import AMBER, GREEN, RED, Query, graph, stat, table

I = '{interface=~"$interface"}'  # noqa: E741
OPEN = '{interface=~"$interface", state=~"pending|running|waiting"}'
FAILED = '{interface=~"$interface", state="failed"}'
RECORDS = "flow_interface_stage_state:connect_records:max"
MOVED = "flow_interface_stage_state:connect_recorded_transitions:diff15m"
ROWS = "${journal}/interfaces/${__field.labels.interface}/orders?filter=state:failed"


def board() -> Board:
    """The dashboard."""
    return Board("overview", "overview", "Is every interface healthy, and if not, where to look.", {
        "Now": [
            stat("Services that answer", "Of the five: importer, exporter, stock, alerts, journal.",
                 Query("count(service:up:min == 1) or vector(0)"), steps=((5, GREEN),), below=RED, unit="none"),
            stat("Alerts", "That fire now, without the one that always does.",
                 Query('count(ALERTS{alertstate="firing", alertname!="Watchdog"}) or vector(0)'),
                 steps=((1, RED),), unit="none").linked("Alarms", "/d/connect-alarms"),
            stat("Open incidents", "Of the alert service.",
                 Query("sum(max by (interface, flow, severity) (connect_incidents)) or vector(0)"),
                 steps=((1, AMBER),), unit="none").linked("Status page", "${journal}/"),
            stat("Failed", "Records that need a person.", Query(f"sum({RECORDS}{FAILED}) or vector(0)"),
                 steps=((1, RED),), unit="none").linked("Causes", "${journal}/groups"),
            stat("On their way", "Records that are pending, running or waiting.",
                 Query(f"sum({RECORDS}{OPEN}) or vector(0)"), unit="none"),
            stat("Oldest", "Age of the oldest unfinished record.",
                 Query(f"max(flow_interface:connect_oldest_unfinished_age_seconds:max{I}) or vector(0)"),
                 steps=((3600, AMBER), (14400, RED)), unit="s"),
        ],
        "Flows": [
            graph("Done in 15 minutes", "What came to a good end, by flow and interface.",
                  Query(f'sum by (interface, flow) ({MOVED}{{interface=~"$interface", state=~"done|warning"}})',
                        "{{interface}} {{flow}}"), unit="none"),
            graph("Share that fails", "Of what came to an end in 15 minutes.",
                  Query(f"flow_interface:connect_failures:ratio15m{I}", "{{interface}} {{flow}}"),
                  unit="percentunit", steps=((0.2, AMBER), (0.5, RED))).linked("The rows", ROWS),
            graph("Age of the oldest", "How long the oldest unfinished record has been there.",
                  Query(f"flow_interface:connect_oldest_unfinished_age_seconds:max{I}", "{{interface}} {{flow}}"),
                  unit="s", steps=((3600, AMBER), (14400, RED))),
            graph("Since the last success", "How long ago something came to a good end. At night that may be long.",
                  Query(f"time() - flow_interface:connect_last_success_timestamp_seconds:max{I}",
                        "{{interface}} {{flow}}"), unit="s"),
            graph("Since the last poll", "Of the marketplace, usually every 15 minutes.",
                  Query(f"time() - interface:connect_last_poll_timestamp_seconds:max{I}", "{{interface}}"),
                  unit="s", steps=((2100, RED),)),
            table("Failed by interface", "Where people are needed.",
                  Query(f"sum by (interface, flow) ({RECORDS}{FAILED})",
                        quiet="nothing has failed"), unit="none")
            .linked("The rows", ROWS.replace("__field.labels", "__data.fields")),
        ],
    }, {"interface": INTERFACES})  # fmt: skip
