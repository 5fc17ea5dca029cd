"""What still lies in the broker: an event that nobody has taken in yet may be about the person, and cannot be searched.

Everything in the queues of events, among dead letters and what no queue wanted, is taken in by the services and then
lies in the database; so whoever looks a person up waits until these queues are empty.
"""

from __future__ import annotations

from shared.broker.watched import BrokerSeen


def queued(seen: BrokerSeen) -> int | None:
    """How many messages wait there; None where the broker was not seen: then it is waited as well."""
    if seen.state == "not-told":
        return 0
    if seen.state != "here":
        return None
    return sum(one.ready for one in seen.queues if one.purpose != "wake")
