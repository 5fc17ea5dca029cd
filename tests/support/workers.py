"""Half of the machine: events come in, workers claim, settle, lose and give back, and the model does the same.

What the transaction of an open raise has locked is left alone, as everybody else would wait for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from shared.db.connect import Connection
from shared.records import claim as claiming
from shared.records import settle as settling
from shared.records.claim import Claim, Kind, Quota
from shared.records.settle import Settlement
from shared.runtime.handover import Handover, Room
from shared.runtime.intake import Intake
from shared.runtime.judge import judge
from shared.runtime.outcome import Done, Outcome
from shared.runtime.prepare import Arrival
from tests.support.drawn import BEGAN, HOLD, LAG, NUMBERS, blocking, events, outcomes, sent, shorter, which
from tests.support.model import Held, Input, Model, Order, Raise
from tests.support.spine import SLUG, STAGE, nothing, store_lane

TABLES = ("blocks", "keys", "attempts", "transitions", "payloads", "records", "events", "duplicates", "arrivals",
          "rejections", "side_states", "sides", "interfaces")  # fmt: skip


class Workers(RuleBasedStateMachine):
    """One example: an interface without orders, two connections, workers that may believe anything."""

    def __init__(self, conn: Connection, other: Connection) -> None:
        super().__init__()
        self.conn, self.other = conn, other
        self.model = Model()
        self.held: list[Held] = []
        self.settled: list[tuple[Held, Settlement]] = []
        self.late: list[Settlement] = []
        self.sent: list[Input] = []
        self.raising: Raise | None = None
        self.open: Any = None
        self.breaker_open = False
        self.handover = Handover(STAGE, nothing, intends=True)
        self.intake = Intake(nothing, self.handover)

    @initialize(orders=st.integers(1, 3), room=st.integers(0, 1))
    def begin(self, orders: int, room: int) -> None:
        with self.conn.transaction():
            for table in TABLES:
                self.conn.execute(f"DELETE FROM {table}")
            store_lane(self.conn)
        self.intake = Intake(nothing, self.handover)
        self._deliver([sent(("/shop", name), name, "1.00", "open", 1, 1) for name in NUMBERS[:orders]], False, room)

    # -- what an open raise has locked -------------------------------------------------------------------------------

    def _locked(self, order: Order | None) -> bool:
        return self.raising is not None and order in (*self.raising.woken, *self.raising.brought_forward)

    def _free(self, n: int) -> Order | None:
        found = [order for order in self.model.orders.values() if not self._locked(order)]
        return shorter(found, n) if found else None

    # -- intake ------------------------------------------------------------------------------------------------------

    def _deliver(self, batch: Sequence[Input], forced: bool, room: int = 0) -> None:
        """room: how many new orders a work loop would take at once; only live interfaces have any."""
        self.handover.offer({SLUG: Room(room, HOLD)} if self.model.mode == "live" else {})
        batch = [one for one in batch if not self._locked(self.model.orders.get(one.number))]
        taken = self.intake.take_in(
            self.conn, [Arrival(o.body, "order-imported", "tests", "order-imported", forced=forced) for o in batch]
        )
        handed = {claim.id: claim for claims, _ in self.handover.collect() for claim in claims}
        assert len(handed) <= room
        self.model.tick()
        before = {number: (len(order.copies), len(order.history)) for number, order in self.model.orders.items()}
        for one, found in zip(batch, taken, strict=True):
            self.model.arrived += 1
            wanted = self.model.take_in(one, forced, found.record_id)
            assert str(found.outcome) == wanted, (one, found, wanted)
            if claim := handed.pop(found.record_id or 0, None):
                self.held.append(self.model.claim(claim, HOLD))
            if (order := self.model.orders.get(one.number)) and one.number not in before:
                before[one.number] = len(order.copies), len(order.history)
        for number, counts in before.items():
            self.model.orders[number].gather(*counts)
        assert not handed, "only what was new is handed over"
        self.sent += batch

    @rule(batch=st.lists(events, min_size=1, max_size=3), forced=st.booleans(), room=st.integers(0, 2))
    def deliver(self, batch: list[tuple[Any, ...]], forced: bool, room: int) -> None:
        self._deliver([sent(*one) for one in batch], forced, room)

    @precondition(lambda self: self.sent)
    @rule(n=which)
    def deliver_again(self, n: int) -> None:
        self._deliver([shorter(self.sent, n)], False)

    @precondition(lambda self: self.model.orders)
    @rule(n=which, total=st.sampled_from(["1.00", "2.00", "3.00"]), minute=st.integers(0, 9))
    def shop_changes(self, n: int, total: str, minute: int) -> None:
        number = shorter(list(self.model.orders), n)
        self._deliver([sent(("/shop", f"new-{len(self.model.events)}"), number, total, "open", 1, minute)], False)

    @precondition(lambda self: self._holders())
    @rule(n=which, total=st.sampled_from(["1.00", "2.00", "3.00"]))
    def shop_changes_what_runs(self, n: int, total: str) -> None:
        order = self.model.by_id(shorter(self._holders(), n).claim.id)
        minute = order.wanted.minute + 1
        self._deliver([sent(("/shop", f"new-{len(self.model.events)}"), order.number, total, "open", 1, minute)], False)

    @precondition(lambda self: self.model.orders)
    @rule(n=which, later=st.integers(-1, 3))
    def shop_says_the_same_again(self, n: int, later: int) -> None:
        one = shorter(list(self.model.orders.values()), n).wanted
        name = ("/shop", f"new-{len(self.model.events)}")
        number, total, status, version = one.data
        self._deliver([sent(name, number, total, status, version, one.minute + later)], False)

    @precondition(lambda self: self.model.arrived < 8)
    @rule(n=st.integers(0, 1))
    def deliver_nonsense(self, n: int) -> None:
        body = b"{" * (n + 1)
        (found,) = self.intake.take_in(self.conn, [Arrival(body, "order-imported", "tests", "order-imported")])
        self.model.arrived += 1
        assert str(found.outcome) == self.model.refuse(body)

    # -- work --------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.model.claimable(Kind.NORMAL))
    @rule(slots=st.integers(1, 3))
    def claim_usual(self, slots: int) -> None:
        self.claim(Kind.NORMAL, slots)

    @precondition(lambda self: any(self.model.claimable(kind) for kind in Kind))
    @rule(kind=st.sampled_from(Kind), slots=st.integers(1, 3))
    def claim(self, kind: Kind, slots: int) -> None:
        self.model.tick()
        able = [order for order in self.model.claimable(kind) if not self._locked(order)]
        dues = sorted(order.due or 0.0 for order in able)
        if slots < len(dues):  # of equally old ones anybody may come first: take all or none
            slots = sum(due <= dues[slots - 1] for due in dues)
        claims = claiming.claim(self.conn, STAGE, [Quota(SLUG, slots, HOLD)], kind, intends=True)
        oldest = {order.id for order in able if (order.due or 0.0) <= max(dues[:slots], default=0.0)}
        assert {one.id for one in claims} == oldest, (kind, claims, able)
        claims.sort(key=lambda one: one.key)
        self.held += [self.model.claim(one, HOLD) for one in claims]

    @precondition(lambda self: self.model.claimable(Kind.NORMAL))
    @rule(said=st.lists(outcomes, min_size=3, max_size=3))
    def work(self, said: list[Outcome]) -> None:
        """Claim and settle, with nothing between."""
        known = len(self.held)
        self.claim(Kind.NORMAL, 3)
        self._say(self.held[known:], said)

    @precondition(lambda self: self._holders())
    @rule(said=st.lists(outcomes, min_size=3, max_size=3))
    def settle(self, said: list[Outcome]) -> None:
        self._say(self._holders(), said)

    @precondition(lambda self: self._holders())
    @rule(n=which, said=blocking)
    def settle_blocked(self, n: int, said: Outcome) -> None:
        self._say([shorter(self._holders(), n)], [said])

    @precondition(lambda self: len(self.held) > len(self._holders()))
    @rule(n=which, said=outcomes | st.builds(Done, st.just("7"), called=st.just(True)))
    def settle_late(self, n: int, said: Outcome) -> None:
        """A worker that lost its record speaks up."""
        self._say([shorter([held for held in self.held if not self.model.holds(held.claim)], n)], [said])
        if self.late and n % 2:
            self.read_back()

    def _holders(self) -> list[Held]:
        return [held for held in self.held if self.model.holds(held.claim)]

    def _say(self, chosen: Sequence[Held], said: Sequence[Outcome]) -> None:
        batch = [(held, judge(held.claim, outcome, BEGAN, "erp")) for held, outcome in zip(chosen, said, strict=False)]
        batch = [(held, one) for held, one in batch if not self._would_wait(one)]
        gone = [id(held) for held, _ in batch]
        self.held = [held for held in self.held if id(held) not in gone]
        self._settle(batch)

    def _would_wait(self, one: Settlement) -> bool:
        return self.raising is not None and (
            self.raising.key in one.keys
            or self.raising.key in self.model.by_id(one.claim.id).keys
            or any(self._locked(order) and set(order.keys) & self.model.by_id(one.claim.id).keys
                   for order in self.model.orders.values())
        )  # fmt: skip

    def _settle(self, batch: Sequence[tuple[Held, Settlement]]) -> None:
        found = settling.settle(self.conn, [one for _, one in batch])
        plain = [(held, one) for held, one in batch if not one.keys and not one.claim.blocked]
        keyed = [pair for pair in batch if pair not in plain]
        wanted = self.model.settle(plain)
        for snapshot in sorted({one.claim.snapshot for _, one in keyed}):
            wanted |= self.model.settle([pair for pair in keyed if pair[1].claim.snapshot == snapshot])
        for _, one in batch:
            if (one.claim.id, one.claim.claim_no) in self.model.attempted:
                wanted[one.claim.id] = self.model.by_id(one.claim.id).state
        assert found.states == wanted
        assert found.refused == [one for _, one in batch if one.claim.id not in wanted]
        self.settled += batch
        self.late += [one for one in found.refused if one.called]

    @precondition(lambda self: self.settled)
    @rule(n=which)
    def settle_again(self, n: int) -> None:
        """The connection ended before the answer came."""
        held, one = shorter(self.settled, n)
        if not self._would_wait(one):
            self._settle([(held, one)])

    @precondition(lambda self: self._holders() and self.raising is None)
    @rule(n=which, said=outcomes)
    def frozen_worker_wakes(self, n: int, said: Outcome) -> None:
        """Its lease ends, its successor takes over, then it says that it made its call."""
        held: Held = shorter(self._holders(), n)
        self._come_due([self.model.by_id(held.claim.id)])
        self.claim(Kind.NORMAL, 3)
        self.claim(Kind.SUSPECT, 3)
        if not self.model.holds(held.claim):
            self._say([held], [dataclasses.replace(said, called=True)])
            self.read_back()

    @precondition(lambda self: self.late)
    @rule()
    def read_back(self) -> None:
        late = [one for one in self.late if not self._locked(self.model.by_id(one.claim.id))]
        self.model.tick()
        assert settling.mark_for_reading_back(self.conn, late, LAG) == len({one.claim.id for one in late})
        self.model.read_back(late, LAG)
        self.late = [one for one in self.late if one not in late]

    @precondition(lambda self: self.held)
    @rule(n=which)
    def release(self, n: int) -> None:
        held = self.held.pop(-1 - n % len(self.held))
        self.model.tick()
        claiming.release(self.conn, [held.claim])
        self.model.release(held.claim)

    @precondition(lambda self: self.held)
    @rule(n=which)
    def renew(self, n: int) -> None:
        claim: Claim = shorter(self.held, n).claim
        self.model.tick()
        kept = claiming.renew(self.conn, [(claim, HOLD)])
        assert kept == ({claim.id} if self.model.holds(claim) else set())
        if kept:
            self.model.by_id(claim.id).due = self.model.now + HOLD

    def _come_due(self, orders: Sequence[Order]) -> None:
        waiting = [order for order in orders if order.due is not None and not self._locked(order)]
        now = self.model.tick()
        self.conn.execute("UPDATE records SET due_at = now() WHERE id = ANY(%s)", ([order.id for order in waiting],))
        for order in waiting:
            order.due = now
