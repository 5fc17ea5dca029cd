"""Dry runs: a flow's own handler runs over a claim that nobody made, with systems that note what they are told.

So a dry run shows what the worker would do and nothing else: the handler is the same, only the calls that change
something are kept back. Called by the services' `preview`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from shared.errors.problem import Problem
from shared.records.claim import Claim
from shared.records.drafted import Document, Drafted
from shared.records.states import State
from shared.runtime.outcome import Done, Fail, Hold, Outcome, Parts, Retry, Skip, Wait, Warned
from shared.runtime.stage import Held


def imagined(interface: str, key: str, body: bytes, record_id: int = 0) -> Held:
    """A claim as if a person had asked for the record just now; its lease never ends. record_id: where there is one."""
    claim = Claim(
        id=record_id, interface=interface, key=key, was=State.PENDING, claim_no=0, tries=0, intended=False,
        blocked=False, forced=True, test=True, payload_no=1, sent_no=None, remote=None, revision=0,
        due_at=datetime.now(UTC), staged_seconds=0.0, trying_seconds=None, snapshot="", traceparent=None, body=body,
        sent_body=None,
    )  # fmt: skip
    return Held(claim, float("inf"))


class Notes:
    """What the systems of one dry run were told, by the key of the record it was for, and what the handler said."""

    def __init__(self) -> None:
        self.documents: dict[str, list[Document]] = {}
        self.said: dict[str, Outcome] = {}
        self._about = ""

    def note(self, document: Document) -> None:
        """A call that would be made for the record in hand."""
        self.documents.setdefault(self._about, []).append(document)

    def say(self, held: Held, outcome: Outcome) -> None:
        """The handler's report."""
        self.said[held.claim.key] = outcome

    def each(self, items: Sequence[Held], handle: Callable[[Held], Outcome]) -> None:
        """One after the other."""
        for held in items:
            self._about = held.claim.key
            self.say(held, handle(held))

    def drafted(self, key: str) -> Drafted:
        """What came of one record."""
        documents = self.documents.get(key, [])
        said = self.said.get(key)
        problems = [] if said is None else problems_of(said, sent=bool(documents))
        return Drafted(documents, [one for n, one in enumerate(problems) if one not in problems[:n]])


def problems_of(said: Outcome, *, sent: bool) -> list[Problem]:
    """Everything that an outcome names. sent: a call would have been made, so that waiting for its result is none."""
    match said:
        case Parts(status=status, tracking=tracking):
            return [p for part in (status, tracking) if part is not None for p in problems_of(part, sent=sent)]
        case Fail(problems=problems) | Warned(problems=problems):
            return list(problems)
        case Skip(problem=problem) | Wait(problem=problem):
            return [problem]
        case Hold(problem=problem) | Retry(problem=problem):
            return [] if sent else [problem]
        case Done(note=note):
            return [] if note is None else [note]
    return []
