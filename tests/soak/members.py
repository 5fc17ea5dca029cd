"""The processes of a soak. Of each service one lives through it all, another one is killed and frozen beside it."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.faults.evidence import Ended
from tests.faults.scene import CALL, LEASE
from tests.support.system import System

SERVICES = ("importer", "exporter", "stock", "alerts", "journal")
VICTIM = "-2"
STALLED = 70
ALLOWED = ("service.stalled",)
"""Told by the exit code as well, which says whether it was to be expected."""


class Members:
    """Starts them, starts them again after a kill, and notes how each one ended. port: of the lasting Journal."""

    def __init__(self, system: System, port: int, **settings: str) -> None:
        self.system, self.settings, self.port = system, settings, port
        self.ended: list[Ended] = []
        self._lock = threading.Lock()
        for service in SERVICES:
            self._start(service, service)
            self._start(service, service + VICTIM)

    @property
    def lasting(self) -> dict[str, int]:
        """The process ids of those that nobody kills."""
        return {name: self.system.processes[name].pid for name in SERVICES}

    def started(self) -> bool:
        """Whether each of them runs."""
        return all("service.started" in self.system.log_text(name) for name in self.system.processes)

    def kill(self, service: str, number: int, pause: float) -> None:
        """End the victim by a signal; a supervisor starts it again after a pause."""
        name = service + VICTIM
        process = self.system.processes[name]
        process.send_signal(number)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        self._bury(name, (0,) if number == signal.SIGTERM else (-number,))
        time.sleep(pause)
        self._start(service, name)

    def freeze(self, service: str, seconds: float) -> float:
        """The victim stands still for a while, longer than its leases hold or not; returns when it was woken."""
        process = self.system.processes[service + VICTIM]
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        woke = time.time()
        process.send_signal(signal.SIGCONT)
        return woke

    def revive(self, wanted: tuple[int, ...]) -> list[str]:
        """Start again who ended without being told to, as a supervisor does; returns their names.

        wanted: the exit codes that are no surprise now.
        """
        dead = self.dead()
        for name in dead:
            self._bury(name, wanted)
            self._start(name.removesuffix(VICTIM), name)
        return dead

    def dead(self) -> list[str]:
        """Who ended without being told to."""
        return [name for name, process in self.system.processes.items() if process.poll() is not None]

    def end(self) -> None:
        """Stop all of them as an operator would."""
        for name, process in list(self.system.processes.items()):
            files = _files(process.pid)
            code = process.poll()
            if code is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(10)
            self._bury(name, (0,), files)

    def _start(self, service: str, name: str) -> None:
        port = str(self.port) if name == "journal" else "0"
        short = {"lease_seconds": f"{LEASE:g}", "call_seconds": f"{CALL:g}"}
        self.system.start(name, service, **short, port=port, **self.settings)

    def _bury(self, name: str, wanted: tuple[int, ...], files: int = 0) -> None:
        process = self.system.processes.pop(name)
        said = tuple(dict.fromkeys(self._complaints(name)))
        with self._lock:
            self.ended.append(Ended(name, process.poll(), wanted, said, files))

    def _complaints(self, name: str) -> Iterator[str]:
        """Errors in the log, and what is no line of it."""
        for line in self.system.log_text(name).splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                if "service.stalled" not in self.system.log_text(name):  # else it says what its threads were doing
                    yield line[:200]
                continue
            if (
                isinstance(entry, dict)
                and entry.get("level") in ("error", "critical")
                and entry["event"] not in ALLOWED
            ):
                yield f"{entry.get('event')} {entry.get('error', '')}"[:200]


def memory(pid: int) -> int:
    """Bytes that only this process has (its unique set); what it shares with others says nothing about a leak."""
    return int(psutil.Process(pid).memory_full_info().uss)


def _files(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except FileNotFoundError:
        return 0


files = _files
