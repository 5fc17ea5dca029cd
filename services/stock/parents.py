"""A parent has no quantity of its own at a marketplace; its change means: look at each of its variants.

Their quantities are read from the ERP now and taken in like any event, so that a variant which has an event of its own
is sent once. Variants that are known as of the parent's change or later are not asked for again: so what was read
before an ERP went away counts, and the next try reads the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from services.stock.told import read_quantity
from services.stock.wanted import Wanted
from shared.connectors.contract import RemoteError, StockSource
from shared.db.connect import Connection
from shared.errors.problem import Problem
from shared.records.articles import Variant, variants
from shared.records.read_back import database_now
from shared.runtime.intake import Intake
from shared.runtime.judge import from_remote_error
from shared.runtime.outcome import Done, Fail, Outcome, Retry, Skip, Wait
from shared.runtime.prepare import Arrival
from shared.runtime.stage import Say

SOURCE = "/connect/parent"
AWAY_SECONDS = 60.0  # until an ERP that did not answer is asked again
AT_ONCE = 200  # how many quantities are read before they are taken in


@dataclass(frozen=True, slots=True)
class Parents:
    """Fans out the parents of one interface. source: None where the ERP tells no quantities; system: its title."""

    interface: str
    system: str
    source: StockSource | None
    connect: Callable[[], AbstractContextManager[Connection]]
    failpoint: Callable[[str], None]
    ring: Callable[[str], None]

    def fan_out(self, parents: Sequence[Wanted], say: Say) -> None:
        """Have the variants of all of them read and taken in; report an outcome for each parent."""
        if not parents:
            return
        by_sku = {one.article.sku: one for one in parents}
        with self.connect() as conn:
            found = variants(conn, self.interface, list(by_sku))
        stale = [each for each in found if each.changed_at < by_sku[each.parent_sku].asked_at]
        read, error = self._read(stale, forced=any(one.held.claim.forced for one in parents))
        for one in parents:
            mine = [each for each in found if each.parent_sku == one.article.sku]
            left = [each for each in mine if each in stale and each.sku not in read]
            say(one.held, self._outcome(one, mine, error if left else None))

    def _outcome(self, one: Wanted, mine: Sequence[Variant], error: RemoteError | None) -> Outcome:
        if not mine:
            return Skip(Problem("parent-without-variants", values={"sku": one.article.sku}))
        if self.source is None:
            return Fail((Problem("erp-tells-no-stock", values={"system": self.system}),))
        if error is None:
            return Done(note=Problem("parent-fanned-out", values={"count": str(len(mine))}))
        said = from_remote_error(error, self.system, called=False)
        if isinstance(said, Retry):  # it says nothing about the marketplace
            return Wait(said.problem, (f"erp:{self.interface}",), max(said.after, AWAY_SECONDS))
        return said

    def _read(self, stale: Sequence[Variant], *, forced: bool) -> tuple[set[str], RemoteError | None]:
        """Read these and take them in, a part after the other. Returns which were asked for to the end, and what
        stopped it."""
        read: set[str] = set()
        if self.source is None:
            return read, None
        for begin in range(0, len(stale), AT_ONCE):
            part = {each.sku: each for each in stale[begin : begin + AT_ONCE]}
            with self.connect() as conn:
                at = database_now(conn)
            arrivals: list[Arrival] = []
            error = None
            try:
                for found in self.source.sellable(list(part)):
                    variant = part[found.sku]
                    arrivals.append(
                        read_quantity(
                            self.interface, found.sku, found.quantity, at, SOURCE, variant.parent_sku, forced=forced
                        )
                    )
                    read.add(found.sku)
            except RemoteError as stopped:
                error = stopped
            self.failpoint("stock.parent-read")
            if arrivals:
                with self.connect() as conn:
                    Intake(self.failpoint).take_in(conn, arrivals)
                self.ring(self.interface)
            self.failpoint("stock.parent-taken-in")
            if error is not None:
                return read, error
            read |= part.keys()  # those that the ERP does not know are left out, and stay as they are
        return read, None
