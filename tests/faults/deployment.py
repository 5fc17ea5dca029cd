"""Several processes of each service, replaced one after the other as a deployment does it.

SIGTERM to the old one, its successor is started beside it ─▶ the old one has ended ─▶ the successor is ready
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx2

from services.cli.local.ports import any_free
from shared.runtime.lifecycle import GRACE_SECONDS
from tests.support.system import System
from tests.support.waiting import until

CONSUMERS = ("importer", "exporter", "stock")
START_SECONDS = 120.0
LATE_SECONDS = 20.0
"""Beyond what a service allows itself: then it is killed, as a supervisor would."""


@dataclass(frozen=True, slots=True)
class Drained:
    """How one process ended. held: how many records the whole system had in hand then; late: loops that did not end."""

    name: str
    seconds: float
    code: int | None
    held: int
    late: tuple[str, ...]


class Deployment:
    """counts: processes of each service; settings: of each service, see `System.start`.

    journals: where those that take requests do so, by place. A place such as `importer-2` has one process after the
    other: `importer-2.1`, `importer-2.2` …
    """

    def __init__(self, system: System, counts: Mapping[str, int], settings: Mapping[str, Mapping[str, str]]) -> None:
        self._system, self._settings = system, settings
        self.places = [f"{service}-{n}" for n in range(1, 1 + max(counts.values()))
                       for service, count in counts.items() if n <= count]  # fmt: skip
        self.names: dict[str, list[str]] = {place: [] for place in self.places}
        self.journals: dict[str, str] = {}
        self.drained: list[Drained] = []
        self.connections = 0  # to the database, the most that were seen

    def start(self) -> None:
        """All of it, until all are ready."""
        ports = {place: self._start(place) for place in self.places}
        for place in self.places:
            self._until_ready(place, ports[place])

    def replace(self, place: str) -> None:
        """End the process of a place while its successor begins."""
        old = self.names[place][-1]
        held = self._held()
        begun = time.monotonic()
        self._system.processes[old].send_signal(signal.SIGTERM)
        port = self._start(place)
        self._held()
        self._await_end(old, begun, held)
        self._until_ready(place, port)

    def stop(self) -> None:
        """End what runs, all at once."""
        held, begun = self._held(), time.monotonic()
        names = [self.names[place][-1] for place in self.places]
        for name in names:
            self._system.processes[name].send_signal(signal.SIGTERM)
        for name in names:
            self._await_end(name, begun, held)

    def undrained(self) -> Iterator[str]:
        """A sentence for each process that did not end in order, or took longer than it says of itself."""
        for one in self.drained:
            if one.code != 0:
                yield f"{one.name} ended with {one.code}"
            if one.late or one.seconds > GRACE_SECONDS:
                yield f"{one.name} took {one.seconds:.1f} s to end, late were {one.late}"

    def complaints(self) -> Iterator[str]:
        """Errors in the logs, and whatever is no line of a log."""
        for name in self._names():
            for line in self._system.log_text(name).splitlines():
                try:
                    entry = json.loads(line)
                except ValueError:
                    yield f"{name} wrote: {line[:200]}"
                    continue
                if entry.get("level") in ("error", "critical"):
                    yield f"{name} said: {entry.get('event')} {entry.get('error', '')}"[:300]

    def says(self, event: str) -> list[str]:
        """The processes in whose log this event is."""
        return [name for name in self._names() if f'"{event}"' in self._system.log_text(name)]

    def idle(self) -> list[str]:
        """The processes with work of their own that settled nothing."""
        worked = self.says("work.settled")
        return [name for name in self._names() if name.startswith(CONSUMERS) and name not in worked]

    def _names(self) -> list[str]:
        return [name for names in self.names.values() for name in names]

    def _start(self, place: str) -> int:
        """The next process of a place; answers the Journal's port, 0 of others."""
        service = place.partition("-")[0]
        name = f"{place}.{len(self.names[place]) + 1}"
        port = any_free() if service == "journal" else 0
        self._system.start(name, service, **{"port": str(port), **self._settings.get(service, {})})
        self.names[place].append(name)
        return port

    def _until_ready(self, place: str, port: int) -> None:
        name = self.names[place][-1]
        until(lambda: self._ready(name), f"{name} is ready", START_SECONDS)
        if port:
            self.journals[place] = f"http://127.0.0.1:{port}"

    def _ready(self, name: str) -> bool:
        assert self._system.processes[name].poll() is None, self._system.log_text(name)[-2000:]
        started = [line for line in self._system.log(name) if line.get("event") == "service.started"]
        if not started or (name.startswith(CONSUMERS) and '"intake.consuming"' not in self._system.log_text(name)):
            return False
        try:
            return httpx2.get(f"http://127.0.0.1:{started[0]['port']}/readyz", trust_env=False).status_code == 200
        except httpx2.HTTPError:
            return False

    def _await_end(self, name: str, begun: float, held: int) -> None:
        process = self._system.processes.pop(name)
        code: int | None
        try:
            code = process.wait(GRACE_SECONDS + LATE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            code = None
        seconds = time.monotonic() - begun
        said = [line for line in self._system.log(name) if line.get("event") == "service.stopped"]
        late = tuple(said[-1].get("names") or ()) if said else ("it never said so",)
        self.drained.append(Drained(name, seconds, code, held, late))

    def _held(self) -> int:
        """How many records are in hand; counts connections, too."""
        ((held, connections),) = self._system.query(
            "SELECT (SELECT count(*) FROM records WHERE state = 'running'),"
            " (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database())"
        )
        self.connections = max(self.connections, connections)
        return int(held)
