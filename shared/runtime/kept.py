"""Which of an attempt's calls are kept, and how much of them: all where something went wrong, little where not."""

from __future__ import annotations

from typing import Any

from shared.connectors.exchange import Exchange
from shared.records.exchanges import pack
from shared.records.settle import Settlement
from shared.records.states import State
from shared.runtime.lane import Report

WHOLE = 16_000
"""Characters of a body where the attempt failed, waits, warns, or is not the first."""

SMALL = 2_000
"""Characters of the bodies of a call that wrote, where all went well at once; of a refused call for many records."""


SHORT = 160
"""Characters of the target of a call for many records: its query names all of them."""


def kept(report: Report, settlement: Settlement) -> bytes | None:
    """What to store with the settle; None where no call was made."""
    smooth = settlement.state in (State.DONE, State.SKIPPED) and settlement.claim.claim_no == 1
    calls = [_own(one, smooth=smooth) if report.among == 1 else _shared(one, report.among) for one in report.together]
    calls += [_own(one, smooth=smooth) for one in report.own]
    return pack(calls)


def _shared(one: Exchange, among: int) -> dict[str, Any]:
    """A call for a whole batch: its bodies speak of other records too."""
    return {**one.told(0, 0 if one.succeeded else SMALL, SHORT), "among": among}


def _own(one: Exchange, *, smooth: bool) -> dict[str, Any]:
    if not smooth:
        return one.told(WHOLE, WHOLE)
    cap = SMALL if one.writes or not one.succeeded else 0
    return one.told(cap, cap)
