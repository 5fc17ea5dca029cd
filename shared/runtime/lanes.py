"""The lanes of one stage in this process, by interface: opened with its settings, and anew when these change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from shared.db.connect import Connection
from shared.records.interfaces import Interface, Side, Summary, summaries
from shared.runtime.lane import Lane, Size
from shared.runtime.stage import Stage

INLINE_SLOTS = 500
RATED_SECONDS = 4.0  # worth of calls on threads at once: more would only wait for the rate limit
LOOK_UP_AT_ONCE = 50  # numbers in one look-up
LOOK_UP_CALLS = 3  # times as many as calls at once: fewer would cost too many look-ups
LOOK_UP_SECONDS = 15.0  # worth of calls behind one look-up, at most


class Lanes:
    """Belongs to the work loop."""

    def __init__(
        self,
        stage: Stage,
        read: Callable[[Connection, str], Interface | None],
        make: Callable[..., Lane],
        log: Any,
    ) -> None:
        """read: an interface with its settings; make: a lane, given (interface, opened, size)."""
        self._stage = stage
        self._read = read
        self._make = make
        self._log = log
        self._lanes: dict[str, Lane] = {}
        self._interfaces: dict[str, Summary] = {}
        self._complained: dict[str, int] = {}

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def __getitem__(self, name: str) -> Lane:
        return self._lanes[name]

    def __contains__(self, name: object) -> bool:
        return name in self._lanes

    def look(self, conn: Connection) -> None:
        """See what interfaces there are now, in which mode, and what their breakers say."""
        self._interfaces = {summary.slug: summary for summary in summaries(conn)}
        for name, lane in self._lanes.items():
            if self._away(name):
                lane.ramp.begin()

    def fit(self, conn: Connection) -> None:
        """Open, reopen and close lanes as the interfaces want it; one that holds records is left for later."""
        self.look(conn)
        for name, summary in self._interfaces.items():
            lane = self._lanes.get(name)
            if lane is None or (lane.interface.revision != summary.revision and not lane.held):
                self.open(conn, name)
        for name in [name for name, lane in self._lanes.items() if name not in self._interfaces and not lane.held]:
            self._lanes.pop(name).close()

    def open(self, conn: Connection, name: str) -> None:
        """Open a lane, or open it anew with changed settings."""
        try:
            interface = self._read(conn, name)
            if interface is None:
                return
            side = interface.sides[self._stage.side]
            opened = self._stage.open(interface)
        except (ValueError, KeyError) as error:  # settings that do not fit, a side that is missing
            revision = self._interfaces[name].revision if name in self._interfaces else 0
            if self._complained.get(name) != revision:  # the poll comes by each second: once is enough
                self._complained[name] = revision
                self._log.error("lane.settings-wrong", interface=name, error=error, what=str(error))
            return
        if name in self._lanes:
            self._lanes.pop(name).close()
        self._lanes[name] = lane = self._make(interface, opened, self._size(side))
        if self._away(name):
            lane.ramp.begin()
        self._log.info("lane.opened", interface=name, revision=interface.revision)

    def _size(self, side: Side) -> Size:
        """In hand are the calls under way, as many that wait for a thread, and two look-ups' worth.

        So calls never wait for a look-up, not even for one that takes twice as long as they do.
        """
        if self._stage.inline:
            return Size(self._stage.slots or INLINE_SLOTS)
        calls = max(1, min(side.calls_at_once, int(side.calls_per_second * RATED_SECONDS)))
        if self._stage.slots is not None:
            return Size(self._stage.slots, calls)
        rated = max(1, int(side.calls_per_second * LOOK_UP_SECONDS))
        look_up = min(LOOK_UP_AT_ONCE, LOOK_UP_CALLS * calls, rated)
        return Size(2 * (calls + look_up), calls, look_up)

    def usable(self, name: str) -> bool:
        """The remote system is thought to be there, and the lane is not waiting to be opened with newer settings."""
        summary, lane = self._interfaces.get(name), self._lanes[name]
        if summary is None or (lane.held and lane.interface.revision != summary.revision):
            return False
        return not self._away(name)

    def _away(self, name: str) -> bool:
        """Whether the breaker keeps calls back."""
        summary = self._interfaces.get(name)
        return summary is not None and summary.breakers.get(self._stage.side, "closed") != "closed"

    def live(self, name: str) -> bool:
        """Whether the stage's flow runs by itself there."""
        return name in self._interfaces and self._interfaces[name].flows.get(self._stage.flow) == "live"

    def running(self) -> list[Lane]:
        """Lanes of live flows that may claim."""
        return [lane for name, lane in self._lanes.items() if self.usable(name) and self.live(name)]

    def holding(self) -> bool:
        """Whether any of them holds a record."""
        return any(lane.held for lane in self._lanes.values())

    def close(self) -> None:
        """Close them all, after the last report."""
        for lane in self._lanes.values():
            lane.close()
