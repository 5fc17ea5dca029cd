"""What the records ought to say, in plain Python: the reference that the real spine is compared with.

Written from the design and not from the statements: the wanted copy is the newest of all that came, a claim counts as
long as nobody claimed after it, whatever a key blocks is due soon after it came true. Time is a number that grows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from shared.records.claim import ALONE_AFTER, LOST_AFTER, Claim, Kind
from shared.records.settle import Settlement
from shared.records.states import FINAL, State, Verb, allowed

FOLLOW = 1000.0
"""Seconds until those that follow the first of a raise are due; the machine sets the real one to it as well."""

ANNOUNCED = 6 * 3600.0
CODES = {
    Verb.CHANGE: "newer-version",
    Verb.RELEASE: "worker-stopped",
    Verb.LOSE: "worker-lost",
    Verb.RAISE: "key-came-true",
    Verb.RETRY: "retried",
    Verb.VERIFY: "read-back",
}
"""What a history says of each verb that has one thing to say."""

Name = tuple[str, str]


@dataclass(frozen=True)
class Input:
    """An event as it is sent. data: all that its canonical data depends on; minute, then version: its order."""

    name: Name
    number: str
    data: tuple[str, str, str, int]
    minute: int
    body: bytes

    @property
    def standing(self) -> tuple[int, int]:
        return self.minute, self.data[3]

    @property
    def after(self) -> float:
        return ANNOUNCED if self.data[2] == "announced" else 0.0


@dataclass
class Order:
    """A record. copies: every applied event, the last one wanted; sent: how many copies the ERP may be at."""

    number: str
    id: int
    due: float | None
    accepted: list[Input]
    copies: list[Input]
    forced: bool
    test: bool
    state: State = State.PENDING
    claim_no: int = 0
    tries: int = 0
    lost: int = 0
    sent: int | None = None
    intended: bool = False
    recheck: bool = False
    called: bool = False
    keys: set[str] = field(default_factory=set)
    history: list[tuple[str | None, str, str | None]] = field(default_factory=list)

    @property
    def wanted(self) -> Input:
        return self.copies[-1]

    def move(self, verb: Verb, target: State, due: float | None, code: str | None = None) -> None:
        assert allowed(verb, self.state, target), (verb, self.state, target)
        assert (due is None) == (target in FINAL), (target, due)
        self.history.append((str(self.state), str(target), code or CODES.get(verb)))
        self.state, self.due = target, due

    def gather(self, copies: int, steps: int) -> None:
        """Of the changes of one batch the newest is kept, and they are one step. copies, steps: before the batch."""
        del self.copies[copies:-1]
        del self.history[steps + 1 :]

    def suits(self, kind: Kind) -> bool:
        suspect = ALONE_AFTER <= self.lost < LOST_AFTER
        forced = self.forced or kind in (Kind.NORMAL, Kind.SUSPECT)
        return forced and (suspect if kind in (Kind.SUSPECT, Kind.FORCED_SUSPECT) else self.lost < ALONE_AFTER)


@dataclass(frozen=True)
class Held:
    """A claim that a worker believes to hold. seen: how often each key had come true when it was made."""

    claim: Claim
    seen: dict[str, int]


@dataclass(frozen=True)
class Raise:
    """What a raise does when it commits: who goes first, and when it began."""

    key: str
    at: float
    woken: tuple[Order, ...]
    brought_forward: tuple[Order, ...]


class Model:
    """All records of one interface, what came in, and which keys came true."""

    def __init__(self) -> None:
        self.now = 0.0
        self.mode = "live"
        self.orders: dict[str, Order] = {}
        self.events: dict[Name, tuple[tuple[str, str, str, int], str]] = {}
        self.arrived = 0
        self.doubles = 0
        self.refused: set[bytes] = set()
        self.raised: dict[str, int] = {}
        self.following: set[str] = set()
        self.attempted: set[tuple[int, int]] = set()

    def tick(self) -> float:
        """Every statement is a little later than the one before."""
        self.now += 0.001
        return self.now

    def by_id(self, id_: int) -> Order:
        return next(order for order in self.orders.values() if order.id == id_)

    # -- intake ------------------------------------------------------------------------------------------------------

    def refuse(self, body: bytes) -> str:
        """What cannot be read, or names an id that was used for something else."""
        if body in self.refused:
            self.doubles += 1
            return "duplicate"
        self.refused.add(body)
        return "rejected"

    def take_in(self, one: Input, forced: bool, id_: int | None) -> str:
        """The outcome of one event. id_: the record's number, which only the database knows."""
        forced = forced and self.mode != "live"
        if one.name in self.events:
            if self.events[one.name][0] != one.data:
                return self.refuse(one.body)
            self.doubles += 1
            return "duplicate"
        order = self.orders.get(one.number)
        if order is None:
            assert id_ is not None, "a new order has a record"
            order = Order(one.number, id_, self.now + one.after, [one], [one], forced, self.mode == "test")
            order.history.append((None, "pending", "announced" if one.after else None))
            self.orders[one.number] = order
            outcome = "applied"
        else:
            newest = max(earlier.standing for earlier in order.accepted)
            order.accepted.append(one)
            outcome = "applied"
            if one.data == order.wanted.data:
                outcome = "duplicate"
            elif one.standing < newest:
                outcome = "superseded"
            else:
                self._change(order, one, forced)
        self.events[one.name] = one.data, outcome
        last = max(enumerate(order.accepted), key=lambda pair: (pair[1].standing, pair[0]))[1]
        assert order.wanted.data == last.data, "the newest of all that came is wanted"
        return outcome

    def _change(self, order: Order, one: Input, forced: bool) -> None:
        before = order.wanted
        self.events[before.name] = before.data, "superseded"
        order.copies.append(one)
        order.forced |= forced
        if order.state is not State.RUNNING:
            order.move(Verb.CHANGE, State.PENDING, self.now + one.after)
            order.tries = 0

    # -- work --------------------------------------------------------------------------------------------------------

    def claimable(self, kind: Kind) -> list[Order]:
        due = [order for order in self.orders.values() if order.due is not None and order.due <= self.now]
        return [order for order in due if order.suits(kind)]

    def claim(self, claim: Claim, hold: float) -> Held:
        """Check what a worker was told, and note that it holds the record now."""
        order = self.by_id(claim.id)
        sent, wanted = order.sent, len(order.copies)
        told = (
            claim.was, claim.tries, claim.intended, claim.blocked, claim.forced, claim.test, claim.payload_no,
            claim.sent_no, claim.body, claim.sent_body, claim.claim_no, claim.called_seconds is not None,
        )  # fmt: skip
        assert told == (
            order.state, order.tries, order.intended, bool(order.keys), order.forced, order.test, wanted, sent,
            order.wanted.body, None if sent in (None, wanted) else order.copies[sent - 1].body, order.claim_no + 1,
            order.intended and order.called,
        )  # fmt: skip
        order.move(Verb.CLAIM, State.RUNNING, self.now + hold)
        order.claim_no, order.lost, order.intended, order.sent = claim.claim_no, order.lost + 1, True, sent or wanted
        return Held(claim, dict(self.raised))

    def holds(self, claim: Claim) -> bool:
        """Whether this claim is the one that counts."""
        order = self.by_id(claim.id)
        return order.state is State.RUNNING and order.claim_no == claim.claim_no

    def settle(self, batch: Sequence[tuple[Held, Settlement]]) -> dict[int, State]:
        """One statement's worth. Returns the states of those that counted."""
        now, freed = self.tick(), set[str]()
        mine = [(held, said) for held, said in batch if self.holds(said.claim)]
        for held, said in mine:
            freed |= self._settle(self.by_id(said.claim.id), held, said, now)
        for key in freed & self.following:
            self.following.discard(key)
            for order in self.orders.values():
                if key in order.keys and order.state is State.PENDING and order.due is not None:
                    order.due = min(order.due, now)
        return {said.claim.id: self.by_id(said.claim.id).state for _, said in mine}

    def _settle(self, order: Order, held: Held, said: Settlement, now: float) -> set[str]:
        state, after, keys, code, tries = said.state, said.after, set(said.keys), said.code, said.tries
        if any(self.raised.get(key, 0) > held.seen.get(key, 0) for key in keys):
            state, keys, code, tries = State.PENDING, set(), "key-came-true", said.claim.tries
            after = (after or 0.0) if said.called else 0.0
        again = len(order.copies) > said.claim.payload_no or order.recheck
        if again:
            after = (after or 0.0) if state is State.WAITING or said.called else 0.0
            state = State.PENDING
        order.move(Verb.SETTLE, state, None if after is None else now + after, code)
        if said.sent or said.called:
            order.sent = said.claim.payload_no
        elif not order.recheck:
            order.sent = said.claim.sent_no
        order.intended = said.claim.intended or said.called or order.recheck
        order.forced = order.forced and after is not None
        order.tries, order.lost, order.recheck = tries, 0, False
        order.called |= said.called
        freed, order.keys = order.keys - keys, keys
        self.attempted.add((order.id, said.claim.claim_no))
        return freed

    def read_back(self, late: Collection[Settlement], after: float) -> None:
        """Calls of workers that no longer held their record; of several for one record the last is noted."""
        for said in {said.claim.id: said for said in late}.values():
            order = self.by_id(said.claim.id)
            order.recheck = order.state is State.RUNNING
            order.intended = order.called = True
            order.sent = order.sent or said.claim.payload_no
            self.attempted.add((order.id, said.claim.claim_no))
            if order.state is not State.RUNNING:
                order.move(Verb.VERIFY, State.PENDING, self.now + after)

    def release(self, claim: Claim) -> None:
        if self.holds(claim):
            order = self.by_id(claim.id)
            order.move(Verb.RELEASE, State.PENDING, self.now)
            order.lost, order.intended = 0, claim.intended or order.recheck
            order.sent = order.sent if order.recheck else claim.sent_no

    def lose(self) -> int:
        """Whose workers died too often."""
        hopeless = [
            order for order in self.orders.values() if order.lost >= LOST_AFTER and (order.due or 0) <= self.now
        ]
        for order in hopeless:
            order.move(Verb.LOSE, State.FAILED, None)
            order.lost, order.forced = 0, False
        return len(hopeless)

    # -- people and keys ---------------------------------------------------------------------------------------------

    def retry(self, order: Order) -> bool:
        asleep = order.state is State.PENDING and self.mode != "live" and not order.forced
        if order.state is State.RUNNING or (order.state is State.PENDING and not asleep):
            return False
        order.move(Verb.RETRY, State.PENDING, self.now)
        order.tries, order.forced = 0, self.mode != "live"
        return True

    def begin_raise(self, key: str) -> Raise:
        """Who will be woken, the longest due first."""
        now = self.tick()
        blocked = [order for order in self.orders.values() if key in order.keys]
        woken = [order for order in blocked if order.state in (State.WAITING, State.FAILED)]
        woken.sort(key=lambda order: (order.due is None, order.due or 0.0, order.id))
        late = [o for o in blocked if o.state is State.PENDING and o.due is not None and o.due > now + FOLLOW]
        return Raise(key, now, tuple(woken), tuple(late))

    def end_raise(self, raising: Raise) -> None:
        self.raised[raising.key] = self.raised.get(raising.key, 0) + 1
        self.following.add(raising.key)
        for no, order in enumerate(raising.woken):
            order.move(Verb.RAISE, State.PENDING, raising.at + (0.0 if no == 0 else FOLLOW))
            order.tries = 0
        for order in raising.brought_forward:
            order.due = raising.at + FOLLOW
