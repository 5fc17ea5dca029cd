"""Works off what is due at one stage: claim, handle, settle, report; woken by the bell or, behind it, by a poll.

    bell ──▶ claim (one statement, all lanes) ──▶ lane: handle on bounded threads ──▶ reports ──▶ settle ──▶ report
    intake ──▶ handover: claimed as it was stored ──▲

One loop, one connection; only handlers run on threads. A row is all there is to lose: when this process dies its leases
run out and another claims them.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog

from shared.connectors.contract import Reason
from shared.db.connect import GONE, Connection
from shared.metrics import Metrics
from shared.records.claim import Claim, Kind, Quota, claim, fail_lost, lanes_with_work, release, renew, special_work
from shared.records.interfaces import Interface
from shared.records.keys import raise_told
from shared.records.parts import stages_shown
from shared.records.settle import Settlement, mark_for_reading_back, settle
from shared.records.states import State
from shared.runtime.bell import Bell
from shared.runtime.breaker import OPEN_AFTER, open_breaker
from shared.runtime.handover import Handover, Room
from shared.runtime.judge import CONNECTION, judge
from shared.runtime.kept import kept
from shared.runtime.lane import Lane, Report
from shared.runtime.lanes import Lanes
from shared.runtime.outcome import Released
from shared.runtime.report import report_settled
from shared.runtime.stage import Stage
from shared.runtime.timing import Timing

POLL_SECONDS = 1.0
SETTLE_AT_ONCE = 500
SETTLE_APART = 0.02  # seconds between two settles while more is under way: what ends meanwhile goes with the next
DRAIN_SECONDS = 5.0  # more than a call may take
ENDED = frozenset({State.DONE, State.WARNING, State.SKIPPED})
AWAY = {str(reason) for reason in CONNECTION if reason is not Reason.RATE_LIMITED}  # a busy system is not away


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the loop is given: how to connect, to read an interface, to pass failpoints, to beat, to die, and times."""

    connect: Callable[[], Connection]
    read: Callable[[Connection, str], Interface | None]
    failpoint: Callable[[str], None]
    beat: Callable[[], None]
    fatal: Callable[[BaseException], None]
    stopping: Callable[[], bool]
    timing: Timing


