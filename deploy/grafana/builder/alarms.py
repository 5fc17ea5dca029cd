"""Who watches: services, alerts, incidents, mails, and the watcher itself."""

from __future__ import annotations

from deploy.grafana.builder.board import Board
from deploy.grafana.builder.panel import AMBER, GREEN, RED, Query, graph, stat, table

RUNBOOK = "${runbooks}/${__data.fields.alertname}.md"


def board() -> Board:
    """The dashboard."""
    return Board("alarms", "alarms", "What fires, who is told, and whether the way there works.", {
        "Now": [
            stat("The watcher's last round", "How long ago the alert service judged everything.",
                 Query("time() - max(connect_alarm_last_evaluation_timestamp_seconds > 0)"), unit="s",
                 steps=((20, AMBER), (60, RED))),
            stat("Watchdog", "The alert that always fires: Prometheus evaluates its rules.",
                 Query('count(ALERTS{alertname="Watchdog", alertstate="firing"})'),
                 words=((1, "fires", GREEN),), steps=((1, GREEN),), below=RED, unit="none"),
            stat("Mails that wait", "Not sent yet; each is tried again for five days.",
                 Query("max(connect_alarm_mails_waiting)"), unit="none", steps=((1, AMBER), (20, RED)))
            .linked("Alarms", "${journal}/alarms"),
            stat("Open incidents", "By interface, flow and severity.",
                 Query("max by (interface, flow, severity) (connect_incidents)", "{{interface}} {{flow}} {{severity}}",
                       quiet="nothing is wrong"), width=12, unit="none", steps=((1, RED),))
            .linked("Alarms", "${journal}/alarms"),
        ],
        "Alerts of Prometheus": [
            table("Firing", "A click opens the runbook.",
                  Query('ALERTS{alertstate="firing", alertname!="Watchdog"}', quiet="nothing is wrong"), unit="none")
            .linked("Runbook", RUNBOOK),
            graph("Firing over time", "By name.",
                  Query('count by (alertname) (ALERTS{alertstate="firing"})', "{{alertname}}"), unit="none",
                  stacked=True),
        ],
        "Mails": [
            graph("Mails in an hour", "By kind and by what became of them.",
                  Query("kind_outcome:connect_alarm_mails:increase1h", "{{kind}} {{outcome}}",
                        quiet="there was nothing to mail"), unit="none"),
            graph("Mails that wait", "Should come down to 0 within a minute.",
                  Query("max(connect_alarm_mails_waiting)", "waiting"), unit="none", steps=((1, AMBER),)),
        ],
        "Services": [
            graph("Answering", "1: its metrics can be read.", Query('min by (service, instance) (up{job="connect"})',
                  "{{service}} {{instance}}"), unit="none"),
            graph("Running since", "A line that falls to 0 is a restart.",
                  Query('time() - process_start_time_seconds{job="connect"}', "{{service}} {{instance}}"), unit="s"),
            graph("Memory", "Of each process.",
                  Query('process_resident_memory_bytes{job="connect"}', "{{service}} {{instance}}"), unit="bytes"),
            graph("Processor", "Share of one core.",
                  Query('rate(process_cpu_seconds_total{job="connect"}[$__rate_interval])', "{{service}} {{instance}}"),
                  unit="percentunit"),
            graph("Loops without progress", "Of each service the slowest; after a minute it ends itself.",
                  Query("max by (service) (time() - connect_loop_progress_timestamp_seconds)", "{{service}}"),
                  unit="s", steps=((45, RED),)),
            graph("How long a scrape takes", "Of each service.",
                  Query('scrape_duration_seconds{job="connect"}', "{{service}} {{instance}}"), unit="s"),
        ],
    }, {})  # fmt: skip
