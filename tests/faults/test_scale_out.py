"""Several processes of each service over a cluster of three RabbitMQ nodes and one database, each replaced under load.

Nothing breaks here: the question is whether many do together what one does alone, and whether one that is told to stop
leaves nothing behind. Leases are as long as in production, so whatever is not given back shows as a gap.
"""

from __future__ import annotations

import dataclasses
import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from shared.alarms import subscriptions
from shared.alarms.wanted import Alarm
from shared.connectors.registry import discover
from shared.db.connect import connect, open_pool
from shared.metrics import Metrics
from shared.people.tokens import create_token
from shared.records.interfaces import read
from shared.runtime.remotes import Remotes
from shared.seal import Seal
from tests.faults.check import Case, Expected, Verdict, accounted, check
from tests.faults.check_back import mailed, newest, told_once
from tests.faults.deployment import Deployment
from tests.faults.draw import Drawn
from tests.faults.draw_flows import Flows, draw_flows, order_data, routing_key
from tests.faults.driver import Driver
from tests.faults.evidence import Ended, Evidence, gather, mark
from tests.faults.ground import CLUSTER, Ground
from tests.faults.poster import Poster
from tests.faults.tally import Tally
from tests.support.mail_server import MailServer, mail_server
from tests.support.parcels import assert_ledger_at_rest
from tests.support.system import INTERFACE, SECRET, order_event
from tests.support.there_and_back import shown_in_the_shop
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(1800)]

COUNTS = {"importer": 3, "exporter": 3, "stock": 3, "alerts": 2, "journal": 2}
INTERFACES = (INTERFACE, "otto-at", "otto-ch")
PEOPLE = ("a@example.org", "b@example.org")
SEED = 51
LEASE, CALL = 30.0, 20.0
LATENCY = 0.05
"""Seconds that each call of a remote system takes: so a process has something in hand when it is told to stop."""

CONNECTIONS = 20
"""To the database, for each process: what docs/runbooks/DatabaseConnectionsHigh.md tells people to allow."""

LARGE = 2000
SHOWN = 10
ORDERS_A_SECOND = 4


