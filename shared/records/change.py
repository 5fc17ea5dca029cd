"""Decides what an event means for a record that is there already. Pure: the newest wins, duplicates change nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from shared.records.states import State


class Outcome(StrEnum):
    """What became of an input; the words of the books."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"
    NO_TARGET = "no-target"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Standing:
    """The order of changes of what is staged, or of what comes: `changed_at`, then `version` (-1: none)."""

    changed_at: datetime
    version: int
    data_hash: UUID


@dataclass(frozen=True, slots=True)
class Decision:
    """outcome of the input; state is the record's next one, None where it stays as it is.

    confirms: the same data as of a later time. The staged copy counts as that new now, or an older change might win.
    """

    outcome: Outcome
    state: State | None = None
    confirms: bool = False


def decide(staged: Standing, state: State, new: Standing) -> Decision:
    """What a new event does to a staged record.

    Receipt breaks a tie: what comes later with the same `changed_at` and `version` is newer. While a worker holds the
    record only the wanted copy is replaced; its settle notices and goes back to pending.
    """
    older = (new.changed_at, new.version) < (staged.changed_at, staged.version)
    if new.data_hash == staged.data_hash:
        return Decision(Outcome.DUPLICATE, confirms=not older)
    if older:
        return Decision(Outcome.SUPERSEDED)
    return Decision(Outcome.APPLIED, None if state is State.RUNNING else State.PENDING)
