"""A work loop on a thread, with a stage that does what the test says and notes what ran."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from shared.db.connect import Connection, connect
from shared.metrics import Metrics
from shared.records.interfaces import Interface, read
from shared.records.states import State
from shared.runtime.bell import Bell
from shared.runtime.handover import Handover
from shared.runtime.outcome import Done, Outcome
from shared.runtime.stage import Each, Held, Say
from shared.runtime.timing import Timing
from shared.runtime.work import Wiring, Work
from shared.seal import Seal
from tests.support.spine import (
    nothing,
    states,
)
from tests.support.waiting import until

Handle = Callable[[Held], Outcome]


def done(_: Held) -> Outcome:
    return Done("7")


class Opened:
    """A handler that does what the test says, and notes what it was opened with."""

    lag = 0.0
    system = "Xentral"

    def __init__(self, stage: TestStage, interface: Interface) -> None:
        self._stage, self.interface = stage, interface

    def handle(self, batch: Sequence[Held], say: Say, each: Each) -> None:
        for held in batch:
            self._stage.prepare(held)
        each(batch, self._one)

    def _one(self, held: Held) -> Outcome:
        self._stage.note(held, self.interface.revision, 1)
        try:
            return self._stage.one(held)
        finally:
            self._stage.note(held, self.interface.revision, -1)

    def probe(self, keys: Sequence[str]) -> set[str]:
        return set()

    def ping(self) -> None: ...

    def close(self) -> None: ...


class TestStage:
    """A stage whose handling is a function; knows what ran, with which revision, and what ran beside it."""

    __test__ = False
    name, flow, side = "erp", "order-import", "erp"
    intends, inline = True, False
    probes: tuple[str, ...] = ()
    tells: str | None = None
    slots: int | None = None
    pause = 0.0

    def __init__(self, one: Handle = done, prepare: Callable[[Held], None] = nothing) -> None:
        self.one, self.prepare = one, prepare
        self.handled: list[tuple[str, int]] = []
        self.running: set[str] = set()
        self.beside: dict[str, set[str]] = {}
        self.most = 0
        self._lock = threading.Lock()

    def open(self, interface: Interface) -> Opened:
        if interface.title == "wrong":
            raise ValueError("settings do not fit")
        return Opened(self, interface)

    def note(self, held: Held, revision: int, step: int) -> None:
        with self._lock:
            key = held.claim.key
            if step > 0:
                self.handled.append((key, revision))
                for other in self.running:
                    self.beside.setdefault(other, set()).add(key)
                self.beside.setdefault(key, set()).update(self.running)
                self.running.add(key)
            else:
                self.running.discard(key)
            self.most = max(self.most, len(self.running))

    def keys(self) -> list[str]:
        return [key for key, _ in self.handled]


class Gate:
    """Holds handlers of some keys until the test lets them go."""

    def __init__(self, *keys: str) -> None:
        self._keys, self._open = set(keys), threading.Event()
        self.waiting: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __call__(self, held: Held) -> Outcome:
        if held.claim.key in self._keys or not self._keys:
            self.waiting.put(held.claim.key)
            assert self._open.wait(20)
        return Done("7")

    def open(self) -> None:
        self._open.set()


class Working:
    """A work loop on a thread."""

    def __init__(
        self, url: str, stage: TestStage, timing: Timing, bell: Bell | None = None, handover: Handover | None = None
    ) -> None:
        self.bell, self.stop, self.died = bell or Bell(), threading.Event(), list[BaseException]()
        seal = Seal("a-secret-key-of-the-tests")
        wiring = Wiring(
            connect=lambda: connect(url, "work"),
            read=lambda conn, slug: read(conn, seal, slug),
            failpoint=nothing,
            beat=nothing,
            fatal=self.died.append,
            stopping=self.stop.is_set,
            timing=timing,
        )
        self.metrics = Metrics("tests", "0")
        self._work = Work(stage, self.bell, self.metrics, wiring, handover)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work.run()
        except BaseException as error:
            self.died.append(error)

    def next_poll(self) -> float:
        return self._work._poll_at

    def lanes(self) -> list[str]:
        """The interfaces it has lanes for."""
        return [lane.interface.slug for lane in self._work._lanes]

    def stopping(self) -> bool:
        return all(lane.stopping for lane in self._work._lanes)

    def until_offered(self, handover: Handover, name: str) -> None:
        """Wait until the lane says it has room."""

        def offered() -> bool:
            promise = handover.promise([name])
            handover.keep(promise, [])
            return promise.seconds != [None]

        until(offered, f"{name} takes records over", 10)

    def end(self) -> None:
        self.stop.set()
        self.bell.ring()
        self._thread.join(20)
        assert not self._thread.is_alive()
        assert not self.died, self.died


@contextmanager
def working(
    url: str,
    stage: TestStage,
    timing: Timing | None = None,
    bell: Bell | None = None,
    handover: Handover | None = None,
) -> Iterator[Working]:
    found = Working(url, stage, timing or Timing(), bell, handover)
    try:
        yield found
    finally:
        found.end()


def until_states(conn: Connection, *wanted: State | str, seconds: float = 10.0) -> None:
    until(lambda: set(states(conn).values()) <= {str(one) for one in wanted}, f"all are {wanted}", seconds)
