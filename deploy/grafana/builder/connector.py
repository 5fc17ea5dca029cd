"""The remote systems: how often they are called, how well they answer, and whether they are spared."""

from __future__ import annotations

from deploy.grafana.builder.board import INTERFACES, Board
from deploy.grafana.builder.panel import AMBER, GREEN, RED, Query, graph, stat

OF = 'system=~"$system"'
I = '{interface=~"$interface"}'  # noqa: E741


def board() -> Board:
    """The dashboard."""
    return Board("connector", "connector", "Marketplaces and ERPs, as Connect sees them.", {
        "Now": [
            stat("Breaker", "Closed: calls are made. Open: the system is spared and looked at now and then.",
                 Query(f"interface_side:connect_breaker_state:max{I}", "{{interface}} {{side}}"), width=12,
                 words=((0, "closed", GREEN), (1, "half-open", AMBER), (2, "open", RED)),
                 steps=((1, AMBER), (2, RED))).linked("Interface", "${journal}/interfaces/${__field.labels.interface}"),
            stat("Access ends in", "Access tokens are renewed before.",
                 Query(f"max by (interface, side) (connect_token_expiry_timestamp_seconds{I}) - time()",
                       "{{interface}} {{side}}", quiet="the remote system gives no tokens that end, or none was asked"),
                 unit="s", width=12, low=None),
        ],
        "Calls": [
            graph("Calls a second", "By system and operation.",
                  Query(f"system_operation:connect_remote_requests:rate5m{{{OF}}}", "{{system}} {{operation}}"),
                  unit="reqps", stacked=True),
            graph("Calls not answered well", "Share of a system's calls: refused, failed or without an answer.",
                  Query(f"system:connect_remote_failures:ratio5m{{{OF}}}", "{{system}}"), unit="percentunit",
                  steps=((0.05, AMBER), (0.5, RED))),
            graph("How long they take", "95 of 100 are quicker.",
                  Query(f"system_operation:connect_remote_request_seconds:p95_5m{{{OF}}}", "{{system}} {{operation}}"),
                  unit="s", steps=((20, RED),)),
            graph("Answers by kind", "2xx, 4xx, 429 (too often), 5xx, none in time.",
                  Query(f"sum by (system, code) (rate(connect_remote_requests_total{{{OF}}}[5m]))",
                        "{{system}} {{code}}"), unit="reqps", stacked=True),
        ],
        "What they tell": [
            graph("Webhooks in 5 minutes", "Calls of an ERP, by what became of them.",
                  Query(f"sum by (interface, outcome) (increase(connect_webhooks_total{I}[5m]))",
                        "{{interface}} {{outcome}}"), unit="none"),
            graph("Hints that wait", "What the ERP told of and nobody has read yet.",
                  Query(f"max by (interface, kind) (connect_hints{I})", "{{interface}} {{kind}}",
                        quiet="every hint was read"), unit="none", steps=((1000, AMBER),)),
            graph("Since the last poll of the ERP", "Usually every 15 minutes.",
                  Query(f"time() - interface:connect_last_erp_poll_timestamp_seconds:max{I}", "{{interface}}"),
                  unit="s", steps=((2100, AMBER),)),
            graph("Since the last webhook", "Long is no trouble: what is missed is read by polls.",
                  Query(f"time() - max by (interface) (connect_last_webhook_timestamp_seconds{I})", "{{interface}}"),
                  unit="s"),
        ],
    }, {"interface": INTERFACES, "system": "label_values(connect_remote_requests_total, system)"})  # fmt: skip
