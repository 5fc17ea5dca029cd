"""A marketplace in this process, with a ledger of every quantity that was sent, and a worker to be turned by hand.

For histories by the thousand: handler, claim and settle as in the service, without threads, sockets or waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.stock.parents import Parents
from services.stock.send import Sending, Tools
from shared.connectors.contract import HeldQuantity, Reason, RemoteError
from shared.db.connect import Connection
from shared.errors.problem import Problem
from shared.records.claim import Kind, Quota, claim
from shared.records.settle import Settlement, mark_for_reading_back, settle
from shared.runtime.judge import judge
from shared.runtime.outcome import Outcome
from shared.runtime.stage import Held
from tests.support.spine import SLUG, nothing

FAULTS = ("", "lost", "answer-lost", "refused", "not-applied", "one-bad", "bug")
"""What becomes of a call: nothing bad; it does not arrive; its answer does not; 429; accepted and not applied; one SKU
is not listed; the connector raises what nobody foresaw, after the call."""


@dataclass
class Shelf:
    """A `StockSink`. ledger: every (SKU, quantity) that a call brought here, in order, whatever became of it."""

    batch_size: int = 3
    held: dict[str, int] = field(default_factory=dict)
    ledger: list[tuple[str, int]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    guard: Callable[[], None] = nothing
    in_call: Callable[[], None] = nothing
    """Happens behind the last look at the leases, when nothing holds the bytes back any more."""

    def send_quantities(self, quantities: Mapping[str, int]) -> dict[str, Problem | None]:
        assert 0 < len(quantities) <= self.batch_size
        self.guard()  # before it waits for its turn
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "refused":
            raise RemoteError(Reason.RATE_LIMITED, "too many")
        self.guard()  # before its bytes go out
        if fault == "lost":
            raise RemoteError(Reason.TIMEOUT, "nothing came back")
        happens, self.in_call = self.in_call, nothing
        happens()
        bad = min(quantities) if fault == "one-bad" else None
        self.held.pop(bad or "", None)  # it is not sold there any more
        self.ledger += [(sku, quantity) for sku, quantity in quantities.items() if sku != bad]
        if fault != "not-applied":
            self.held.update({sku: quantity for sku, quantity in quantities.items() if sku != bad})
        if fault == "answer-lost":
            raise RemoteError(Reason.BROKEN_ANSWER, "half an answer")
        if fault == "bug":
            raise KeyError("nobody foresaw it")
        return {sku: Problem("sku-not-listed", "sku", {"sku": sku}) if sku == bad else None for sku in quantities}

    def quantities(self) -> Iterator[list[HeldQuantity]]:
        yield [HeldQuantity(sku, quantity) for sku, quantity in self.held.items()]

    def read_quantities(self, skus: Sequence[str]) -> dict[str, HeldQuantity]:
        return {sku: HeldQuantity(sku, self.held[sku]) for sku in skus if sku in self.held}

    def ping(self) -> None: ...


class Died(Exception):
    """The worker's process has ended at a failpoint."""


class HandWorker:
    """A worker of the stock stage, one turn at a time. at: what happens at a failpoint of this turn, by name."""

    def __init__(self, conn: Connection, shelf: Shelf) -> None:
        self.conn, self.shelf = conn, shelf

    def turn(self, at: Mapping[str, Callable[[list[Held]], None]] | None = None) -> int:
        """Claim what is due, handle it, settle it; returns how many. Died: nothing more of it happens."""
        happens, mine = dict(at or {}), list[Held]()

        def failpoint(name: str) -> None:
            if (happening := happens.pop(name, None)) is not None:
                happening(mine)

        for kind in (Kind.NORMAL, Kind.SUSPECT):
            most = 400 if kind is Kind.NORMAL else 1
            claims = claim(self.conn, "stock", [Quota(SLUG, most, 600.0)], kind, intends=False)
            if claims:
                break
        mine += [Held(one, float("inf")) for one in claims]
        if not mine:
            return 0
        try:
            failpoint("work.claimed")
            said: list[tuple[Held, Outcome]] = []
            self._handler(failpoint).handle(mine, lambda held, outcome: said.append((held, outcome)), nothing)  # type: ignore[arg-type]
            assert sorted(held.claim.id for held, _ in said) == sorted(held.claim.id for held in mine)
            failpoint("work.before-settle")
            began = datetime.now(UTC)
            self._settle([judge(held.claim, one, began, "marketplace", repeatable=True) for held, one in said])
            failpoint("work.settled")
        except Died:
            pass
        return len(mine)

    def _settle(self, batch: Sequence[Settlement]) -> None:
        done = settle(self.conn, batch)
        if refused := [one for one in done.refused if one.called]:
            mark_for_reading_back(self.conn, refused, 0.0)

    def _handler(self, failpoint: Callable[[str], None]) -> Sending:
        @contextmanager
        def connected() -> Iterator[Connection]:
            yield self.conn

        @contextmanager
        def guarded(guard: Callable[[], None]) -> Iterator[None]:
            self.shelf.guard = guard
            try:
                yield
            finally:
                self.shelf.guard = nothing

        parents = Parents(SLUG, "ERP", None, connected, failpoint, nothing)
        tools = Tools(0.0, connected, guarded, failpoint, nothing)
        return Sending(SLUG, "the shelf", self.shelf, parents, tools)

    def time_passes(self) -> None:
        """Leases end and what waits is due."""
        self.conn.execute("UPDATE records SET due_at = now() WHERE due_at IS NOT NULL")
