"""What alarms leave behind goes after a while, some thousands of rows at a time. Called by the Journal's sweep.

What an open incident still needs stays: its facts, for the look back begins with them, and its mails, for the thread.
"""

from __future__ import annotations

from shared.db.connect import Connection

FACTS_KEPT = "90 days"
DECISIONS_KEPT = "90 days"
MAILS_KEPT = "90 days"
INCIDENTS_KEPT = "400 days"
ARRIVALS_KEPT = "60 days"
AT_ONCE = 5_000

_FORGET = (
    """DELETE FROM alarm_facts WHERE no IN (SELECT no FROM alarm_facts f WHERE at < now() - interval '{facts}'
         AND NOT EXISTS (SELECT FROM incidents i WHERE (i.interface, i.flow, i.code, i.key)
                           = (f.interface, f.flow, f.code, f.key) AND i.ended IS NULL) ORDER BY at LIMIT %s)""",
    """DELETE FROM mails WHERE id IN (SELECT id FROM mails m WHERE state <> 'queued'
         AND created_at < now() - interval '{mails}' AND NOT EXISTS (SELECT FROM alarm_decisions d
           JOIN incidents i ON i.id = ANY(d.incidents) WHERE d.id = m.decision AND i.ended IS NULL)
         ORDER BY created_at LIMIT %s)""",
    """DELETE FROM alarm_decisions WHERE id IN (SELECT id FROM alarm_decisions d
         WHERE at < now() - interval '{decisions}' AND NOT EXISTS (SELECT FROM mails WHERE decision = d.id)
         ORDER BY at LIMIT %s)""",
    """DELETE FROM incidents WHERE id IN (SELECT id FROM incidents WHERE ended < now() - interval '{incidents}'
         ORDER BY ended LIMIT %s)""",
    """DELETE FROM alarm_arrivals WHERE (interface, flow, hour) IN (SELECT interface, flow, hour FROM alarm_arrivals
         WHERE hour < now() - interval '{arrivals}' ORDER BY hour LIMIT %s)""",
    """DELETE FROM maintenance WHERE id IN (SELECT id FROM maintenance WHERE ends < now() - interval '{incidents}'
         ORDER BY ends LIMIT %s)""",
)


def forget_alarms(conn: Connection, at_once: int = AT_ONCE) -> int:
    """Returns how many rows went. Each batch is a transaction of its own unless the caller has one open."""
    kept = {
        "facts": FACTS_KEPT,
        "mails": MAILS_KEPT,
        "decisions": DECISIONS_KEPT,
        "incidents": INCIDENTS_KEPT,
        "arrivals": ARRIVALS_KEPT,
    }
    gone = 0
    for statement in _FORGET:
        while count := conn.execute(statement.format(**kept).encode(), (at_once,)).rowcount:
            gone += count
            if count < at_once:
                break
    return gone
