"""The states of a record and the only ways between them. Pure; `docs/states.md` is drawn from `TRANSITIONS`.

Every statement that changes a state takes the states it may start from out of this table, so that a row which somebody
else has moved meanwhile is simply not hit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What the Journal shows of a record, see DESIGN §4."""

    NEVER = "never"
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


WORST_FIRST: tuple[State, ...] = (
    State.FAILED,
    State.WAITING,
    State.RUNNING,
    State.PENDING,
    State.WARNING,
    State.NEVER,
    State.SKIPPED,
    State.DONE,
)
"""What a list shows of several."""

FINAL: frozenset[State] = frozenset({State.DONE, State.WARNING, State.FAILED, State.SKIPPED, State.NEVER})
"""Nothing is due in these."""


class Verb(StrEnum):
    """What moves a record."""

    RECEIVE = "receive"  # an event makes the record
    CHANGE = "change"  # a newer event replaces the staged copy
    CLAIM = "claim"  # a worker takes it, or takes it over from a lost lease
    SETTLE = "settle"  # the worker that holds it says how it went
    RELEASE = "release"  # the worker that holds it stops before it began
    LOSE = "lose"  # five leases were lost
    GIVE_UP = "give-up"  # tried for too long, noticed while nobody claims
    RAISE = "raise"  # a key that blocked it came true
    RETRY = "retry"  # a person wants another try, or a first one where the interface does not run
    BY_HAND = "by-hand"  # a person did it in the remote system, and says so
    IGNORE = "ignore"  # a person wants it left alone, and says why
    UNIGNORE = "unignore"  # and takes that back
    EDIT = "edit"  # a person corrects the staged copy
    VERIFY = "verify"  # a call was made by a worker that no longer held it: read back


@dataclass(frozen=True, slots=True)
class Rule:
    """From where a verb may start, None for a record that is not there yet, and where it may lead."""

    sources: frozenset[State | None]
    targets: frozenset[State]


_RESTING = frozenset({State.NEVER, State.WAITING, State.DONE, State.WARNING, State.FAILED, State.SKIPPED})

TRANSITIONS: dict[Verb, Rule] = {
    Verb.RECEIVE: Rule(frozenset({None}), frozenset({State.PENDING})),
    Verb.CHANGE: Rule(_RESTING | {State.PENDING}, frozenset({State.PENDING})),
    Verb.CLAIM: Rule(frozenset({State.PENDING, State.WAITING, State.RUNNING}), frozenset({State.RUNNING})),
    Verb.SETTLE: Rule(
        frozenset({State.RUNNING}),
        frozenset({State.DONE, State.WARNING, State.WAITING, State.FAILED, State.SKIPPED, State.PENDING}),
    ),
    Verb.RELEASE: Rule(frozenset({State.RUNNING}), frozenset({State.PENDING})),
    Verb.LOSE: Rule(frozenset({State.RUNNING}), frozenset({State.FAILED})),
    Verb.GIVE_UP: Rule(frozenset({State.WAITING}), frozenset({State.FAILED})),
    Verb.RAISE: Rule(frozenset({State.WAITING, State.FAILED}), frozenset({State.PENDING})),
    Verb.RETRY: Rule(_RESTING | {State.PENDING}, frozenset({State.PENDING})),
    Verb.BY_HAND: Rule(frozenset({State.PENDING, State.WAITING, State.FAILED, State.SKIPPED}), frozenset({State.DONE})),
    Verb.IGNORE: Rule(frozenset({State.PENDING, State.WAITING, State.FAILED}), frozenset({State.SKIPPED})),
    Verb.UNIGNORE: Rule(frozenset({State.SKIPPED}), frozenset({State.PENDING, State.WAITING, State.FAILED})),
    Verb.EDIT: Rule(frozenset({State.PENDING, State.WAITING, State.FAILED, State.SKIPPED}), frozenset({State.PENDING})),
    Verb.VERIFY: Rule(_RESTING | {State.PENDING}, frozenset({State.PENDING})),
}


def sources(verb: Verb) -> list[str]:
    """The states a verb may start from, as the statements' parameter."""
    return sorted(str(state) for state in TRANSITIONS[verb].sources if state is not None)


def allowed(verb: Verb, source: State | None, target: State) -> bool:
    """Whether the table knows this way."""
    rule = TRANSITIONS[verb]
    return source in rule.sources and target in rule.targets


def worst(states: list[State]) -> State:
    """What a list shows of several states."""
    return min(states, key=WORST_FIRST.index)
