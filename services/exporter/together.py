"""Makes one outcome of several shipments. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.exporter.staged import AGAIN
from shared.errors.problem import Problem
from shared.runtime.outcome import Done, Fail, Hold, Outcome, Skip, Warned


def together(said: Sequence[Outcome]) -> Outcome | None:
    """None for no shipments. One that is due again goes before, then what failed with all its problems, then the rest.

    Of those that are due again one with trouble goes before one that only waits its time.
    """
    if not said:
        return None
    return replace(_chosen(said), called=any(one.called for one in said))


def _chosen(said: Sequence[Outcome]) -> Outcome:
    again = [one for one in said if isinstance(one, AGAIN)]
    if again:
        trouble = [one for one in again if not isinstance(one, Hold)]
        return min(trouble or again, key=lambda one: one.after)
    remote = next((one.remote for one in said if isinstance(one, Done | Warned) and one.remote), None)
    failed = [one for one in said if isinstance(one, Fail)]
    if failed:
        return Fail(_problems(failed), remote)
    warned = [one for one in said if isinstance(one, Warned)]
    if warned:
        return Warned(_problems(warned), remote)
    done = [one for one in said if isinstance(one, Done)]
    if done:
        notes = [one.note for one in done]
        return Done(remote, note=notes[0] if all(notes) else None)
    skipped = [one for one in said if isinstance(one, Skip)]
    return skipped[0]


def _problems(said: Sequence[Fail | Warned]) -> tuple[Problem, ...]:
    found: list[Problem] = []
    for one in said:
        found += [problem for problem in one.problems if problem not in found]
    return tuple(found)
