"""One round: fold what is settled, count what has changed, and say what metrics show now.

Everything that metrics show is read in one snapshot: totals, and what came since they were added up, so that a counter
never goes back when the roller moves on. Called by the Journal's loop on a connection of its own.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from psycopg.errors import QueryCanceled

from shared.db.connect import Connection
from shared.rollup.begun import Totals, begun
from shared.rollup.check import compare_chunk, compare_minutes
from shared.rollup.chunks import Chunks
from shared.rollup.horizon import LAG_SECONDS
from shared.rollup.roller import Roller, read_totals
from shared.rollup.standing import FLOWS, Figures, standing
from shared.rollup.stretch import CHUNK, Stretch, read_stretch

HOLDER = 0x524F_4C4C_5550  # "ROLLUP", as the advisory lock's number
ROLLING_SECONDS = 5.0
"""So long a round folds what is old; what stands now is shown meanwhile."""

COUNTING_SECONDS = 2.0
"""So long a round counts chunks; what is left is for the next one."""

FILLING_SECONDS = 5.0
"""The same until all of them have been counted once."""

CHECK_SECONDS = 15.0
"""One more chunk is counted a second time so often, in turn."""

LATE_SECONDS = 1800.0
"""Counters are shown once they have come this close to now: an old history must not look like a burst."""

EPOCH = datetime.fromtimestamp(0, UTC)


def hold(conn: Connection) -> bool:
    """Become the one that rolls and shows figures, until this connection ends. Ask once a connection."""
    return conn.execute("SELECT pg_try_advisory_lock(%s)", (HOLDER,)).fetchone() == (True,)


@dataclass(slots=True)
class Rollup:
    """Of one connection that holds. check: seconds between two chunks of the self check.

    corrected: what the self check put right; behind: there is more to fold at once.
    """

    failpoint: Callable[[str], None]
    lag: float = LAG_SECONDS
    check: float = CHECK_SECONDS
    corrected: int = 0
    behind: bool = True
    roller: Roller = field(init=False)
    chunks: Chunks = field(init=False)
    _seen: deque[tuple[datetime, int]] = field(default_factory=deque)
    _begun: bool = False
    _floor: int = 0
    _settled: int = 0
    _rolled: datetime = EPOCH
    _whole: bool = False
    _checked: float = float("-inf")

    def __post_init__(self) -> None:
        self.roller = Roller(self.failpoint, self.lag)
        self.chunks = Chunks(self.failpoint)

    def round(self, conn: Connection, beat: Callable[[], None] = lambda: None) -> Figures:
        """Do all of it. beat: told of progress. Without the counts of records until they are all counted once."""
        if not self._begun:
            self._begin(conn)
        self._notice(conn)
        self._roll(conn, beat)
        self.chunks.read_dirty(conn)
        totals, came = self._now(conn)
        beat()
        self._count(conn, came, beat)
        self.corrected += compare_minutes(conn)
        figures = standing(conn)
        slugs = {slug for _, slug in figures["connect_flow_live"]}
        figures["connect_rollup_timestamp_seconds"] = {(): _epoch(conn)}
        figures["connect_rollup_corrections_total"] = {(): float(self.corrected)}
        if self._whole:
            figures["connect_records"] = {place: float(n) for place, n in self.chunks.records().items()}
            oldest = self.chunks.oldest()
            figures["connect_oldest_unfinished_timestamp_seconds"] = {
                (flow, slug): oldest.get((flow, slug), 0.0)
                for slug in sorted(slugs | {slug for _, slug in oldest})
                for flow in FLOWS
            }
        for name, counts in {} if totals is None else begun(totals, slugs).items():
            figures[f"connect_recorded_{name}_total"] = {labels: float(n) for labels, n in counts.items()}
        return figures

    def _roll(self, conn: Connection, beat: Callable[[], None]) -> None:
        end, self.behind = time.monotonic() + ROLLING_SECONDS, True
        while self.behind and time.monotonic() < end:
            beat()
            try:
                self.behind = self.roller.piece(conn)
            except QueryCanceled:
                self.roller.slower()

    # -- where we are ------------------------------------------------------------------------------------------------

    def _begin(self, conn: Connection) -> None:
        self.chunks.load(conn)
        row = conn.execute("SELECT filled > 0, settled FROM rollup_watch").fetchone()
        assert row is not None
        self._whole, self._floor, self._begun = row[0], row[1], True
        self._seen = deque([(EPOCH, self._floor)])

    def _notice(self, conn: Connection) -> None:
        """Remember which number was the highest when; what had a smaller one then is there once that is settled."""
        row = conn.execute("SELECT now(), coalesce(max(id), 0) FROM records").fetchone()
        assert row is not None
        if row[1] != self._seen[-1][1]:
            self._seen.append((row[0], row[1]))

    def _young(self) -> list[int]:
        """Chunks in which records may have appeared of which no transition tells, the oldest first."""
        while len(self._seen) > 1 and self._seen[1][0] < self._rolled:
            self._seen.popleft()
        self._settled = self._seen[0][1]
        return list(range(self._floor // CHUNK, self._seen[-1][1] // CHUNK + 1))

    # -- what is shown -----------------------------------------------------------------------------------------------

    def _now(self, conn: Connection) -> tuple[Totals | None, Stretch]:
        """Totals up to this moment, None if the roller is far behind; and what they do not hold yet."""
        with conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            row = conn.execute("SELECT rolled, now() - rolled < make_interval(secs => %s) FROM rollup_watch",
                               (LATE_SECONDS,)).fetchone()  # fmt: skip
            if row is None or not row[1]:
                return None, Stretch()
            self._rolled = row[0]
            totals = read_totals(conn)
            came = read_stretch(conn, row[0], datetime.max.replace(tzinfo=UTC))
        for name, counts in came.totals().items():
            for labels, count in counts.items():
                of_name = totals.setdefault(name, {})
                of_name[labels] = of_name.get(labels, 0) + count
        return totals, came

    # -- records -----------------------------------------------------------------------------------------------------

    def _count(self, conn: Connection, came: Stretch, beat: Callable[[], None]) -> None:
        """Count where records may have appeared, then what changed, then one more chunk, as far as there is time."""
        end = time.monotonic() + (COUNTING_SECONDS if self._whole else FILLING_SECONDS)
        young = self._young()
        changed = sorted((self.chunks.dirty | came.chunks) - set(young), reverse=True)
        for chunk in young + changed:
            if time.monotonic() > end:
                break
            beat()
            self.chunks.count(conn, chunk)
            if chunk in young:
                self._floor = max(self._floor, min((chunk + 1) * CHUNK, self._settled))
        else:
            self._checked_one(conn, set(young) | set(changed))
            if not self._whole:
                self._whole = True
                conn.execute("UPDATE rollup_watch SET filled = %s", (len(self.chunks.counts),))
        conn.execute("UPDATE rollup_watch SET settled = %(n)s WHERE settled < %(n)s", {"n": self._floor})

    def _checked_one(self, conn: Connection, known: set[int]) -> None:
        if time.monotonic() < self._checked + self.check:
            return
        self._checked = time.monotonic()
        turn = self.chunks.next_check(set(self.chunks.counts) - known)
        if turn is not None and (wrong := compare_chunk(conn, self.chunks, turn)):
            self.corrected += wrong
            structlog.get_logger().warning("rollup.corrected", chunk=turn, count=wrong)


def _epoch(conn: Connection) -> float:
    row = conn.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    assert row is not None
    return float(row[0])
