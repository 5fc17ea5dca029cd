"""Named places where a test can kill, stop, delay or break a process. Inert unless `CONNECT_FAULT` names them.

`CONNECT_FAULT="work.called:kill@3"` kills with SIGKILL at the third pass; several are separated by commas; also `stop`
(SIGSTOP), `raise`, and `sleep=SECONDS`. An action without `@n` is taken at the first pass only.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

NAMES: frozenset[str] = frozenset(
    {
        "alarm.judged",
        "alarm.decided",
        "mail.taken",
        "mail.handed-over",
        "mail.recorded",
        "alertmanager.kept",
        "outage.noted",
        "outage.mailed",
        "outage.recorded",
        "outage.booked",
        "intake.received",
        "intake.decoded",
        "intake.new-stored",
        "intake.stored",
        "intake.committed",
        "intake.handed-over",
        "intake.acked",
        "work.claimed",
        "work.looked-up",
        "work.before-call",
        "work.called",
        "work.before-settle",
        "work.settled",
        "poll.read",
        "poll.published",
        "poll.moved",
        "fetch.read",
        "fetch.stored",
        "export.looked-up",
        "export.intended",
        "export.before-call",
        "export.called",
        "export.accepted",
        "export.found",
        "export.confirmed",
        "export.cancelled",
        "stock.read-back",
        "stock.before-call",
        "stock.called",
        "stock.accepted",
        "stock.parent-read",
        "stock.parent-taken-in",
        "stock.listed",
        "stock.compared",
        "stock.shown",
        "stock.confirmed",
        "hints.read",
        "hints.published",
        "hints.removed",
        "erp-poll.read",
        "erp-poll.published",
        "erp-poll.moved",
        "stock-round.read",
        "stock-round.published",
        "stock-round.moved",
        "runs.chosen",
        "runs.judged",
        "runs.set-due",
        "runs.moved",
        "edit.stored",
        "rollup.read",
        "rollup.added",
        "rollup.moved",
        "rollup.counted",
        "search.read",
        "search.written",
        "search.removed",
        "privacy.sliced",
        "privacy.counted",
        "privacy.committed",
        "privacy.retained",
        "archive.slice-written",
        "archive.before-rename",
        "archive.renamed",
        "archive.part-written",
        "archive.slice-deleted",
        "archive.slice-restored",
    }
)


class Planted(Exception):
    """Raised by a failpoint with the action `raise`."""


@dataclass(slots=True)
class _Fault:
    action: str
    at: int
    passes: int = 0


class Failpoints:
    """The faults of one process. Call the object with a name where a crash would matter."""

    def __init__(self, plan: str = "") -> None:
        """Read a plan; an unknown name or action is an error, so that a test cannot miss its target silently."""
        self._faults: dict[str, _Fault] = {}
        for part in filter(None, (piece.strip() for piece in plan.split(","))):
            name, _, rest = part.partition(":")
            action, _, at = rest.partition("@")
            if name not in NAMES or action.partition("=")[0] not in ("kill", "stop", "raise", "sleep"):
                raise ValueError(f"CONNECT_FAULT: no such failpoint or action: {part}")
            self._faults[name] = _Fault(action, int(at or 1))

    def __call__(self, name: str) -> None:
        """Pass a failpoint. One look into an empty dict where nothing is planned."""
        fault = self._faults.get(name)
        if fault is None:
            return
        fault.passes += 1
        if fault.passes != fault.at:
            return
        if fault.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault.action == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif fault.action == "raise":
            raise Planted(name)
        else:
            time.sleep(float(fault.action.partition("=")[2]))
