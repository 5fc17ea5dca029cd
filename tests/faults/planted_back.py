"""A stock service and an alert service with one bug each: the checks of the way back must see them. For tests only.

`python -m tests.faults.planted_back BUG` patches one thing and runs the service's own main.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from services.alerts import __main__ as alerts
from services.stock import __main__ as stock
from shared.alarms import queue
from shared.records import change, receive_known
from tests.faults.planted import plant


def stock_by_arrival() -> None:
    """Quantities are ordered by when they come, not by when they were true."""
    true_decide = change.decide

    def decide_by_arrival(staged: Any, state: Any, new: Any) -> Any:
        return true_decide(staged, state, change.Standing(staged.changed_at, staged.version + 1, new.data_hash))

    plant(receive_known, "decide", decide_by_arrival)


def mail_recorded_before_send() -> None:
    """A mail is noted as sent when it is taken: a crash before it is handed over loses it."""
    true_take = queue.take

    def take(conn: Any) -> Any:
        mail = true_take(conn)
        if mail is not None:
            queue.sent(conn, mail.id, "250 ok")
        return mail

    plant(queue, "take", take)


BUGS: Mapping[str, tuple[Callable[[], None], Callable[[], int]]] = {
    "stock-by-arrival": (stock_by_arrival, stock.main),
    "mail-recorded-before-send": (mail_recorded_before_send, alerts.main),
}

if __name__ == "__main__":
    bug, main = BUGS[sys.argv[1]]
    bug()
    sys.exit(main())
