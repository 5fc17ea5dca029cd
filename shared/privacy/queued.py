"""What still lies in the broker: an event that nobody has taken in yet may be about the person, and cannot be searched.

Everything in the queues of events, among dead letters and what no queue wanted, is taken in by the services and then
lies in the database; so whoever looks a person up waits until each of these queues was seen empty once.
"""

from __future__ import annotations

from collections.abc import Callable

from shared.broker.watched import BrokerSeen, WatchedBroker

PATIENCE_SECONDS = 5.0


def look(url: str | None) -> Callable[[], list[str] | None]:
    """What asks a broker anew each time: what was seen before somebody was asked for says nothing."""
    broker = WatchedBroker(url, fresh=0.0, patience=PATIENCE_SECONDS)
    return lambda: queued(broker.seen())


def queued(seen: BrokerSeen) -> list[str] | None:
    """The queues in which messages wait; None where the broker was not seen: then it is waited as well."""
    if seen.state == "not-told":
        return []
    if seen.state != "here" or seen.looking_since is not None:
        return None
    return [one.name for one in seen.queues if one.purpose != "wake" and one.ready]
