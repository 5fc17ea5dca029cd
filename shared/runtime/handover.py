"""Hands records from intake straight to the work loop of the same process, claimed as they are stored.

    work loop ── offer: room in my lanes ──▶ handover ◀── promise: I take so much ── intake
    work loop ◀── collect: claims, dispatched ── handover ◀── keep: committed, here they are ── intake

A claim that is born with its record saves the wake-up, the claim's statement and an update of the row. It is a claim
like any other: running, under a lease, with a fence. Nothing is handed over while older records of the lane wait.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.records.claim import Claim


@dataclass(frozen=True, slots=True)
class Room:
    """How many more records a lane can hold. hold: seconds until another worker may claim them, see `Timing.hold`."""

    slots: int
    hold: float


@dataclass(frozen=True, slots=True)
class Promise:
    """Which of a batch intake may hand over: seconds of hold each, None for the others. Leases begin at asked_at."""

    seconds: Sequence[float | None]
    taken: Mapping[str, int]
    asked_at: float  # monotonic


class Handover:
    """Between one intake and one work loop of a stage. Thread-safe; `offer` and `collect` belong to the work loop."""

    def __init__(self, stage: str, ring: Callable[[], None], *, intends: bool) -> None:
        """ring: wakes the work loop; intends: the stage's call is not idempotent, so a claim is its intent."""
        self.stage = stage
        self.intends = intends
        self._ring = ring
        self._lock = threading.Lock()
        self._rooms: dict[str, Room] = {}
        self._coming: Counter[str] = Counter()
        self._given: list[tuple[list[Claim], float]] = []
        self._closed = False

    # -- the work loop's -----------------------------------------------------------------------------------------------

    def offer(self, rooms: Mapping[str, Room]) -> None:
        """Say how much room there is now, by interface; what is on its way is taken off. Replaces earlier offers."""
        with self._lock:
            if not self._closed:
                self._rooms = {n: Room(room.slots - self._coming[n], room.hold) for n, room in rooms.items()}

    def withdraw(self, interface: str) -> int:
        """Offer nothing more for it; returns how many are on their way."""
        with self._lock:
            self._rooms.pop(interface, None)
            return self._coming[interface]

    def collect(self) -> list[tuple[list[Claim], float]]:
        """Batches of claims that were handed over, each with the moment its lease began."""
        if not self._given:  # nearly always; a list is read whole or not at all
            return []
        with self._lock:
            given, self._given = self._given, []
            for claims, _ in given:
                self._coming.subtract(claim.interface for claim in claims)
            return given

    def pause(self) -> bool:
        """Promise nothing until the next offer; whether nothing is on its way."""
        with self._lock:
            self._rooms = {}
            return not any(self._coming.values())

    def close(self) -> bool:
        """Promise nothing any more; whether nothing is on its way."""
        self._closed = True
        return self.pause()

    # -- intake's ------------------------------------------------------------------------------------------------------

    def promise(self, wanted: Sequence[str | None]) -> Promise:
        """Take of the room for a batch that is about to be stored; `keep` must follow.

        wanted: each record's interface, None for one that is not to be worked on at once.
        """
        seconds: list[float | None] = []
        taken: Counter[str] = Counter()
        asked_at = time.monotonic()
        with self._lock:
            for name in wanted:
                room = self._rooms.get(name) if name is not None else None
                if name is None or room is None or room.slots <= taken[name]:
                    seconds.append(None)
                else:
                    seconds.append(room.hold)
                    taken[name] += 1
            self._move(taken, 1)
        return Promise(seconds, taken, asked_at)

    def keep(self, promise: Promise, claims: Sequence[Claim]) -> None:
        """After the commit: hand the claims over. Room that was not used, all of it after a failure, is given back."""
        unused = Counter(promise.taken)
        unused.subtract(claim.interface for claim in claims)
        with self._lock:
            self._move(unused, -1)
            if claims:
                self._given.append((list(claims), promise.asked_at))
        if claims:
            self._ring()

    def _move(self, counts: Mapping[str, int], sign: int) -> None:
        """From room to what is on its way, or back."""
        for name, count in counts.items():
            self._coming[name] += sign * count
            if name in self._rooms:
                self._rooms[name] = Room(self._rooms[name].slots - sign * count, self._rooms[name].hold)
