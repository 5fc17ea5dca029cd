"""What alarms leave behind goes after its time, in batches; what an open incident needs stays."""

from __future__ import annotations

import pytest

from services.journal.sweep import sweep
from shared.alarms import subscriptions
from shared.alarms.forget import forget_alarms
from shared.alarms.round import play
from shared.alarms.wanted import Alarm
from shared.db.connect import Connection, connect
from shared.db.migrate import migrate
from tests.support.stored import store_interface, store_record

pytestmark = [pytest.mark.servers]
TABLES = ("alarm_facts", "alarm_decisions", "mails", "incidents", "alarm_arrivals")


def counts(conn: Connection) -> dict[str, int]:
    rows = {table: conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() for table in TABLES}
    return {table: row[0] for table, row in rows.items() if row and row[0]}


def test_old_rows_go_in_batches_and_an_open_incident_keeps_what_it_needs(database_url: str) -> None:
    migrate(database_url)
    with connect(database_url, "tests") as conn:
        store_interface(conn, "otto-de")
        alarm = Alarm(name="Night", recipients=("a@example.org", "b@example.org"))
        subscriptions.add(conn, alarm, "anna", "UTC", verified=True)
        for n in range(3):
            reason = [{"code": "payment-unmapped", "field": "", "values": {"payment": f"P{n}"}}]
            store_record(conn, str(n), state="failed", code="payment-unmapped", reason=reason)
        play(conn)
        conn.execute("UPDATE mails SET state = 'sent', due_at = NULL, sent_at = now()")
        conn.execute("INSERT INTO alarm_arrivals VALUES ('otto-de', 'stock', now() - interval '61 days', '{1}', now())")
        conn.execute("UPDATE alarm_facts SET at = at - interval '91 days'")
        conn.execute("UPDATE alarm_decisions SET at = at - interval '91 days'")
        conn.execute("UPDATE mails SET created_at = created_at - interval '91 days'")
        conn.execute("UPDATE incidents SET since = since - interval '401 days'")
        whole = {"alarm_facts": 3, "alarm_decisions": 3, "mails": 6, "incidents": 3}
        assert forget_alarms(conn) == 1, "what arrived long ago"
        assert counts(conn) == whole, "they are open"
        conn.execute("UPDATE incidents SET ended = now() - interval '399 days' WHERE id > 1")
        assert forget_alarms(conn, 1) == 2 + 2 + 4
        assert counts(conn) == {"alarm_facts": 1, "alarm_decisions": 1, "mails": 2, "incidents": 3}
        conn.execute("UPDATE incidents SET ended = now() - interval '401 days' WHERE id = 2")
        sweep(conn)
        assert counts(conn) == {"alarm_facts": 1, "alarm_decisions": 1, "mails": 2, "incidents": 2}
