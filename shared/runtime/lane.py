"""One interface at one stage in this process: its handler, its threads, what it holds.

The work loop claims and settles; a lane's threads only handle and report.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from shared.connectors.contract import RemoteError
from shared.connectors.exchange import Exchange, listening
from shared.db.connect import GONE
from shared.errors.fingerprint import fingerprint
from shared.errors.problem import Problem
from shared.failpoint import Planted
from shared.records.claim import Claim
from shared.records.interfaces import Interface
from shared.runtime.judge import from_remote_error
from shared.runtime.outcome import Fail, Hold, Outcome, Released
from shared.runtime.ramp import Ramp
from shared.runtime.stage import Held, LeaseTooShort, Opened

FLOOR_SLACK = timedelta(seconds=5)
FULL_SCAN_SECONDS = 10.0
BATCHES_AT_ONCE = 2
MOST_PAUSES = 32
CROWD = 8  # a claim that fills one slot in so many shows that there is more than a trickle


@dataclass(frozen=True, slots=True)
class Report:
    """What a thread said about one claim.

    together: the calls so far for its whole batch, of `among` claims; own: those for it alone.
    """

    lane: Lane
    held: Held
    said: Outcome
    started_at: datetime
    seconds: float
    together: tuple[Exchange, ...] = ()
    own: tuple[Exchange, ...] = ()
    among: int = 1


@dataclass(frozen=True, slots=True)
class Size:
    """slots: claims in hand at once; calls: threads for their calls; look_up: claims whose look-up is one call.

    look_up None: a batch is handled by one thread from beginning to end.
    """

    slots: int
    calls: int = 1
    look_up: int | None = None


class Lane:
    """Slots for one interface. `dispatch` and the bookkeeping belong to the work loop."""

    def __init__(
        self,
        interface: Interface,
        opened: Opened,
        size: Size,
        reports: queue.SimpleQueue[Report],
        ring: Callable[[], None],
        *,
        inline: bool,
        fatal: Callable[[BaseException], None],
        pause: float = 0.0,
    ) -> None:
        """pause: seconds in which changes gather after a claim that did not fill the slots; more of them in a crowd."""
        self.interface = interface
        self.opened = opened
        self.held: dict[int, Held] = {}
        self.hungry = True
        self.failures = 0
        self.ramp = Ramp(size.calls)
        self.floor: datetime | None = None
        self.scanned_at = 0.0
        self.stopping = False
        self._size = size
        self._pause = self._gathers = pause
        self._rests_until = 0.0
        self._overfull = False
        self._reports = reports
        self._ring = ring
        self._fatal = fatal
        self._running: set[Future[None]] = set()
        self._batches = None if inline else ThreadPoolExecutor(BATCHES_AT_ONCE, f"{interface.slug}-batch")
        self._threads = None if inline else ThreadPoolExecutor(size.calls, f"{interface.slug}-call")

    @property
    def free(self) -> int:
        """How many more claims fit.

        None while its batches run: what gathers meanwhile makes one look-up. A second one begins beside the first
        where there is a backlog, so that calls never wait for a look-up; then a whole look-up's worth has to fit.
        """
        self._running = {future for future in self._running if not future.done()}
        if self.rest > 0 or len(self._running) >= BATCHES_AT_ONCE:
            return 0
        if self.ramp.limit is not None:
            return min(self._size.slots, self.ramp.limit) - len(self.held)
        room, look_up = self._size.slots - len(self.held), self._size.look_up
        if look_up is None:
            return room
        return look_up if room >= look_up and (self.hungry or not self._running) else 0

    @property
    def rest(self) -> float:
        """Seconds until it may claim again, while changes gather."""
        return max(0.0, self._rests_until - time.monotonic()) if self._pause else 0.0

    def next_floor(self) -> datetime | None:
        """Where to begin in the index: dead entries before it need not be walked again, but every 10 s all are."""
        if time.monotonic() - self.scanned_at > FULL_SCAN_SECONDS:
            return None
        return self.floor

    def claimed(self, claims: Sequence[Claim], wanted: int, scanned_all: bool) -> None:
        """Note how far the claim got. What a floor hides is found by the next full scan, ten seconds later.

        A full scan brings the floor down to what it found: there may be more of it than there was room for. A batch of
        the intake that was long in committing (a process or a server stood still) is due since it began.
        """
        if scanned_all:
            self.scanned_at = time.monotonic()
        if claims:
            oldest = min(claim.due_at for claim in claims) - FLOOR_SLACK
            self.floor = oldest if scanned_all or self.floor is None else max(self.floor, oldest)
        self.hungry = len(claims) >= wanted
        if self._pause and self.hungry:
            self._overfull = True
        elif self._pause and claims:
            self._gather(crowd=len(claims) * CROWD >= wanted)

    def _gather(self, *, crowd: bool) -> None:
        """Rest after a claim that found all there was: briefly in a trickle, twice as long each time in a crowd.

        A lone change never waits, for the last rest is over; the more come, the fewer calls each of them costs.
        """
        now = time.monotonic()
        # It went on as soon as the last rest was over, or there was more than one claim could take.
        again = self._overfull or now - self._rests_until < self._pause
        self._overfull = False
        self._gathers = min(MOST_PAUSES * self._pause, 2 * self._gathers) if crowd and again else self._pause
        self._rests_until = now + self._gathers

    def dispatch(self, claims: Sequence[Claim], lease_end: float) -> None:
        """Hand claims to the handler, on a thread of the lane or, inline, right here."""
        batch = [Held(claim, lease_end) for claim in claims]
        self.held.update((held.claim.id, held) for held in batch)
        if self._batches is None:
            self._handle(batch)
        else:
            future = self._batches.submit(self._handle, batch)
            self._running.add(future)
            future.add_done_callback(lambda _: self._ring())

    def _handle(self, batch: Sequence[Held]) -> None:
        started, began = datetime.now(UTC), time.monotonic()
        open_ids = {held.claim.id for held in batch}

        def say(held: Held, said: Outcome, own: Sequence[Exchange] = ()) -> None:
            open_ids.discard(held.claim.id)  # by the thread of the batch: whatever `each` hands on is out already
            spent = time.monotonic() - began
            self._reports.put(Report(self, held, said, started, spent, tuple(together), tuple(own), len(batch)))
            self._ring()

        def one(held: Held, handle: Callable[[Held], Outcome]) -> None:
            with listening() as own:
                said = Released() if self.stopping else self._safely(lambda: handle(held), called=True)
            say(held, said, own)

        def each(items: Sequence[Held], handle: Callable[[Held], Outcome]) -> None:
            for held in items:
                open_ids.discard(held.claim.id)
                if self._threads is None:
                    one(held, handle)
                else:
                    self._threads.submit(one, held, handle)

        with listening() as together:
            said = Released() if self.stopping else self._safely(lambda: self._whole(batch, say, each), called=False)
        left = [held for held in batch if held.claim.id in open_ids]
        for held in left:
            if isinstance(said, Fail) and len(batch) > 1:
                # One of them is to blame: each alone, so that its neighbours do not fail with it.
                self._handle([held])
            else:
                say(held, said)

    def _whole(self, batch: Sequence[Held], say: Callable[[Held, Outcome], None], each: object) -> Outcome:
        self.opened.handle(batch, say, each)  # type: ignore[arg-type]
        return Fail((Problem("unclassified", values={"fingerprint": "not-reported", "what": "no outcome"}),))

    def _safely(self, handle: Callable[[], Outcome], *, called: bool) -> Outcome:
        """Whatever a handler raises is an outcome. A planted failure ends the process, as a crash would.

        called: a call that is not idempotent may have been sent before it raised.
        """
        try:
            return handle()
        except RemoteError as error:
            return from_remote_error(error, self.opened.system, called=False)
        except LeaseTooShort:
            return Hold(Problem("lease-too-short"), 0.0)
        except Planted as error:
            self._fatal(error)
            raise
        except GONE:
            return Hold(Problem("database-away"), max(1.0, self.opened.lag), called=called)
        except Exception as error:
            mark = fingerprint(error)
            structlog.get_logger().error("record.unclassified", error=error, fingerprint=mark, exc_info=True)
            return Fail(
                (Problem("unclassified", values={"fingerprint": mark, "what": type(error).__name__}),), called=called
            )

    def stop(self) -> None:
        """Begin nothing more: what has not begun is reported as released."""
        self.stopping = True

    def close(self) -> None:
        """Close after the last report."""
        for executor in (self._batches, self._threads):
            if executor is not None:
                executor.shutdown(wait=False, cancel_futures=True)
        self.opened.close()
