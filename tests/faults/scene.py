"""One case while it runs: its events, its processes, its clock. A nemesis acts on it, and it says what was seen."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psycopg

from shared.db.connect import connect
from shared.records.hashes import body_hash, event_hash
from tests.faults.case import EVENTS, Case
from tests.faults.draw import Drawn, canary, draw
from tests.faults.driver import Driver
from tests.faults.evidence import Ended, Evidence, gather, mark
from tests.faults.ground import Ground
from tests.support.nursery import Process
from tests.support.system import System
from tests.support.waiting import until

LEASE, CALL, LAG = 2.0, 2.0, 5.0
HOLD = LEASE + CALL + LAG
"""After so many seconds another worker takes over what a dead one held."""

EVENTS_A_ROUND = 1200
"""A larger case strikes more often: once more for every so many events."""

EVENTS_A_SECOND = 60
QUIET_SECONDS = 75.0
KILLED = -signal.SIGKILL
STALLED = 70


@dataclass
class Scene:
    """module: what runs in place of the importer (a planted bug); size: of events; patience: seconds to get quiet."""

    ground: Ground
    case: Case
    module: Sequence[str] = ()
    size: int = EVENTS
    patience: float = QUIET_SECONDS
    window: int = 0
    placed: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    recoveries: dict[str, list[float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _wanted: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _ended: list[Ended] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = self.case.chance()
        self.rounds = max(1, self.size // EVENTS_A_ROUND)
        self.tag = self.case.tag
        self.system: System = self.ground.system(self.case.place, self.size)
        self.since = mark(self.system)
        self.events = draw(self.tag, self.chance, self.size)
        self._taken = 0
        self._slices = 0
        self._first: dict[tuple[str, str], int] = {}  # of each event, in which slice it comes for the first time
        self.driver = Driver(self.system.broker_url)
        self._numbers = itertools.count(1)

    # -- events ------------------------------------------------------------------------------------------------------

    def take(self, share: float) -> list[Drawn]:
        """The next so many of a hundred of the case's events."""
        count = round(self.size * share / 100)
        events = self.events[self._taken : self._taken + count]
        self._taken += len(events)
        self._slices += 1
        for event in events:
            self._first.setdefault((event.source, event.id), self._slices)
        return events

    def rest(self) -> list[Drawn]:
        """All that are left."""
        return self.take(100)

    def stored(self, events: Iterable[Drawn]) -> int:
        """How many of these have a fate by now; 0 while the database is away."""
        try:
            with connect(self.system.database_url, "faults-look") as conn:
                hashes = list({event_hash(e.source, e.id) for e in events if e.kind != "poison"})
                bodies = list({body_hash(e.body) for e in events if e.kind == "poison"})
                row = conn.execute(
                    "SELECT (SELECT count(*) FROM events WHERE hash = ANY(%s::uuid[]))"
                    " + (SELECT count(DISTINCT body_hash) FROM rejections WHERE body_hash = ANY(%s::uuid[]))",
                    (hashes, bodies),
                ).fetchone()
        except psycopg.OperationalError:
            return 0
        return int(row[0]) if row else 0

    def all_stored(self, events: Sequence[Drawn]) -> bool:
        """Whether each of these has a fate by now."""
        return self.stored(events) >= len({_name(event) for event in events})

    def flows(
        self, name: str, since: float, events: Sequence[Drawn], *, through: str = "", seconds: float = 60.0
    ) -> None:
        """Wait until the first of these events is stored, and note how long that was after `since`.

        Events that were published earlier, too, say nothing. through: the process that should store them; it may die
        of its own fault before it does.
        """
        newest = max(self._first.get((event.source, event.id), 0) for event in events)
        fresh = [event for event in events if self._first.get((event.source, event.id)) == newest]
        process = self.process(through) if through else None

        def flow() -> bool:
            return self.stored(fresh) > 0 or (process is not None and process.poll() is not None)

        self.see(flow, f"events flow again after {name}", seconds)
        if process is None or process.poll() is None:
            self.recovered(name, time.monotonic() - since)

    def see(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait for what ought to happen; where it does not, that is noted, and the checker sees what came of it."""
        try:
            until(condition, what, seconds)
        except AssertionError as error:
            self.notes.append(str(error))

    def recovered(self, name: str, seconds: float) -> None:
        """Note a recovery time."""
        self.recoveries.setdefault(name, []).append(round(seconds, 2))

    def fault(self, name: str, times: int = 1) -> None:
        """Note that a fault was injected."""
        self.faults += [name] * times

    # -- processes ---------------------------------------------------------------------------------------------------

    def start(self, fault: str = "", wanted: tuple[int, ...] = (0,), service: str = "importer", **settings: str) -> str:
        """Start an importer, or another service; returns its name. wanted: the exit codes that are no surprise."""
        name = f"{self.tag}-p{next(self._numbers)}"
        self._wanted[name] = wanted
        settings = {"lease_seconds": f"{LEASE:g}", "call_seconds": f"{CALL:g}", "fault": fault, **settings}
        self.system.start(name, service, module=self.module, **settings)
        return name

    def process(self, name: str) -> Process:
        """A running process."""
        return self.system.processes[name]

    def until_dead(self, name: str, seconds: float = 45.0) -> float:
        """Wait until it died by its fault; returns when (monotonic)."""
        process = self.process(name)
        until(lambda: process.poll() is not None, f"{name} dies of its fault", seconds)
        self._bury(name)
        return time.monotonic()

    def until_stopped(self, name: str, seconds: float = 45.0) -> float:
        """Wait until it stands still by its fault; returns when (monotonic)."""
        pid = self.process(name).pid
        until(lambda: stopped(pid), f"{name} stops at its fault", seconds)
        return time.monotonic()

    def struck(self, name: str) -> bool:
        """Whether its fault has ended it, or made it stand still."""
        process = self.process(name)
        return process.poll() is not None or stopped(process.pid)

    def until_started(self, name: str) -> None:
        """Wait until it consumes."""
        until(lambda: self.says(name, "intake.consuming"), f"{name} consumes", 90)

    def says(self, name: str, event: str) -> int:
        """How often its log has this event."""
        return self.system.log_text(name).count(f'"{event}"')

    def end(self, name: str) -> None:
        """Stop it as an operator would, and wait."""
        files, metrics = _files(self.process(name).pid), self._metrics(name)
        self.process(name).send_signal(signal.SIGTERM)
        try:
            self.process(name).wait(60)
        except subprocess.TimeoutExpired:
            self.process(name).kill()
            self.process(name).wait(10)
        self._bury(name, files, metrics)

    def _bury(self, name: str, files: int = 0, metrics: str = "") -> None:
        process = self.system.processes.pop(name)
        said = [*self.system.log_text(name).splitlines(), *metrics.splitlines()]
        leaks = sum(canary(self.tag) in line for line in said)
        self._ended.append(Ended(name, process.poll(), self._wanted[name], tuple(self._complaints(name)), files, leaks))

    def _metrics(self, name: str) -> str:
        """What it shows to Prometheus, "" where it does not answer."""
        ports = [line["port"] for line in self.system.log(name) if line.get("event") == "service.started"]
        if not ports:
            return ""
        try:
            return httpx2.get(f"http://127.0.0.1:{ports[-1]}/metrics", timeout=5, trust_env=False).text
        except httpx2.HTTPError:
            return ""

    def _complaints(self, name: str) -> Iterable[str]:
        """Errors in the log that no fault explains, and whatever is no line of the log at all."""
        allowed = {"service.crashed"} if 1 in self._wanted[name] else set()
        stalled = STALLED in self._wanted[name]
        allowed |= {"service.stalled"} if stalled else set()
        for line in self.system.log_text(name).splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                if not stalled:  # else it wrote down what its threads were doing
                    yield line[:200]
                continue
            if entry.get("level") in ("error", "critical") and entry.get("event") not in allowed:
                yield f"{entry.get('event')} {entry.get('error', '')}"[:200]

    # -- the end -----------------------------------------------------------------------------------------------------

    def retry_waiting(self) -> None:
        """What an operator may do: everything that waits is due now."""
        self.system.change(
            "UPDATE records SET due_at = now() WHERE id IN"
            " (SELECT id FROM records WHERE state = 'waiting' ORDER BY id FOR UPDATE SKIP LOCKED)"
        )

    def idle(self) -> bool:
        """Whether no order is due or held."""
        return self.system.query("SELECT count(*) FROM records WHERE due_at IS NOT NULL") == [(0,)]

    def quiesce(self, each: Callable[[], None] = lambda: None) -> None:
        """Wait until every confirmed event has a fate and nothing is on its way; what never ends is for the checker."""
        confirmed = [sent.event for sent in self.driver.ledger.values() if sent.confirmed]

        def quiet() -> bool:
            each()
            if not self.all_stored(confirmed):
                return False
            rows = self.system.query(
                "SELECT (SELECT count(*) FROM records WHERE due_at IS NOT NULL),"
                " (SELECT count(*) FROM receipt_numbers WHERE result = 'queued'),"
                " (SELECT count(*) FROM records WHERE flow = 'order-import' AND key = ANY(%s))",
                self.placed,
            )
            return rows[0][:2] == (0, 0) and rows[0][2] == len(self.placed)

        begun = time.monotonic()
        self.see(quiet, "all is quiet", self.patience + self.size / EVENTS_A_SECOND)
        self.see(lambda: not any(self.ground.depths(self.system).values()), "the queues are empty", 5)
        self.recovered("quiet", time.monotonic() - begun)

    def close(self) -> Evidence:
        """Stop what still runs, and gather what is there."""
        for name in list(self.system.processes):
            self.end(name)
        depths: dict[str, int] = {}

        def settled() -> bool:  # what a consumer held comes back when it closes
            depths.update(self.ground.depths(self.system))
            return not any(depths.values())

        self.see(settled, "nothing is left in the queues", 3)
        return gather(self.system, self.since, self.tag, depths, self._ended)


def stopped(pid: int) -> bool:
    """Whether the process is in state T."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def _name(event: Drawn) -> object:
    """What tells it from others: poison has no id that can be relied on."""
    return body_hash(event.body) if event.kind == "poison" else (event.source, event.id)


def _files(pid: int) -> int:
    """How many files and connections a process has open; 0 when it is gone."""
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except FileNotFoundError:
        return 0