class Run:
    """One system with its deployment, its load and its people."""

    def __init__(self, ground: Ground, stack: ExitStack, size: int) -> None:
        self.tag = f"scale-{uuid.uuid4().hex[:8]}"
        self.system, own = ground.new(CLUSTER)
        stack.enter_context(own)
        self.ground = ground
        self.mails: MailServer = stack.enter_context(mail_server())
        for slug in INTERFACES[1:]:
            self.system.add(slug)
        self.system.change(  # what shop and ERP show by themselves is known: only events count here
            "WITH e AS (INSERT INTO erp_cursors(interface, watermark, polled_at, ok_at) SELECT slug, now(), now() +"
            " interval '1 day', now() FROM interfaces) INSERT INTO cursors(interface, watermark, polled_at, ok_at)"
            " SELECT slug, now(), now() + interval '1 day', now() FROM interfaces"
        )
        self.flows = self._drawn(size)
        with connect(self.system.database_url, "tests") as conn:
            self.token = create_token(conn, "tests", "admin")
            alarm = Alarm(name="Night", recipients=PEOPLE)
            subscriptions.add(conn, alarm, "anna", "Europe/Berlin", verified=True)
        self.since = mark(self.system)
        data = self.system.folder / "data"
        data.mkdir()
        (data / "up.json").write_text(json.dumps({"metrics": {}}))  # nobody looks at the ports of other tests
        usual = {"lease_seconds": f"{LEASE:g}", "call_seconds": f"{CALL:g}", "data_dir": str(data)}
        self.deployment = Deployment(
            self.system, COUNTS,
            dict.fromkeys(COUNTS, usual) | {"alerts": {**usual, "smtp_url": self.mails.url}},
        )  # fmt: skip
        self.driver = Driver(self.system.broker_url, routing_key)
        self.poster = Poster(self.deployment.journals, self.token, self.driver)

    def _drawn(self, size: int) -> Flows:
        """Orders that the shop has, spread over the interfaces, and articles that it knows."""
        stand = self.system.stand
        numbers = stand.place("otto", size, numbers=[f"{self.tag}-{n}" for n in range(size)], skus=["ABC-1"], units=3)
        skus = [f"{INTERFACES[n % len(INTERFACES)]}/{self.tag}-sku-{n}" for n in range(max(20, size // 8))]
        stand.products("otto", *(sku.partition("/")[2] for sku in skus))
        with connect(self.system.database_url, "tests") as conn:
            interface = read(conn, Seal(SECRET), INTERFACE)
        assert interface is not None
        with open_pool(self.system.database_url, "tests-calls", 2) as pool:
            shop, close = Remotes(discover(), pool, Metrics("tests", "0"), CALL).marketplace(interface)
            pages = shop.orders_changed(datetime.now(UTC) - timedelta(hours=1))
            shown = {one.order.number: one.order.model_dump(mode="json") for page in pages for one in page}
            close()
        orders = {
            number: order_data(INTERFACES[n % len(INTERFACES)], shown[number]) for n, number in enumerate(numbers)
        }
        for key in ("otto", "xentral"):
            stand.settings(key, latency=LATENCY)
        return draw_flows(self.tag, random.Random(SEED), orders, skus)

    # -- what happens --------------------------------------------------------------------------------------------------

    def roll(self, *, spread: bool) -> None:
        """Replace every process, each while a part of the events is published and posted.

        spread: begin once each process has worked, which takes more than a few events.
        """
        parts = len(self.deployment.places) + 2
        self._feed(_part(self.flows.stream, 0, parts), ())
        if spread:
            until(lambda: not self.deployment.idle(), "each process has something to do", 120)
        with ThreadPoolExecutor(1) as door:
            for turn, place in enumerate(self.deployment.places, 1):
                stream, posted = _part(self.flows.stream, turn, parts), _part(self.flows.posted, turn, parts)
                before = self.driver.published
                flow = self.driver.flow(stream)
                posting = door.submit(self.poster.post, posted)
                until(lambda: self.driver.published > before or not flow.running, "events flow", 60)  # noqa: B023
                self.deployment.replace(place)
                flow.join()
                posting.result()
                if turn in (2, parts // 2):
                    self.fail_one(INTERFACES[turn % 2])
        last = [*_part(self.flows.posted, 0, parts), *_part(self.flows.posted, parts - 1, parts)]
        self._feed(_part(self.flows.stream, parts - 1, parts), last)

    def _feed(self, stream: Sequence[Drawn], posted: Sequence[Drawn]) -> None:
        self.driver.publish(stream)
        self.poster.post(posted)

    def fail_one(self, slug: str) -> None:
        """An order that somebody has to be told of."""
        event = order_event(f"alarm-{slug}", payment={"method": "PAYPAL"})
        event["data"]["interface"] = slug
        self.system.publish([event], interface=slug)

    def settle(self, size: int) -> None:
        """Until all that was accepted has a fate, nothing is due, and everybody is told."""
        wanted = {(sent.event.source, sent.event.id) for sent in self.driver.ledger.values()}

        def quiet() -> bool:
            fates = "SELECT count(*) FROM events WHERE source = %s"
            return (
                self.system.query(fates, f"/faults/{self.tag}") == [(len(wanted),)]
                and self.system.query("SELECT count(*) FROM records WHERE due_at IS NOT NULL") == [(0,)]
                and not any(self.ground.depths(self.system).values())
            )

        until(quiet, "all is quiet", 180 + size / ORDERS_A_SECOND)
        told = "SELECT count(DISTINCT i.id) FROM incidents i JOIN alarm_decisions d ON i.id = ANY(d.incidents)"
        until(lambda: self.system.query(told)[0][0] >= 2, "both incidents are told", 90)
        until(lambda: not self.system.query("SELECT FROM mails WHERE state = 'queued'"), "all mails are sent", 90)

    # -- what must hold ------------------------------------------------------------------------------------------------

    def evidence(self) -> Evidence:
        """When nothing runs any more."""
        depths = self.ground.depths(self.system)
        ended = [Ended(one.name, one.code, (0,)) for one in self.deployment.drained]
        return gather(self.system, self.since, self.tag, depths, ended)

    def violations(self) -> Iterator[str]:
        """Of the invariants that the matrix checks, for all three flows."""
        evidence = self.evidence()
        sent = list(self.driver.ledger.values())
        orders = [one for one in sent if one.event.kind == "order"]
        verdict = check(Expected(orders), evidence)
        yield from (f"{name}: {sentence}" for name, sentence in verdict.violations)
        others = Expected([one for one in sent if one.event.kind != "order"])
        yield from accounted(Case(others, dataclasses.replace(evidence, records=())), Verdict())

    def back(self) -> Iterator[str]:
        """What shop shows: every parcel once, each cancellation, the newest quantities."""
        shop = self.system.stand.state("otto")
        shown: dict[str, list[str]] = {}
        for (number, tracking), times in shown_in_the_shop(self.system).items():
            shown.setdefault(number, []).extend([tracking] * times)
        yield from told_once(shown, self.flows.parcels, [order["orderNumber"] for order in shop["orders"]])
        wanted = sum(map(len, self.flows.parcels.values()))
        calls = self.system.stand.calls("otto")["send-shipment"]
        if calls != wanted:
            yield f"{wanted} parcels were told in {calls} calls"
        states = {order["orderNumber"]: {item["fulfillmentStatus"] for item in order["positionItems"]}
                  for order in shop["orders"]}  # fmt: skip
        for number in self.flows.given_up:
            if states[number] != {"CANCELLED_BY_PARTNER"}:
                yield f"order {number} was cancelled by the ERP and is {states[number]}"
        sent = [(each["sku"], each["quantity"]) for each in self.system.stand.sent_quantities()]
        yield from newest(
            shop["quantities"], self.flows.quantities, [one for one in sent if one[0] in self.flows.quantities]
        )
        early = self.system.query(
            "SELECT r.key FROM shipments s JOIN records r ON r.id = s.record_id LEFT JOIN (SELECT o.interface, o.key,"
            " min(t.at) AS at FROM records o JOIN transitions t ON t.record_id = o.id AND t.stage = 'erp'"
            " AND t.to_state IN ('done', 'warning') WHERE o.flow = 'order-import' GROUP BY 1, 2) made"
            " ON made.interface = r.interface AND made.key = r.key WHERE made.at IS NULL OR s.accepted_at < made.at"
        )
        yield from (f"a parcel of order {number} was told before the ERP had it" for (number,) in early)

    def left_behind(self) -> Iterator[str]:
        """What a process did not give back: a record that was taken over, or was in hand for longer than a lease."""
        taken = "SELECT r.key, t.seq FROM transitions t JOIN records r ON r.id = t.record_id WHERE"
        for key, seq in self.system.query(f"{taken} from_state = 'running' AND to_state = 'running'"):
            yield f"{key} was taken over at step {seq}: somebody had left it"
        for key, seq in self.system.query(f"{taken} t.code = 'worker-lost'"):
            yield f"{key} lost its workers at step {seq}"
        for key, held in self.system.query(
            "SELECT r.key, extract(epoch FROM t.next - t.at)::float8 FROM (SELECT record_id, to_state, at,"
            " lead(at) OVER (PARTITION BY record_id ORDER BY seq) AS next FROM transitions) t"
            " JOIN records r ON r.id = t.record_id WHERE t.to_state = 'running'"
            " AND t.next - t.at > make_interval(secs => %s)", LEASE,
        ):  # fmt: skip
            yield f"{key} was in hand for {held:.0f} s"
        for event in ("record.fenced", "work.read-back", "work.worker-lost"):
            yield from (f"{name} said {event}" for name in self.deployment.says(event))

    def disorder(self) -> Iterator[str]:
        """Copies of a record are staged from old to new, and one input of each counts."""
        places = {(one.event.kind, one.event.id): one.event.place for one in self.driver.ledger.values()}
        kinds = {"order-import": "order", "order-export": "change", "stock": "quantity"}
        staged: dict[tuple[str, str], list[int]] = {}
        for flow, key, body in self.system.query(
            "SELECT r.flow, r.key, p.body FROM payloads p JOIN records r ON r.id = p.record_id WHERE r.key LIKE %s"
            " ORDER BY r.id, p.no", f"{self.tag}-%",
        ):  # fmt: skip
            staged.setdefault((flow, key), []).append(places[kinds[flow], json.loads(body)["id"]])
        for (flow, key), order in staged.items():
            # A parcel that comes late is added to the copy that is the newest already.
            if order != (sorted(order) if flow == "order-export" else sorted(set(order))):
                yield f"{key} ({flow}) was staged in the order {order}"
        for key, count in self.system.query(
            "SELECT r.key, count(e.hash) FILTER (WHERE e.outcome = 'applied') FROM records r JOIN events e"
            " ON e.record_id = r.id GROUP BY r.id, r.key HAVING count(e.hash) FILTER (WHERE e.outcome = 'applied') <> 1"
        ):
            yield f"{count} events count as applied for {key}"

    def mails_wrong(self) -> Iterator[str]:
        """Each incident is told once to each, though two services could."""
        opened = "SELECT unnest(incidents) FROM alarm_decisions WHERE what = 'opened'"
        told = Counter(incident for (incident,) in self.system.query(opened))
        incidents = self.system.query("SELECT id, interface, code FROM incidents WHERE severity = 'error'")
        for id_, interface, code in incidents:
            if told[id_] != 1:
                yield f"the incident {code} of {interface} was told {told[id_]} times"
        decided = self.system.query("SELECT count(*) FROM alarm_decisions WHERE what = 'opened'")[0][0]
        yield from mailed({address: self.mails.ids(address) for address in PEOPLE}, decided)


def _part(events: Sequence[Drawn], part: int, of: int) -> Sequence[Drawn]:
    return events[len(events) * part // of : len(events) * (part + 1) // of]


@pytest.mark.parametrize("orders", [60, pytest.param(LARGE, marks=pytest.mark.faults_full)])
def test_many_share_the_work_while_each_is_replaced(ground: Ground, orders: int, tally: Tally) -> None:
    with ExitStack() as stack:
        run = Run(ground, stack, orders)
        tally.seed = SEED
        run.deployment.start()
        begun = time.monotonic()
        run.roll(spread=orders >= LARGE)
        rolled = time.monotonic() - begun
        tally.events, tally.faults = run.driver.published + run.system.published, len(run.deployment.drained)
        run.settle(orders)
        quiet = time.monotonic() - begun
        run.deployment.stop()
        print(report(run, tally), f"; all replaced in {rolled:.0f} s, all quiet after {quiet:.0f} s")  # noqa: T201
        found = {
            "drained": run.deployment.undrained(),
            "alone": run.deployment.complaints(),
            "left behind": run.left_behind(),
            "invariants": run.violations(),
            "the way back": run.back(),
            "in order": run.disorder(),
            "mails": run.mails_wrong(),
        }
        wrong = {name: sentences[:SHOWN] for name, each in found.items() if (sentences := list(each))}
        assert wrong == {}, json.dumps(wrong, indent=1)
        assert set(run.poster.answered) == {place for place in run.deployment.places if place.startswith("journal")}
        assert_ledger_at_rest(run.system)
        run.system.assert_books_balance()
        run.system.assert_history_has_no_gaps()
        assert run.deployment.connections <= CONNECTIONS * (len(run.deployment.places) + 1)
        if orders >= LARGE:
            assert run.deployment.idle() == []


def report(run: Run, tally: Tally) -> str:
    """What was measured, for whoever runs this with `-s`."""
    most: dict[str, float] = {}
    for one in run.deployment.drained:
        service = one.name.partition("-")[0]
        most[service] = max(most.get(service, 0.0), round(one.seconds, 2))
    given_back = run.system.query("SELECT count(*) FROM transitions WHERE code = 'worker-stopped'")[0][0]
    held = [one.held for one in run.deployment.drained[: tally.faults]]
    longest = run.system.query(
        "SELECT max(next - at) FROM (SELECT to_state, at, lead(at) OVER (PARTITION BY record_id ORDER BY seq) AS next"
        " FROM transitions) t WHERE to_state = 'running'"
    )[0][0]
    return (
        f"seed {tally.seed}: {tally.events} events, {tally.faults} restarts, drained in at most {most} s; in hand at"
        f" SIGTERM {held}; {given_back} given back; longest in hand {longest}; posted {run.poster.answered}, again"
        f" {run.poster.again}; {run.deployment.connections} connections"
    )
