"""What a batch of settled claims means for log and metrics: the one place for their wording.

Done is the normal case: counted, one line a batch. Whatever else became of a record gets a line of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from shared.log import trace_id
from shared.metrics import Metrics
from shared.records.settle import Settlement
from shared.records.states import State
from shared.runtime.lane import Report

QUIET = frozenset({State.DONE, State.SKIPPED})
TROUBLE = frozenset({State.FAILED, State.WAITING})


def report_settled(
    metrics: Metrics,
    log: Any,
    flow: str,
    stage: str,
    judged: Sequence[tuple[Report, Settlement]],
    states: Mapping[int, State],
) -> None:
    """Report a batch; `states` has what the records are now, a claim that is missing there was refused by its fence."""
    entered: Counter[tuple[str, str, State]] = Counter()
    errors: Counter[tuple[str, str]] = Counter()
    seconds = metrics.stage_seconds.labels(flow, stage)
    told: Counter[str] = Counter()
    for report, settlement in judged:
        claim = settlement.claim
        state = states.get(claim.id)
        if state is None:
            log.warning("record.fenced", record=claim.id, interface=claim.interface, outcome=settlement.outcome)
            continue
        told[str(state)] += 1
        if state not in QUIET:
            log.info(
                "record.settled", record=claim.id, interface=claim.interface, state=str(state), code=settlement.code,
                seconds=round(report.seconds, 4), attempt=claim.claim_no, trace_id=trace_id(claim.traceparent),
            )  # fmt: skip
        if claim.test:
            continue
        for name, its_state in [(part.name, part.state) for part in settlement.parts] or [(stage, state)]:
            entered[(claim.interface, name, its_state)] += 1
        seconds.observe(report.seconds)
        if state in TROUBLE and settlement.code:
            errors[(claim.interface, settlement.code)] += 1
    for (interface, name, state), count in entered.items():
        metrics.transitions.labels(flow, interface, name, str(state)).inc(count)
    for (interface, code), count in errors.items():
        metrics.errors.labels(flow, interface, code).inc(count)
        if code == "unclassified":
            metrics.unclassified.inc(count)
    if told:
        log.info("work.settled", counts=dict(told))
