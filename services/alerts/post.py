"""Sends what is queued: take, write, hand over, record. A kill in between sends again, under the same Message-ID."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from services.alerts import smtp
from services.alerts.letter import Post, letter
from shared.alarms import queue
from shared.alarms.contents import contents
from shared.db.connect import Connection
from shared.metrics import Metrics

DELAYS = (20.0, 60.0, 180.0, 600.0, 1800.0)
"""Seconds before the next try: greylisting wants minutes. The last one is repeated."""


def send_due(
    conn: Connection,
    server: smtp.Server,
    post: Post,
    metrics: Metrics,
    failpoint: Callable[[str], None],
    *,
    beat: Callable[[], None] = lambda: None,
    most: int = 100,
    deadline: float = smtp.DEADLINE,
) -> int:
    """Send up to `most` mails that are due; returns how many were taken."""
    for count in range(most):
        beat()
        mail = queue.take(conn)
        if mail is None:
            return count
        failpoint("mail.taken")
        message = letter(mail, contents(conn, mail.incidents or []), post, datetime.now(UTC))
        answer = smtp.send(server, message, mail.address, deadline)
        failpoint("mail.handed-over")
        if answer.fate is smtp.Fate.SENT:
            queue.sent(conn, mail.id, answer.text)
        elif answer.fate is smtp.Fate.REFUSED:
            queue.refused(conn, mail.id, answer.text)
        else:
            queue.later(conn, mail.id, answer.text, DELAYS[min(mail.tries, len(DELAYS)) - 1])
        failpoint("mail.recorded")
        metrics.alarm_mails.labels(mail.kind, str(answer.fate)).inc()
        # Neither the address nor the server's words, which may repeat it.
        structlog.get_logger().info("mail", mail=mail.id, kind=mail.kind, outcome=str(answer.fate), attempt=mail.tries)
    return most
