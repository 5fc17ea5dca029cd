"""The way of orders and stock: in, through the stages, out."""

from __future__ import annotations

from deploy.grafana.builder.board import INTERFACES, Board
from deploy.grafana.builder.panel import AMBER, RED, Query, bars, graph

OF = 'interface=~"$interface", flow=~"$flow"'
RECORDS = "flow_interface_stage_state:connect_records:max"
MOVED = "flow_interface_stage_state:connect_recorded_transitions:diff15m"
FLOWS = "label_values(flow_interface_stage_state:connect_records:max, flow)"


def board() -> Board:
    """The dashboard."""
    return Board("flow", "flow", "What comes in, what becomes of it, and how long it takes.", {
        "In": [
            graph("Events a second", "By what became of them: applied, duplicate, superseded, rejected.",
                  Query("sum by (event, outcome) (rate(connect_events_consumed_total[$__rate_interval]))",
                        "{{event}} {{outcome}}"), unit="cps", stacked=True),
            graph("Age of events when they are stored", "From the event's own time. Half, and 95 of 100, are quicker.",
                  Query("histogram_quantile(0.5, sum by (event, le) (rate(connect_event_age_seconds_bucket[5m])))",
                        "{{event}} half"),
                  Query("event:connect_event_age_seconds:p95_5m", "{{event}} 95 of 100"), unit="s"),
            graph("Refused in 15 minutes", "Input that does not keep to the contract, by where it came from.",
                  Query("queue:connect_recorded_rejections:diff15m", "{{queue}}", quiet="nothing was refused"),
                  unit="none", steps=((1, AMBER),)).linked("Rejections", "${journal}/rejections"),
            graph("Inputs since ever", "From the database, by event.",
                  Query('max by (event) (connect_recorded_inputs_total{interface=~"$interface"})', "{{event}}"),
                  unit="none"),
        ],
        "Through": [
            bars("Records by state", "Now, from the database.",
                 Query(f"sum by (state) ({RECORDS}{{{OF}}})", "{{state}}"), unit="none"),
            graph("On their way", "Pending, running and waiting, by stage.",
                  Query(f'sum by (stage, state) ({RECORDS}{{{OF}, state=~"pending|running|waiting|done"}})',
                        "{{stage}} {{state}}"), unit="none"),
            graph("States entered in 15 minutes", "True after crashes too: counted from the history of records.",
                  Query(f"sum by (stage, state) ({MOVED}{{{OF}}})", "{{stage}} {{state}}"), unit="none"),
            graph("From claim to settle", "How long work on one record takes. 95 of 100 are quicker.",
                  Query("flow_stage:connect_stage_seconds:p95_5m{flow=~\"$flow\"}", "{{flow}} {{stage}}"), unit="s"),
        ],
        "What goes wrong": [
            graph("Errors in 15 minutes", "Records that failed or have to wait, by code.",
                  Query(f"sum by (code) (flow_interface_code:connect_recorded_errors:diff15m{{{OF}}})", "{{code}}",
                        quiet="nothing failed or waits"), unit="none").linked("Causes", "${journal}/groups"),
            graph("Share that fails", "Of what came to an end in 15 minutes.",
                  Query(f"flow_interface:connect_failures:ratio15m{{{OF}}}", "{{interface}} {{flow}}"),
                  unit="percentunit", steps=((0.2, AMBER), (0.5, RED))),
            graph("Unclassified", "Errors that the catalogue does not know, since a process began.",
                  Query("sum by (service) (connect_unclassified_errors_total)", "{{service}}"), unit="none",
                  steps=((1, RED),)),
            graph("Age of the oldest", "How long the oldest unfinished record has been there.",
                  Query(f"flow_interface:connect_oldest_unfinished_age_seconds:max{{{OF}}}", "{{interface}} {{flow}}"),
                  unit="s", steps=((3600, AMBER), (14400, RED))),
        ],
    }, {"interface": INTERFACES, "flow": FLOWS})  # fmt: skip
