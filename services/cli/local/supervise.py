"""Looks after servers and services until it is told to stop.

Enters: wards in groups, in the order they start. Leaves: nothing running. A ward that ends is started again, after
0.2 s at first and up to 10 s; SIGINT, SIGTERM and SIGHUP stop all in the reverse order, a second one kills. What is
left when this process is killed itself, the kernel ends (child.py). Called by `connect up`.
"""

import errno
import os
import queue
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from services.cli.local.ward import Service, Ward

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
STEADY_SECONDS = 60.0  # who ran this long is not failing over and over
READY_LOOK_SECONDS = 0.1
PORTS_TRIED = 3


class StopAsked(BaseException):
    """Somebody asked to stop while things were starting. Not an Exception: nothing may take it for a failure."""


class DidNotStart(RuntimeError):
    """A ward does not come up; the message says which, why, and where its log is."""


class Supervisor:
    """Starts, watches and stops. Everything but `exited` is called from the main thread."""

    def __init__(self, say: Callable[[str], None], changed: Callable[[str], None]) -> None:
        """`say` takes a line for a person; `changed` is told the name of a ward that serves again."""
        self._say = say
        self._changed = changed
        self._groups: list[dict[str, Ward]] = []
        self._events: queue.SimpleQueue[str] = queue.SimpleQueue()  # its put may be called in a signal handler
        self._asked = 0
        self._starting = True
        self._protected = False
        self._failures: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._unready: set[str] = set()
        self._untold: set[str] = set()
        self._began: dict[str, float] = {}

    def exited(self, name: str) -> Callable[[int], None]:
        """The callback to give a ward for its end, whatever thread that comes from."""
        return lambda _code: self._events.put(name)

    def take_signals(self) -> None:
        """From now on signals stop in order instead of killing."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    @contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """A short part of the start that is not torn in the middle: a request to stop is heard at its end."""
        self._protected = True
        try:
            yield
        finally:
            self._protected = False
        if self._asked and self._starting:
            self._starting = False
            raise StopAsked

    def pids(self) -> dict[str, int]:
        """The process ids of all that run, by name."""
        return {name: ward.pid for group in self._groups for name, ward in group.items() if ward.pid is not None}

    def start(self, wards: dict[str, Ward]) -> None:
        """Start a group, and look after it from now on."""
        self._groups.append(wards)
        for name, ward in wards.items():
            self._began[name] = time.monotonic()
            ward.start()

    def await_ready(self, services: Sequence[Service], timeout: float = 180.0) -> None:
        """Wait until all serve. Raises DidNotStart when one ends meanwhile or takes too long (a machine may be busy).

        One whose port somebody else took between the look and its start is started again, on another port.
        """
        deadline, again = time.monotonic() + timeout, Counter[str]()
        for service in services:
            # Alive first: on a port that another one took, that other one answers.
            while not (service.alive() and service.ready()):
                if not service.alive():
                    if again[service.name] >= PORTS_TRIED or os.strerror(errno.EADDRINUSE) not in service.last_lines():
                        raise DidNotStart(_why(service, "ended right away"))
                    again[service.name] += 1
                    service.start()
                if time.monotonic() > deadline:
                    raise DidNotStart(_why(service, f"is not ready after {timeout:.0f} seconds"))
                time.sleep(READY_LOOK_SECONDS / 2)

    def watch(self) -> None:
        """Start again what ends, until a signal asks to stop."""
        self._starting = False
        while not self._asked:
            try:
                name = self._events.get(timeout=self._until_next())
            except queue.Empty:
                name = ""
            if name:
                self._plan(name)
            if not self._asked:
                self._start_what_is_due()
                self._note_who_is_ready()

    def stop(self) -> None:
        """End all, last group first; those of one group at the same time."""
        self._starting = False
        for group in reversed(self._groups):
            threads = [threading.Thread(target=ward.stop, daemon=True) for ward in group.values() if ward.alive()]
            for thread in threads:
                thread.start()
            began = time.monotonic()
            told = False
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.2)  # short, so that a second signal is heard
                    if not told and time.monotonic() - began > 2:
                        told = True
                        self._say("Waiting for calls under way to finish. Ctrl-C again ends at once; nothing is lost.")

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._asked += 1
        if self._asked > 1:
            self._kill_all()
        self._events.put("")
        if self._starting and not self._protected:
            self._starting = False
            raise StopAsked

    def _kill_all(self) -> None:
        for pid in self.pids().values():
            try:
                os.killpg(pid, signal.SIGKILL)  # each leads a group of its own
            except ProcessLookupError:
                continue
        os._exit(130)

    def _ward(self, name: str) -> Ward:
        return next(group[name] for group in self._groups if name in group)

    def _plan(self, name: str) -> None:
        if self._ward(name).alive():
            return  # an old notice: it has been started again since
        if time.monotonic() - self._began.get(name, 0.0) > STEADY_SECONDS:
            self._failures[name] = 0
        self._unready.discard(name)
        self._plan_again(name, "ended")

    def _plan_again(self, name: str, what: str) -> None:
        failures = self._failures.get(name, 0)
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**failures)
        self._failures[name] = failures + 1
        self._due[name] = time.monotonic() + pause
        self._say(f"{name} {what}, starting it again in {pause:.1f} s")

    def _start_what_is_due(self) -> None:
        for name in [name for name, moment in self._due.items() if moment <= time.monotonic()]:
            del self._due[name]
            self._began[name] = time.monotonic()
            try:
                self._ward(name).start()
            except (RuntimeError, OSError) as error:
                self._plan_again(name, f"did not start ({error})")
            else:
                self._unready.add(name)

    def _note_who_is_ready(self) -> None:
        for name in sorted(self._unready):
            ward = self._ward(name)
            if isinstance(ward, Service) and not ward.ready():
                continue
            try:
                self._changed(name)
            except Exception as error:  # whatever it is, looking after the others goes on
                if name not in self._untold:
                    self._say(f"{name} is back, but the others could not be told yet: {error}")
                    self._untold.add(name)
                continue
            self._untold.discard(name)
            self._unready.discard(name)
            self._say(f"{name} is back")

    def _until_next(self) -> float:
        """Seconds until there is something to do: a start that is due, or a look whether somebody is ready."""
        moments = [moment - time.monotonic() for moment in self._due.values()]
        if self._unready:
            moments.append(READY_LOOK_SECONDS * (10 if self._untold else 1))
        return max(0.0, min([*moments, 3600.0]))


def _why(service: Service, what: str) -> str:
    return f"{service.name} {what}. Its log is {service.log}:\n{service.last_lines()}"
