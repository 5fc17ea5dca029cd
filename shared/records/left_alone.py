"""Why a person's wish leaves a record alone: one list of reasons for previews, runs, pages, API and command line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from functools import cache

from shared.errors.catalogue import catalogue

IGNORED = "ignored"
"""The code of a record that a person ignores."""


class Left(StrEnum):
    """What stands against it."""

    UNKNOWN = "unknown"
    NOTHING = "nothing-to-send"
    ON_ITS_WAY = "on-its-way"
    NEWER = "newer-version"  # another copy is staged than the one that was chosen
    CHANGED = "changed"  # it has run, or somebody did something to it, since it was chosen
    IGNORED = "ignored"
    FINISHED = "finished"
    HOPELESS = "hopeless"  # a try cannot help before somebody has removed the cause
    NOT_IGNORED = "not-ignored"


SAID: Mapping[Left, str] = {
    Left.UNKNOWN: "is not known",
    Left.NOTHING: "has nothing to send yet",
    Left.ON_ITS_WAY: "is on its way already",
    Left.NEWER: "was superseded: a newer version has come since it was chosen",
    Left.CHANGED: "has changed since it was chosen",
    Left.IGNORED: "is ignored",
    Left.FINISHED: "is finished",
    Left.HOPELESS: "would fail again until its cause is removed",
    Left.NOT_IGNORED: "is not ignored",
}
"""In English, after the record's name."""

CHOICES = frozenset({Left.FINISHED, Left.HOPELESS})
"""What a person may choose to leave alone; all else stands against it whatever he chooses."""

WHY = """CASE
  WHEN o.payload_no = 0 OR o.state = 'never' THEN 'nothing-to-send'
  WHEN o.state = 'running' OR o.state = 'pending' AND (o.mode = 'live' OR o.forced) THEN 'on-its-way'
  WHEN o.payload_no <> o.copy THEN 'newer-version'
  WHEN o.seq <> o.seen THEN 'changed'
  WHEN NOT %(ignored)s AND o.state = 'skipped' AND o.code = 'ignored' THEN 'ignored'
  WHEN %(finished)s AND o.state IN ('done', 'warning', 'skipped') THEN 'finished'
  WHEN o.state = 'failed' AND o.code = ANY(%(hopeless)s::text[]) THEN 'hopeless'
  WHEN NOT o.state = ANY(%(from)s) THEN 'on-its-way'
END"""
"""Of a row `o`: state, code, seq, payload_no, forced and mode of a record; seen and copy, if it was chosen before."""


def choices(leave: Collection[str]) -> dict[str, object]:
    """The parameters of `WHY` for what is left alone by choice."""
    return {
        "finished": Left.FINISHED in leave,
        "hopeless": sorted(_hopeless()) if Left.HOPELESS in leave else [],
    }


@cache
def _hopeless() -> frozenset[str]:
    return frozenset(code for code, entry in catalogue().items() if entry.retry in ("never", "when the key clears"))
