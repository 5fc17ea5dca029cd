"""RabbitMQ: queues of events, wake-ups, and whether it has what it needs. Empty with the broker inside PostgreSQL."""

from __future__ import annotations

from deploy.grafana.builder.board import Board
from deploy.grafana.builder.panel import AMBER, GREEN, RED, Query, graph, stat

EVENTS = '{queue=~"order-imported|order-changed|stock-changed"}'
DEAD = '{queue=~".+[.]dead|connect[.]unrouted"}'


def board() -> Board:
    """The dashboard."""
    return Board("broker", "broker", "RabbitMQ as Connect uses it. With the broker inside PostgreSQL it is empty.", {
        "Now": [
            stat("RabbitMQ answers", "Its own metrics can be read.", Query('min(up{job="rabbitmq"})'),
                 words=((0, "no", RED), (1, "yes", GREEN)), steps=((1, GREEN),), below=RED, unit="none"),
            stat("Holds publishers back", "It runs out of memory, disk or file handles.",
                 Query("max(rabbitmq_alarms_memory_used_watermark) + max(rabbitmq_alarms_free_disk_space_watermark)"),
                 words=((0, "no", GREEN), (1, "yes", RED), (2, "yes", RED)), steps=((1, RED),), unit="none"),
            stat("Events that wait", "Ready in the three queues of events.",
                 Query(f"sum(rabbitmq_queue_messages_ready{EVENTS})"), steps=((1000, AMBER), (20000, RED))),
            stat("Dead and unrouted", "Not read yet. Connect reads them and keeps them as rejections.",
                 Query(f"sum(rabbitmq_queue_messages_ready{DEAD})"), steps=((1, RED),)),
            stat("Connections", "Open now.", Query("sum(rabbitmq_connections)"), unit="none"),
            stat("Who reads", "Consumers of the three queues of events.",
                 Query(f"min(sum by (queue) (rabbitmq_queue_consumers{EVENTS}))"), steps=((1, GREEN),), below=RED,
                 unit="none"),
        ],
        "Queues": [
            graph("Ready", "Messages that nobody has yet.",
                  Query("sum by (queue) (rabbitmq_queue_messages_ready)", "{{queue}}"), unit="none"),
            graph("In hand", "Delivered and not acknowledged: Connect does so after its commit.",
                  Query("sum by (queue) (rabbitmq_queue_messages_unacked)", "{{queue}}"), unit="none"),
            graph("Delivered a second", "From the node, over all queues, with an acknowledgement asked for.",
                  Query("sum(rate(rabbitmq_channel_messages_delivered_ack_total[$__rate_interval]))"
                        " or sum(rate(rabbitmq_global_messages_delivered_consume_manual_ack_total[$__rate_interval]))",
                        "delivered"), unit="cps"),
            graph("Published a second", "From the node, over all exchanges.",
                  Query("sum(rate(rabbitmq_channel_messages_published_total[$__rate_interval]))"
                        " or sum(rate(rabbitmq_global_messages_received_total[$__rate_interval]))", "published"),
                  unit="cps"),
        ],
        "The node": [
            graph("Memory", "Of the node, and where it begins to hold back.",
                  Query("sum by (instance) (rabbitmq_process_resident_memory_bytes)", "{{instance}}"),
                  Query("sum by (instance) (rabbitmq_resident_memory_limit_bytes)", "{{instance}} limit"),
                  unit="bytes"),
            graph("Free disk", "And where it begins to hold back.",
                  Query("min by (instance) (rabbitmq_disk_space_available_bytes)", "{{instance}}"),
                  Query("max by (instance) (rabbitmq_disk_space_available_limit_bytes)", "{{instance}} limit"),
                  unit="bytes"),
        ],
    }, {})  # fmt: skip
