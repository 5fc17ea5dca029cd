"""What must hold after a case, one pure function per invariant; each yields a sentence for every violation.

    accounted   every confirmed event has exactly one fate; every order one final state            (I1)
    once        the ERP holds every order exactly once, made from the newest copy of its time      (I2)
    quiet       nothing is left in a queue, nothing holds a lease or waits                         (I6)
    expected    no effect without an event; no refusal of what was good                            (I7)
    recorded    the history is complete: numbered without a gap, chained, ending in the state      (I8)
    alone       no process ended or complained that was not told to, none needed a hand            (I9)
    silent      no personal data in logs and metrics                                               (I10)
    balanced    the books of every day balance

What ADR 1 calls the window (a process frozen between the last look at its lease and the sending) is the one double that
may be: only where a case freezes a worker, at most once a call that was under way, and the record must say so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tests.faults.draw import Drawn, street
from tests.faults.driver import Sent
from tests.faults.evidence import Create, Evidence, Fate, Record

T = TypeVar("T")
K = TypeVar("K")
FINAL = {"done", "warning", "failed", "skipped"}
WINDOW = "double-order"
MOST_FILES = 120
"""Connections and files of an importer; some 25 are usual, and each fault may leave a few to be closed later."""

STALE_SECONDS = 15.0
"""A copy may be this much older than the newest when its order is made: claimed, renewed, waited for the call."""


@dataclass(frozen=True)
class Expected:
    """What was asked for. sent: the driver's ledger; placed: orders of the marketplace; asked: numbers fetched by hand.

    window: how many calls may have been caught in the window.
    """

    sent: Sequence[Sent]
    placed: Sequence[str] = ()
    window: int = 0


@dataclass
class Verdict:
    """violations by invariant; counted: lost, doubled (orders and events), recovered (not confirmed, and yet there)."""

    violations: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def passed(self) -> bool:
        """Nothing is violated."""
        return not self.violations


class Case:
    """Evidence and expectation, indexed once for all checks."""

    def __init__(self, expected: Expected, evidence: Evidence) -> None:
        self.expected, self.evidence = expected, evidence
        self.fates: Mapping[tuple[str, str], list[Fate]] = _by(evidence.fates, lambda fate: (fate.source, fate.id))
        self.refused = Counter(refused.digest for refused in evidence.refused if refused.state == "open")
        self.records: Mapping[str, list[Record]] = _by(evidence.records, lambda record: record.number)
        self.creates: Mapping[str, list[Create]] = _by(evidence.creates, lambda create: create.number)
        self.events: Mapping[tuple[str, str], list[Sent]] = _by(
            [sent for sent in expected.sent if sent.event.kind != "poison"],
            lambda sent: (sent.event.source, sent.event.id),
        )
        self._fates_of: Mapping[str, list[Fate]] = _by(evidence.fates, lambda fate: fate.number)
        self.window = [n for n, held in self.records.items() if held[0].code == WINDOW and len(self.live(n)) > 1]

    def live(self, number: str) -> list[Create]:
        """What the ERP holds of an order and nobody cancelled."""
        return [create for create in self.creates.get(number, ()) if create.status != "canceled"]

    def newest(self, number: str) -> Drawn | None:
        """The newest change of an order that was taken in."""
        known = [
            sent.event
            for fate in self._fates_of.get(number, ())
            for sent in self.events.get((fate.source, fate.id), ())
            if not self.refused[sent.digest]
        ]
        return max(known, key=lambda event: event.place, default=None)


def accounted(case: Case, verdict: Verdict) -> Iterator[str]:
    """I1."""
    for (source, name), sent in case.events.items():
        fates = len(case.fates.get((source, name), ()))
        confirmed = [one for one in sent if one.confirmed]
        refused = sum(case.refused[one.digest] for one in sent)
        if confirmed and fates == 0:
            verdict.counts["lost"] += 1
            yield f"event {name} was confirmed and has no fate"
        elif fates > 1:
            verdict.counts["doubled"] += 1
            yield f"event {name} has {fates} fates"
        elif not confirmed and fates:
            verdict.counts["recovered"] += 1
        if len(confirmed) - fates > refused:
            verdict.counts["lost"] += 1
            yield f"event {name} was sent with {len(confirmed)} bodies, {fates} taken in and {refused} refused"
    for one in case.expected.sent:
        refused = case.refused[one.digest]
        if one.event.kind == "poison" and one.confirmed and refused == 0:
            verdict.counts["lost"] += 1
            yield f"poison {one.event.fault} was confirmed and is nowhere"
        if refused > 1:
            yield f"event {one.event.id} is refused {refused} times"
    for record in case.evidence.records:
        if record.state not in FINAL:
            yield f"order {record.number} ended in {record.state} ({record.code})"
        elif record.state == "failed" and record.number not in case.window:
            yield f"order {record.number} failed ({record.code})"
        elif record.state == "skipped" and not ((newest := case.newest(record.number)) and newest.cancelled):
            yield f"order {record.number} was skipped ({record.code})"
    for number in case.expected.placed:
        if number not in case.records:
            verdict.counts["lost"] += 1
            yield f"order {number} of the marketplace never came"
    for number, result in case.evidence.receipts.items():
        if result in ("queued", "failed") or (number in case.expected.placed and result == "not-found"):
            yield f"the receipt says {result} for {number}"


def once(case: Case, verdict: Verdict) -> Iterator[str]:
    """I2."""
    for number, held in case.records.items():
        record, live = held[0], case.live(number)
        newest = case.newest(number)
        cancelled = newest is not None and newest.cancelled
        if number in case.window:
            verdict.counts["window"] += 1
        elif len(live) > 1:
            verdict.counts["doubled"] += len(live) - 1
            yield f"the ERP holds order {number} {len(live)} times; Connect says {record.state} ({record.code})"
        elif cancelled and live:
            yield f"order {number} was cancelled, and the ERP still holds it; Connect says {record.state}"
        elif not cancelled and not live:
            verdict.counts["lost"] += 1
            yield f"the ERP lacks order {number}; Connect says {record.state} ({record.code})"
        if newest is not None:
            yield from _newest(record, newest)
            yield from _content(case, record, newest)


def _newest(record: Record, newest: Drawn) -> Iterator[str]:
    """The newest wins, whatever came last."""
    wanted = newest.id.removesuffix("-again")
    if not record.copies or record.copies[-1][1].removesuffix("-again") != wanted:
        last = record.copies[-1][1] if record.copies else "nothing"
        yield f"order {record.number} is staged from {last}, but {wanted} is the newest"


def _content(case: Case, record: Record, newest: Drawn) -> Iterator[str]:
    """An order is made from a copy that was the newest then; what changed since is told by a remark."""
    if newest.kind == "reused":
        return
    streets = {street(record.number, int(_version(id_))): (n, at) for n, (at, id_) in enumerate(record.copies)}
    for create in case.creates.get(record.number, ()):
        known = streets.get(create.street)
        if known is None:
            yield f"the ERP holds order {record.number} with '{create.street}', which no copy says"
            continue
        later = [at for at, _ in record.copies[known[0] + 1 :]]
        if later and create.at - later[0].timestamp() > STALE_SECONDS:
            yield f"order {record.number} was made from a copy that was {create.at - later[0].timestamp():.0f} s old"
        if later and record.state == "done" and not newest.cancelled:
            yield f"order {record.number} changed after it was made, and nothing says so"


def _version(event: str) -> str:
    return event.removesuffix("-again").rpartition("-")[2]


def quiet(case: Case, _: Verdict) -> Iterator[str]:
    """I6."""
    for queue, left in case.evidence.queues.items():
        if left:
            yield f"{left} messages are left in {queue}"
    for record in case.evidence.records:
        if record.due or record.recheck:
            yield f"order {record.number} is still due"


def expected(case: Case, verdict: Verdict) -> Iterator[str]:
    """I7."""
    numbers = {sent.event.number for sent in case.expected.sent} | set(case.expected.placed)
    bodies = {sent.digest: sent for sent in case.expected.sent}
    for number in sorted({*case.records, *case.creates} - numbers):
        yield f"order {number} was never asked for"
    for refused in case.evidence.refused:
        sent = bodies.get(refused.digest)
        if sent is None:
            yield f"a rejection ({', '.join(refused.codes)}, {refused.queue}) of what nobody sent"
        elif sent.event.kind not in ("poison", "reused") and refused.state == "open":
            verdict.counts["refused"] += 1
            yield f"event {sent.event.id} is good and was refused ({', '.join(refused.codes)}, {refused.queue})"
        elif refused.queue.endswith(".dead"):
            yield f"event {sent.event.id} went through the dead letters"


def recorded(case: Case, _: Verdict) -> Iterator[str]:
    """I8."""
    applied = Counter(fate.record for fate in case.evidence.fates if fate.outcome == "applied")
    for record in case.evidence.records:
        numbers = [step.seq for step in record.steps]
        if numbers != list(range(1, record.seq + 1)):
            yield f"the history of order {record.number} is numbered {numbers}, and should end at {record.seq}"
        elif record.steps[-1].after != record.state:
            yield f"the history of order {record.number} ends in {record.steps[-1].after}, not in {record.state}"
        for before, step in zip(record.steps[1:], record.steps[2:], strict=False):
            if step.before != before.after:
                yield f"step {step.seq} of order {record.number} begins at {step.before}, not at {before.after}"
        if applied[record.id] != 1:
            yield f"{applied[record.id]} events count as applied for order {record.number}"


def alone(case: Case, _: Verdict) -> Iterator[str]:
    """I9."""
    for ended in case.evidence.ended:
        if ended.code not in ended.wanted:
            yield f"{ended.name} ended with {ended.code}, not with {ended.wanted}"
        if ended.files > MOST_FILES:
            yield f"{ended.name} had {ended.files} files open at its end"
        yield from (f"{ended.name} said: {line}" for line in ended.said)


def silent(case: Case, _: Verdict) -> Iterator[str]:
    """I10."""
    for ended in case.evidence.ended:
        if ended.leaks:
            yield f"{ended.leaks} lines of {ended.name}'s log or metrics hold personal data"


def window(case: Case, _: Verdict) -> Iterator[str]:
    """No more freezes inside the window than calls were under way."""
    if len(case.window) > case.expected.window:
        yield f"{len(case.window)} orders are double after a freeze, at most {case.expected.window} could be"


def balanced(case: Case, _: Verdict) -> Iterator[str]:
    """The books."""
    for day in case.evidence.books:
        for book in day["books"]:
            yield from (f"books of {book['interface']}: {rest['sentence']}" for rest in book["remainders"])


INVARIANTS: Mapping[str, Callable[[Case, Verdict], Iterator[str]]] = {
    "I1": accounted, "I2": once, "I2-window": window, "I6": quiet, "I7": expected, "I8": recorded, "I9": alone,
    "I10": silent,
    "books": balanced,
}  # fmt: skip


def check(wanted: Expected, evidence: Evidence) -> Verdict:
    """Every invariant over the evidence of one case."""
    case, verdict = Case(wanted, evidence), Verdict()
    for name, invariant in INVARIANTS.items():
        verdict.violations += [(name, sentence) for sentence in invariant(case, verdict)]
    verdict.counts["orders"] += len(case.records)
    verdict.counts["creates"] += len(evidence.creates)
    return verdict


def _by(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    found: dict[K, list[T]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return dict(found)
