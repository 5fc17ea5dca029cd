"""The stage *stock*: quantities to the marketplace, in as few calls as it allows.

    read articles → unchanged? → outcome unknown? then read back → send in batches → note what was taken → parents

A quantity is absolute, so sending it twice does no harm; sending an older one after a newer one would. The row makes
sure of that: it is claimed by one worker at a time, who sends the newest copy and checks its lease right before the
call; what an overtaken worker says later is fenced by the number of its claim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

import structlog

from services.stock.parents import Parents
from services.stock.reading import shown
from services.stock.wanted import Wanted, batches, named, staged_event
from shared.connectors.contract import Reason, RemoteError, StockSink
from shared.db.connect import GONE, Connection
from shared.errors.fingerprint import fingerprint
from shared.errors.problem import Problem
from shared.failpoint import Planted
from shared.records.articles import Accepted, forget_sent, read_articles, store_accepted, store_named
from shared.records.read_back import articles_sent
from shared.runtime.judge import from_remote_error
from shared.runtime.outcome import Done, Fail, Hold, Outcome
from shared.runtime.stage import Each, Held, LeaseTooShort, Say

CONTENT = frozenset({Reason.INVALID, Reason.TOO_LARGE, Reason.NOT_FOUND, Reason.CONFLICT})
"""The marketplace refused a call for what was in it: smaller ones tell which of it."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the handler may do besides calling the marketplace.

    lag: seconds until it shows what it accepted; guarded: hangs a check on this thread's next calls.
    """

    lag: float
    connect: Callable[[], AbstractContextManager[Connection]]
    guarded: Callable[[Callable[[], None]], AbstractContextManager[None]]
    failpoint: Callable[[str], None]
    close: Callable[[], None]


@dataclass(slots=True)
class Leases:
    """Checks the leases of all that a call sends: before it waits for its turn, and right before its head and its body
    go out. passed: how often all was well."""

    held: Sequence[Held]
    passed: int = field(default=0)

    def __call__(self) -> None:
        for one in self.held:
            one.check()
        self.passed += 1

    @property
    def sent(self) -> bool:
        """Whether anything may have gone out."""
        return self.passed > 1

    @property
    def sent_before(self) -> bool:
        """Whether another call may have gone out before the last one: a marketplace may need several."""
        return self.passed > 3


class Sending:
    """Handles claims of one interface."""

    def __init__(self, interface: str, system: str, sink: StockSink, parents: Parents, tools: Tools) -> None:
        self.lag = tools.lag
        self.system = system
        self._interface = interface
        self._sink = sink
        self._parents = parents
        self._t = tools

    def handle(self, batch: Sequence[Held], say: Say, each: Each) -> None:  # noqa: ARG002  # one call serves many
        """Report an outcome for every claim of the batch."""
        wanted = self._wanted(batch)
        due = [one for one in wanted if not one.is_parent and not self._settled(one, say)]
        due = self._read_back(due, say)
        for part in batches(due, self._sink.batch_size):
            self._send(part, say)
        self._parents.fan_out([one for one in wanted if one.is_parent], say)

    def probe(self, keys: Sequence[str]) -> set[str]:  # noqa: ARG002  # no key of this stage needs a look
        """Nothing to look for."""
        return set()

    def ping(self) -> None:
        """Raise RemoteError unless the marketplace answers."""
        self._sink.ping()

    def close(self) -> None:
        """Close both sides."""
        self._t.close()

    # -- before the call ---------------------------------------------------------------------------------------------

    def _wanted(self, batch: Sequence[Held]) -> list[Wanted]:
        """Each claim with its article; one that no listing has named is made now."""
        events = {held.claim.id: staged_event(held.claim) for held in batch}
        with self._t.connect() as conn:
            articles = read_articles(conn, list(events))
            told = [named(held.claim, events[held.claim.id].data) for held in batch]
            news = [one for one in told if one.adds_to(articles.get(one.record_id))]
            if news:
                store_named(conn, news)
                articles |= read_articles(conn, [one.record_id for one in news])
        return [Wanted.of(held, articles[held.claim.id], events[held.claim.id]) for held in batch]

    def _settled(self, one: Wanted, say: Say) -> bool:
        """Whether there is nothing to send, or nothing yet."""
        since = one.held.claim.called_seconds
        if one.never_applied:
            with self._t.connect() as conn:
                forget_sent(conn, [(one.held.claim.id, one.held.claim.claim_no)])
            say(one.held, Fail((_not_applied(one, self.system),)))
        elif one.unchanged:
            say(one.held, Done(note=Problem("quantity-unchanged", values={"quantity": str(one.quantity)})))
        elif one.unknown and since is not None and since < self.lag:
            say(one.held, Hold(Problem("read-back"), self.lag - since))
        else:
            return False
        return True

    def _read_back(self, due: Sequence[Wanted], say: Say) -> list[Wanted]:
        """Where an earlier call may have been carried out, the marketplace says what it shows. Returns what to send.

        What shows the wanted quantity is through, unless somebody insists; whether it stays so, `confirm` sees later.
        """
        unknown = [one for one in due if one.unknown and not one.article.insist]
        if not unknown:
            return list(due)
        try:
            with self._t.connect() as conn:
                held = articles_sent(conn, self._interface)
            found = shown(self._sink, [one.article.their_sku for one in unknown], held)
        except RemoteError as error:
            for one in unknown:
                say(one.held, from_remote_error(error, self.system, called=False))
            return [one for one in due if one not in unknown]
        self._t.failpoint("stock.read-back")
        there = [one for one in unknown if found.get(one.article.their_sku) == one.quantity]
        self._note_accepted(there)
        for one in there:
            say(one.held, Done(detail={"quantity": one.quantity, "looked_up": True}))
        done = {one.held.claim.id for one in there}
        return [one for one in due if one.held.claim.id not in done]

    # -- the call ----------------------------------------------------------------------------------------------------

    def _send(self, part: Sequence[Wanted], say: Say) -> None:
        """Send a part in one call. A call that is refused for its content is sent again in halves."""
        leases = Leases([one.held for one in part])
        self._t.failpoint("stock.before-call")
        try:
            with self._t.guarded(leases):
                said = self._sink.send_quantities({one.article.their_sku: one.quantity for one in part})
        except LeaseTooShort:
            self._overdue(part, leases, say)
        except RemoteError as error:
            if error.reason in CONTENT and len(part) > 1:
                self._halves(part, say)
                return
            outcome = from_remote_error(error, self.system, called=True, lag=self.lag)
            unknown = outcome.called or leases.sent_before
            for one in part:
                say(one.held, replace(outcome, called=unknown))
        except Planted:
            raise
        except GONE:
            for one in part:
                say(one.held, Hold(Problem("database-away"), max(1.0, self.lag), called=leases.sent))
        except Exception as error:
            # Whatever is wrong with one of them must not hold up the others.
            if len(part) > 1:
                self._halves(part, say)
            else:
                say(part[0].held, _unclassified(error, called=leases.sent))
        else:
            self._t.failpoint("stock.called")
            self._answered(part, said, say)

    def _halves(self, part: Sequence[Wanted], say: Say) -> None:
        middle = len(part) // 2
        self._send(part[:middle], say)
        self._send(part[middle:], say)

    def _overdue(self, part: Sequence[Wanted], leases: Leases, say: Say) -> None:
        """Some are not ours any more, or not long enough. The others go without them, if nothing has gone out yet."""
        left = []
        for one in part:
            try:
                one.held.check()
                left.append(one)
            except LeaseTooShort:
                say(one.held, Hold(Problem("lease-too-short"), 0.0, called=leases.sent))
        if leases.sent or len(left) == len(part):
            for one in left:
                say(one.held, Hold(Problem("lease-too-short"), 0.0, called=leases.sent))
        elif left:
            self._send(left, say)

    def _answered(self, part: Sequence[Wanted], said: dict[str, Problem | None], say: Say) -> None:
        """Item by item. What was taken is noted before it is reported, so that the record never knows more than we."""
        taken = [one for one in part if said[one.article.their_sku] is None]
        refused = [one for one in part if said[one.article.their_sku] is not None]
        try:
            self._note_accepted(taken)
            with self._t.connect() as conn:
                forget_sent(conn, [(one.held.claim.id, one.held.claim.claim_no) for one in refused])
        except GONE:
            for one in part:
                say(one.held, Hold(Problem("database-away"), max(1.0, self.lag), called=True))
            return
        self._t.failpoint("stock.accepted")
        for one in taken:
            say(one.held, Done(called=True, detail={"quantity": one.quantity, "batch": len(part)}))
        for one in refused:
            problem = said[one.article.their_sku]
            assert problem is not None
            say(one.held, Fail((problem,)))

    def _note_accepted(self, taken: Sequence[Wanted]) -> None:
        if taken:
            with self._t.connect() as conn:
                store_accepted(
                    conn,
                    [
                        Accepted(one.held.claim.id, one.held.claim.claim_no, one.quantity, one.article.insist)
                        for one in taken
                    ],
                )


def _not_applied(one: Wanted, system: str) -> Problem:
    values = {"sku": one.article.sku, "quantity": str(one.quantity), "system": system}
    return Problem("quantity-not-applied", "quantity", values)


def _unclassified(error: Exception, *, called: bool) -> Outcome:
    mark = fingerprint(error)
    structlog.get_logger().error("record.unclassified", error=error, fingerprint=mark, exc_info=True)
    return Fail((Problem("unclassified", values={"fingerprint": mark, "what": type(error).__name__}),), called=called)