class Work:
    """The loop of one stage in one process."""

    def __init__(
        self, stage: Stage, bell: Bell, metrics: Metrics, wiring: Wiring, handover: Handover | None = None
    ) -> None:
        """handover: from the intake of this process, if it has one."""
        self._stage = stage
        self._handover = handover or Handover(stage.name, bell.ring, intends=stage.intends)
        self._bell = bell
        self._metrics = metrics
        self._w = wiring
        self._log = structlog.get_logger().bind(stage=stage.name, flow=stage.flow)
        self._reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        make = partial(
            Lane, reports=self._reports, ring=bell.ring, inline=stage.inline, fatal=wiring.fatal, pause=stage.pause
        )
        self._lanes = Lanes(stage, wiring.read, make, self._log)
        self._unsettled: list[Report] = []
        self._to_read_back: list[Settlement] = []
        self._alone = False  # a record that lost leases runs, and nothing beside it
        self._making_room = False  # such a record waits until nothing else runs
        self._poll_at = 0.0
        self._renew_at = 0.0
        self._settle_at = 0.0

    def run(self) -> None:
        """Work until stopping, then let the calls under way end and give back the rest."""
        while not self._w.stopping():
            try:
                with self._w.connect() as conn:
                    self._work(conn)
                    self._drain(conn)
            except GONE as error:
                # Leases protect what is in hand: what was reported is settled after the return, fenced as ever.
                self._log.warning("work.database-gone", error=error)
                self._w.beat()
                time.sleep(0.5)
        self._lanes.close()

    def _work(self, conn: Connection) -> None:
        self._poll_at = 0.0
        self._read_back(conn)
        while not self._w.stopping():
            self._w.beat()
            for name in self._bell.wait(self._patience()):
                if name in self._lanes:
                    self._lanes[name].hungry = True
            self._take_over(conn)
            self._settle(conn)
            if not self._lanes.holding():
                self._alone = False
                self._poll_at = 0.0 if self._making_room else self._poll_at
            now = time.monotonic()
            if now >= self._poll_at:
                self._poll_at = now + POLL_SECONDS
                self._poll(conn)
            if now >= self._renew_at:
                self._renew_at = now + self._w.timing.renew
                self._renew(conn)
            self._claim(conn, Kind.NORMAL, [lane for lane in self._open_lanes() if lane.hungry])
            self._offer()

    def _patience(self) -> float:
        """No waiting while there is something to claim or to settle."""
        if any(lane.hungry and lane.free > 0 for lane in self._open_lanes()):
            return 0.0
        rests = [lane.rest for lane in self._open_lanes() if lane.hungry and lane.rest]
        if self._unsettled or not self._reports.empty():
            rests.append(self._settle_at - time.monotonic() if self._more_to_come() else 0.0)
        return max(0.0, min(self._poll_at - time.monotonic(), self._renew_at - time.monotonic(), *rests))

    # -- lanes -------------------------------------------------------------------------------------------------------

    def _open_lanes(self) -> list[Lane]:
        """Lanes that may claim; none while a record that lost leases has or awaits the process to itself."""
        return [] if self._alone or self._making_room else self._lanes.running()

    def _poll(self, conn: Connection) -> None:
        """See what interfaces there are and which have something due, wake-ups lost or not."""
        self._lanes.fit(conn)
        usable = [lane.interface.slug for lane in self._open_lanes()]
        for name in lanes_with_work(conn, self._stage.name, usable):
            self._lanes[name].hungry = True
        self._special(conn)

    def _special(self, conn: Connection) -> None:
        """Rows forced by hand run in any mode; rows that lost leases run alone, or fail when that is hopeless."""
        self._making_room = False
        usable = [lane.interface.slug for lane in self._lanes if self._lanes.usable(lane.interface.slug)]
        found = special_work(conn, self._stage.name, usable)
        if not found:
            return
        names = [special.interface for special in found]
        if lost := fail_lost(conn, self._stage.name, names):
            self._log.error("work.worker-lost", count=lost)
        suspects = [special.interface for special in found if special.suspect]
        if suspects and not self._alone and self._handover.pause() and not self._lanes.holding():
            kind = Kind.SUSPECT if self._lanes.live(suspects[0]) else Kind.FORCED_SUSPECT
            self._alone = self._claim(conn, kind, [self._lanes[suspects[0]]], most=1) > 0
        elif suspects and not self._alone:
            self._making_room = True
        if not self._alone and not self._making_room:
            self._claim(conn, Kind.FORCED, [self._lanes[name] for name in names if not self._lanes.live(name)])

    # -- claim -------------------------------------------------------------------------------------------------------

    def _claim(self, conn: Connection, kind: Kind, lanes: Sequence[Lane], most: int = 5000) -> int:
        """Claim for these lanes and hand it to them; returns how many."""
        room = {lane: lane.free - self._handover.withdraw(lane.interface.slug) for lane in lanes}
        able = [lane for lane in lanes if room[lane] > 0]
        if not able:
            return 0
        floors = [lane.next_floor() if kind is Kind.NORMAL else None for lane in able]
        quotas = [
            Quota(lane.interface.slug, min(room[lane], most), self._w.timing.hold(lane.opened.lag), floor)
            for lane, floor in zip(able, floors, strict=True)
        ]
        asked_at = time.monotonic()
        claims = claim(conn, self._stage.name, quotas, kind, intends=self._stage.intends)
        self._w.failpoint("work.claimed")
        by_lane = _by_interface(claims)
        for lane, quota, floor in zip(able, quotas, floors, strict=True):
            mine = by_lane.get(lane.interface.slug, [])
            if kind is Kind.NORMAL:
                lane.claimed(mine, quota.slots, scanned_all=floor is None)
        self._dispatch(conn, by_lane, asked_at)
        return len(claims)

    def _dispatch(self, conn: Connection, by_lane: Mapping[str, Sequence[Claim]], asked_at: float) -> None:
        """Give claims to their lanes. asked_at: from when on the lease counts."""
        for name, mine in by_lane.items():
            lane = self._lanes[name]
            if mine[0].revision != lane.interface.revision and not lane.held:
                # A mapping saved before the claim must be seen by its handler: the claim told us the newest revision.
                self._lanes.open(conn, name)
                lane = self._lanes[name]
            elif mine[0].revision != lane.interface.revision:
                release(conn, mine)  # the lane is opened anew as soon as it holds nothing
                lane.hungry = False
                continue
            running = sum(not one.test for one in mine)
            for stage in stages_shown(self._stage.name):
                self._metrics.transitions.labels(self._stage.flow, name, stage, str(State.RUNNING)).inc(running)
            lane.dispatch(mine, asked_at + self._w.timing.lease)

    # -- what intake hands over --------------------------------------------------------------------------------------

    def _offer(self) -> None:
        """Lanes that have claimed all there was take what comes in at once, as much as they have room for."""
        self._handover.offer(
            {
                lane.interface.slug: Room(lane.free, self._w.timing.hold(lane.opened.lag))
                for lane in self._open_lanes()
                if not lane.hungry
            }
        )

    def _take_over(self, conn: Connection) -> None:
        """Dispatch what intake has stored and claimed; a lane that was closed meanwhile cannot have it."""
        for claims, asked_at in self._handover.collect():
            if closed := [claim for claim in claims if claim.interface not in self._lanes]:
                release(conn, closed)
            self._dispatch(conn, _by_interface([c for c in claims if c.interface in self._lanes]), asked_at)

    def _renew(self, conn: Connection) -> None:
        """Keep the leases of what is in hand; what is no longer ours gets no more time for a call."""
        for lane in self._lanes:
            if not lane.held:
                continue
            asked_at = time.monotonic()
            held = list(lane.held.values())
            hold = self._w.timing.hold(lane.opened.lag)
            kept = renew(conn, [(one.claim, hold) for one in held])
            for one in held:
                one.lease_end = asked_at + self._w.timing.lease if one.claim.id in kept else 0.0

    # -- settle ------------------------------------------------------------------------------------------------------

    def _settle(self, conn: Connection) -> None:
        while len(self._unsettled) < SETTLE_AT_ONCE:
            try:
                self._unsettled.append(self._reports.get_nowait())
            except queue.Empty:
                break
        if not self._unsettled or (time.monotonic() < self._settle_at and self._more_to_come()):
            return
        batch = self._unsettled
        self._w.failpoint("work.before-settle")
        released = [report.held.claim for report in batch if isinstance(report.said, Released)]
        if released:
            release(conn, released)
        judged = [
            (
                report,
                judge(
                    report.held.claim,
                    report.said,
                    report.started_at,
                    self._stage.side,
                    repeatable=not self._stage.intends,
                    patience=self._w.timing.patience,
                ),
            )
            for report in batch
            if not isinstance(report.said, Released)
        ]
        judged = [(report, replace(said, calls=kept(report, said))) for report, said in judged]
        done = settle(conn, [settlement for _, settlement in judged]) if judged else None
        self._unsettled = []
        self._settle_at = time.monotonic() + SETTLE_APART
        for report in batch:
            if report.lane.held.get(report.held.claim.id) is report.held:  # else claimed again since, by ourselves
                del report.lane.held[report.held.claim.id]
        self._w.failpoint("work.settled")
        if done is None:
            return
        report_settled(self._metrics, self._log, self._stage.flow, self._stage.name, judged, done.states)
        self._tell(conn, [settlement.claim for _, settlement in judged], done.states)
        self._to_read_back += [settlement for settlement in done.refused if settlement.called]
        self._read_back(conn)
        self._watch_breakers(conn, judged)

    def _more_to_come(self) -> bool:
        """Whether records are in hand that nobody has reported on yet."""
        reported = len(self._unsettled) + self._reports.qsize()
        return reported < min(SETTLE_AT_ONCE, sum(len(lane.held) for lane in self._lanes))

    def _tell(self, conn: Connection, claims: Sequence[Claim], states: Mapping[int, State]) -> None:
        """What waits elsewhere for these records may go on."""
        if self._stage.tells is None:
            return
        ended = [(c.interface, f"{self._stage.tells}{c.key}") for c in claims if states.get(c.id) in ENDED]
        if ended and (count := raise_told(conn, ended)):
            self._log.info("work.told", count=count)

    def _read_back(self, conn: Connection) -> None:
        """Calls were made for records that had been taken over meanwhile: somebody must look what came of them."""
        if self._to_read_back:
            lag = max(lane.opened.lag for lane in self._lanes)
            found = mark_for_reading_back(conn, self._to_read_back, lag)
            self._to_read_back = []
            self._log.warning("work.read-back", count=found)

    def _watch_breakers(self, conn: Connection, judged: Sequence[tuple[Report, Settlement]]) -> None:
        for report, settlement in judged:
            lane = report.lane
            ours = f"{self._stage.side}:{lane.interface.slug}" in settlement.keys  # not the other side's trouble
            lane.ramp.note(away=ours)
            if not ours or settlement.code not in AWAY:
                lane.failures = 0
                continue
            lane.failures += 1
            if lane.failures == OPEN_AFTER:
                lane.failures = 0
                slug, code = lane.interface.slug, str(settlement.code)
                if open_breaker(conn, slug, self._stage.side, code, self._w.timing.looks):
                    self._log.warning("breaker.opened", interface=slug, code=code)
                self._lanes.look(conn)

    # -- stop --------------------------------------------------------------------------------------------------------

    def _drain(self, conn: Connection) -> None:
        """Calls under way may end; what has not begun is given back. Nobody waits longer than a call's deadline."""
        for lane in self._lanes:
            lane.stop()
        end = time.monotonic() + self._w.timing.call + DRAIN_SECONDS
        while (not self._handover.close() or self._lanes.holding()) and time.monotonic() < end:
            self._w.beat()
            self._bell.wait(0.2)
            self._take_over(conn)
            self._settle(conn)
            if time.monotonic() >= self._renew_at:
                self._renew_at = time.monotonic() + self._w.timing.renew
                self._renew(conn)
        self._log.info("work.stopped", stage=self._stage.name)


def _by_interface(claims: Sequence[Claim]) -> dict[str, list[Claim]]:
    found: dict[str, list[Claim]] = {}
    for one in claims:
        found.setdefault(one.interface, []).append(one)
    return found
