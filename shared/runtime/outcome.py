"""What a handler says about one claim. `judge` turns it into a state; nothing else does."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from shared.errors.problem import Problem


@dataclass(frozen=True, slots=True)
class Outcome:
    """called: a call that is not idempotent was sent for this claim; detail goes to the attempt (no personal data)."""

    called: bool = dataclasses.field(default=False, kw_only=True)
    detail: dict[str, object] | None = dataclasses.field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Done(Outcome):
    """Verified. remote: the number there. sent: the remote system has the claimed copy now. note: worth a sentence."""

    remote: str | None = None
    sent: bool = True
    note: Problem | None = None


@dataclass(frozen=True, slots=True)
class Warned(Outcome):
    """Done, but somebody should know."""

    problems: tuple[Problem, ...] = ()
    remote: str | None = None
    sent: bool = True


@dataclass(frozen=True, slots=True)
class Retry(Outcome):
    """Something passing went wrong. after: seconds at least, from the remote system or for its look-up's lag."""

    problem: Problem
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Wait(Outcome):
    """Heals by itself: when a key comes true, at the latest after so many seconds."""

    problem: Problem
    keys: tuple[str, ...]
    after: float


@dataclass(frozen=True, slots=True)
class Hold(Outcome):
    """Not yet its time: stays pending without alarm, looked at again after so many seconds."""

    problem: Problem
    after: float


@dataclass(frozen=True, slots=True)
class Fail(Outcome):
    """Needs a person. Goes on by itself when all that its keys name has come true, one after the other."""

    problems: tuple[Problem, ...]
    remote: str | None = None


@dataclass(frozen=True, slots=True)
class Skip(Outcome):
    """Nothing to do, and why. Never red."""

    problem: Problem
    remote: str | None = None


@dataclass(frozen=True, slots=True)
class Released(Outcome):
    """Not begun because the worker stops: costs neither a try nor a lease."""


@dataclass(frozen=True, slots=True)
class Parts(Outcome):
    """One outcome per part of an export. None: the part has nothing to say yet and stays as it is; not both of them."""

    status: Outcome | None = None
    tracking: Outcome | None = None
