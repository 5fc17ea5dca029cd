"""Turns what a handler said into what becomes of the record: the one place where outcomes meet states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from shared.connectors.contract import Reason, RemoteError
from shared.errors.problem import Problem
from shared.records.claim import Claim
from shared.records.parts import PartState
from shared.records.settle import Settlement
from shared.records.states import WORST_FIRST, State
from shared.runtime.outcome import Done, Fail, Hold, Outcome, Parts, Retry, Skip, Wait, Warned
from shared.runtime.retry import next_after

CONNECTION: frozenset[Reason] = frozenset(
    {
        Reason.UNREACHABLE,
        Reason.ADDRESS_REFUSED,
        Reason.UNENCRYPTED,
        Reason.TIMEOUT,
        Reason.BROKEN_ANSWER,
        Reason.UNAVAILABLE,
        Reason.RATE_LIMITED,
        Reason.UNAUTHORISED,
    }
)
"""What passes by itself, or concerns the whole remote system and not one record."""


def judge(
    claim: Claim, said: Outcome, started_at: datetime, side: str, *, repeatable: bool = False, patience: float = 1.0
) -> Settlement:
    """The settlement of one claim.

    side: whose key (`erp:otto-de`) a connection error waits for besides its schedule: a closing breaker wakes it.
    repeatable: the stage's call may be made again, see `Settlement`; patience: see `Timing`.
    """

    def settlement(state: State, outcome: str, **more: object) -> Settlement:
        return Settlement(
            claim,
            outcome,
            state,
            started_at,
            called=said.called,
            detail=said.detail,
            repeatable=repeatable,
            **more,  # type: ignore[arg-type]
        )

    match said:
        case Parts(status=status, tracking=tracking):
            each = {
                name: judge(claim, one, started_at, side, repeatable=repeatable, patience=patience)
                for name, one in (("status", status), ("tracking", tracking))
                if one is not None
            }
            return _of_parts(each)
        case Done(remote=remote, sent=sent, note=note):
            return settlement(State.DONE, "done", problems=(note,) if note else (), remote=remote, sent=sent)
        case Warned(problems=problems, remote=remote, sent=sent):
            return settlement(State.WARNING, "warning", problems=problems, remote=remote, sent=sent)
        case Retry(problem=problem, after=least):
            after = next_after(problem.code, claim.tries, claim.trying_seconds, least, patience=patience)
            if after is None:
                gave_up = Problem("gave-up", values={"code": problem.code})
                return settlement(State.FAILED, "failed", problems=(gave_up, problem), tries=claim.tries)
            away = problem.code in {str(r) for r in CONNECTION}
            waits_for = (f"{side}:{claim.interface}",) if away else ()
            return settlement(
                State.WAITING,
                "retry",
                problems=(problem,),
                keys=waits_for,
                after=after,
                tries=claim.tries + 1,
                trying=True,
            )
        case Wait(problem=problem, keys=keys, after=after):
            return settlement(State.WAITING, "wait", problems=(problem,), keys=keys, after=after, tries=claim.tries)
        case Hold(problem=problem, after=after):
            return settlement(State.PENDING, "hold", problems=(problem,), after=after, tries=claim.tries)
        case Fail(problems=problems, remote=remote):
            keys = tuple(dict.fromkeys(p.key for p in problems if p.key))
            return settlement(State.FAILED, "failed", problems=problems, keys=keys, remote=remote, tries=claim.tries)
        case Skip(problem=problem, remote=remote):
            return settlement(State.SKIPPED, "skipped", problems=(problem,), remote=remote)
    raise AssertionError(f"no state for {said!r}")


def _of_parts(each: Mapping[str, Settlement]) -> Settlement:
    """What becomes of a record with parts: one that is due again goes before, else the worst counts."""
    due = [one for one in each.values() if one.after is not None]
    chosen = min(due or each.values(), key=lambda one: WORST_FIRST.index(one.state))
    return replace(
        chosen,
        after=min((one.after or 0.0 for one in due), default=None),
        keys=tuple(dict.fromkeys(key for one in each.values() for key in one.keys)),
        remote=next((one.remote for one in each.values() if one.remote), None),
        called=any(one.called for one in each.values()),
        sent=all(one.sent for one in each.values()),
        tries=max(one.tries for one in each.values()),
        trying=any(one.trying for one in each.values()),
        detail={name: one.detail for name, one in each.items() if one.detail} or None,
        parts=tuple(PartState(name, one.state, one.problems, bool(one.keys)) for name, one in each.items()),
    )


def from_remote_error(error: RemoteError, system: str, *, called: bool, lag: float = 0.0) -> Outcome:
    """What a refused or lost call means.

    system: how people call it; called: the call is not idempotent. After an unknown outcome of such a call the next
    look waits for the look-up's lag.
    """
    values = {"system": system, "detail": error.detail, "status": str(error.status or "")}
    maybe_done = called and error.reason.outcome_unknown
    if error.reason in CONNECTION:
        least = max(error.retry_after or 0.0, 2 * lag if maybe_done else 0.0)
        return Retry(Problem(str(error.reason), values=values), least, called=maybe_done)
    problems = error.problems or (Problem(str(error.reason), values=values),)
    return Fail(tuple(problems), called=maybe_done)
