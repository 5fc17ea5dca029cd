"""One soak: traffic, faults, quiet stretches in which lasting processes are looked at; in the end all is checked."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psycopg

from services.cli.local.ports import any_free
from shared.alarms import subscriptions
from shared.alarms.wanted import Alarm
from shared.connectors.registry import discover
from shared.db.connect import connect, open_pool
from shared.metrics import Metrics
from shared.networks import LOOPBACK, Networks
from shared.records.interfaces import read
from shared.runtime.remotes import Remotes
from shared.seal import Seal
from tests.faults.case import Case
from tests.faults.check import Expected, check
from tests.faults.evidence import gather, mark
from tests.faults.ground import Ground
from tests.soak.drift import Drift, Look
from tests.soak.members import STALLED, Members, files, memory
from tests.soak.nemesis import Nemesis
from tests.soak.traffic import Traffic
from tests.soak.window import excused, older_after_newer
from tests.support.hinting import register
from tests.support.mail_server import MailServer, mail_server
from tests.support.system import INTERFACE, SECRET, System
from tests.support.there_and_back import hints_come_due, left_the_erp, shown_in_the_shop
from tests.support.waiting import until

QUIET_SECONDS = 180.0
STARTING_SECONDS = 300.0
"""Ten processes at once take their time on a machine that does other work."""

CALM_SECONDS = 5.0
"""Of a quiet stretch, before anything is looked at."""

STANDSTILL_SECONDS = 10.0
"""Where half a second of sleep takes so long, the machine stands still, and a watchdog rightly thinks so."""

CALLS_AT_ONCE = 8
SOMEBODY = "oncall@example.org"
UNDER_WAY = (
    "SELECT (SELECT count(*) FROM records WHERE due_at IS NOT NULL),"
    " (SELECT count(*) FROM hints WHERE due_at <= now()),"
    " (SELECT count(*) FROM mails WHERE state = 'queued' AND due_at <= now())"
)


class Soak:
    """What stands while it runs. broker: rabbitmq or pgmq; minutes: of traffic and faults; stretches: quiet ones."""

    def __init__(self, folder: Path, minutes: float, seed: int, broker: str, say: Callable[[str], None]) -> None:
        self.minutes, self.seed, self.broker, self._say = minutes, seed, broker, say
        self._folder = folder
        self._notes: list[str] = []
        self._starved = 0.0
        self.drift = Drift(warm=min(5.0, minutes / 4))

    def run(self) -> dict[str, Any]:
        """A line for the ledger."""
        with ExitStack() as stack:
            ground = Ground(self._folder)
            stack.callback(ground.close)
            mails = stack.enter_context(mail_server())
            case = Case("soak", "random", self.broker, self.seed)
            system = ground.system(self.broker, round(self.minutes * 1500))
            system.forked = False  # their memory is their own
            since = mark(system)
            port = any_free()
            self._prepare(system)
            members = Members(system, port, smtp_url=mails.url, data_dir=str(system.folder))
            until(lambda: self._started(members), "every service has started", STARTING_SECONDS)
            _call_out(system, port)
            traffic = Traffic(system, case.tag, self.seed, self.minutes * 60, port)
            nemesis = Nemesis(ground, members, system.stand, self.seed)
            begun = time.monotonic()
            self._strike(begun, nemesis, traffic, members, system)
            traffic.stop()
            self._heal(system, traffic)
            settled = self._quiet(system, lambda: not _parcels(system))
            gone = members.dead()
            members.end()
            evidence = gather(system, since, case.tag, ground.depths(system), members.ended)
            window = CALLS_AT_ONCE * len(nemesis.frozen["importer"])
            expected = Expected(tuple(traffic.driver.ledger.values()), tuple(traffic.placed), window)
            verdict = check(expected, evidence)
            violations = [f"{name}: {sentence}" for name, sentence in verdict.violations]
            violations += [f"I9: {name} ended by itself" for name in gone]
            wrong, excused_quantities = _quantities(system, traffic, nemesis)
            violations += [f"I3: {sentence}" for sentence in wrong]
            violations += [f"I4: {sentence}" for sentence in _parcels(system)]
            violations += [f"I5: {sentence}" for sentence in _mails(system, mails)]
            violations += [f"drift: {sentence}" for sentence in self.drift.violations()]
            return {
                "case": case.id, "seed": self.seed, "minutes": self.minutes,
                "verdict": "failed" if violations else "passed", "violations": violations[:60],
                "events": traffic.driver.published + traffic.sent_quantities + 2 * len(traffic.placed),
                "orders": verdict.counts["orders"], "quantities": traffic.sent_quantities,
                "shop": len(traffic.placed), "shipped": len(traffic.shipped), "lost": verdict.counts["lost"],
                "doubled": verdict.counts["doubled"], "window": verdict.counts["window"],
                "older_excused": excused_quantities,
                "mails": len(mails.mails), "faults": dict(nemesis.struck), "pages": dict(traffic.pages),
                "settled": round(settled, 1), "drift": self.drift.report(), "looks": len(self.drift.looks),
                "away": len(traffic.errors), "notes": self._notes, "starved": round(self._starved, 1),
            }  # fmt: skip

    def _started(self, members: Members) -> bool:
        """Whether all run; on a machine that stands still some have to be started twice, as a supervisor would."""
        members.revive(())
        return members.started()

    def _prepare(self, system: System) -> None:
        """The shop is polled every few seconds, and somebody wants every alarm."""
        system.change("UPDATE interfaces SET poll_seconds = 5")
        system.stand.settings("xentral", search_lag=0.5)
        with connect(system.database_url, "soak") as conn:
            alarm = Alarm(name="Soak", interfaces=(INTERFACE,), recipients=(SOMEBODY,))
            subscriptions.add(conn, alarm, "soak", "UTC", verified=True)

    def _strike(self, begun: float, nemesis: Nemesis, traffic: Traffic, members: Members, system: System) -> None:
        """Faults until the time is over, with a quiet stretch now and then."""
        whole = self.minutes * 60
        between = max(60.0, min(150.0, whole / 8))
        next_look, next_fault = between / 2, nemesis.pause()
        while (gone := time.monotonic() - begun) < whole:
            if gone >= next_look:
                traffic.pause()
                self._quiet(system)
                self._look(begun, members)
                traffic.go_on()
                next_look = time.monotonic() - begun + between
            elif gone >= next_fault:
                name = nemesis.strike()
                count = sum(nemesis.struck.values())
                self._say(f"[{gone / 60:5.1f} min] {name}; {count} faults, {traffic.driver.published} orders' events")
                next_fault = time.monotonic() - begun + nemesis.pause()
            else:
                time.sleep(min(0.5, whole - gone))
                self._starved = max(self._starved, time.monotonic() - begun - gone)
            if dead := members.revive((STALLED,) if self._starved > STANDSTILL_SECONDS else ()):
                self._notes.append(f"ended by itself and started again at {gone / 60:.1f} min: {', '.join(dead)}")

    def _look(self, begun: float, members: Members) -> None:
        members.revive((STALLED,) if self._starved > STANDSTILL_SECONDS else ())
        pids = members.lasting
        look = Look(
            (time.monotonic() - begun) / 60,
            {name: memory(pid) for name, pid in pids.items()},
            {name: files(pid) for name, pid in pids.items()},
        )
        self.drift.looks.append(look)
        told = ", ".join(
            f"{name} {held / 2**20:.1f} MiB {look.files[name]} files" for name, held in look.memory.items()
        )
        self._say(f"[{look.minute:5.1f} min] quiet: {told}")

    def _heal(self, system: System, traffic: Traffic) -> None:
        """Everything is well again; what the shop sold is shipped."""
        for key in ("xentral", "otto"):
            system.stand.clear(key)
        with suppress(AssertionError):
            traffic.say_quantities()

        def shipped() -> bool:
            _hurry(system)
            with suppress(psycopg.Error):
                traffic.ship()
            return len(traffic.shipped) == len(traffic.placed)

        self._see(shipped, "all that the shop sold is shipped")
        system.change("UPDATE erp_cursors SET polled_at = now() - interval '1 hour'")
        hints_come_due(system)

    def _quiet(self, system: System, and_also: Callable[[], bool] = lambda: True) -> float:
        """Until nothing is under way; returns how many seconds that took."""
        begun = time.monotonic()
        calm = [time.monotonic()]

        def quiet() -> bool:
            _hurry(system)
            with suppress(psycopg.Error):
                if system.query(UNDER_WAY) == [(0, 0, 0)] and and_also():
                    return time.monotonic() - calm[0] > CALM_SECONDS
            calm[0] = time.monotonic()
            return False

        self._see(quiet, "all is quiet")
        return time.monotonic() - begun

    def _see(self, condition: Callable[[], bool], what: str) -> None:
        try:
            until(condition, what, QUIET_SECONDS)
        except AssertionError as error:
            self._notes.append(str(error))


def _hurry(system: System) -> None:
    """What an operator may do with a click: what waits for its next try is due now."""
    with suppress(psycopg.Error):
        system.change(
            "UPDATE records SET due_at = now() WHERE id IN"
            " (SELECT id FROM records WHERE state = 'waiting' AND due_at > now() ORDER BY id FOR UPDATE SKIP LOCKED)"
        )


def _call_out(system: System, port: int) -> None:
    """The ERP calls the Journal about everything that changes there."""
    with connect(system.database_url, "soak") as conn, open_pool(system.database_url, "soak-calls", 2) as pool:
        interface = read(conn, Seal(SECRET), INTERFACE)
        assert interface is not None
        url = f"http://127.0.0.1:{port}/api/v1/webhooks/{INTERFACE}"
        register(
            Remotes(discover(), pool, Metrics("soak", "0"), 5.0, networks=Networks.parse(LOOPBACK)), interface, url
        )


def _quantities(system: System, traffic: Traffic, nemesis: Nemesis) -> tuple[list[str], int]:
    """I3: the newest stands; older ones after newer ones only where a sender stood still in its window.

    Also how many of these were excused.
    """
    shown = system.stand.state("otto")["quantities"]
    found = [
        f"{sku} is shown with {shown.get(sku)}, and {version} is the newest"
        for sku, version in traffic.newest.items()
        if shown.get(sku) != version
    ]
    late = older_after_newer(each for each in system.stand.sent_quantities() if each["sku"] in traffic.newest)
    allowed = excused(late, nemesis.frozen["stock"])
    back = [f"{one.sku}: {one.quantity} came after {one.newer}" for one in late if one not in allowed]
    return found + back, len(allowed)


def _parcels(system: System) -> list[str]:
    """I4: the shop was told of each parcel that left the ERP, once, and of none besides."""
    left, told = left_the_erp(system), shown_in_the_shop(system)
    missing, more = left - told, told - left
    waiting = Counter(system.states("order-export"))
    return [f"{each} was not told; exports: {dict(waiting)}" for each in list(missing)[:5]] + [
        f"{each} was told {told[each]} times" for each in list(more)[:5]
    ]


def _mails(system: System, mails: MailServer) -> list[str]:
    """I5: what Connect says was sent has come; what is queued is not late."""
    came = {str(mail["Message-ID"]) for mail in mails.mails}
    sent = [row[0] for row in system.query("SELECT message_id FROM mails WHERE state = 'sent'")]
    missing = [each for each in sent if not any(each in one for one in came)]
    late = system.query("SELECT count(*) FROM mails WHERE state = 'queued' AND due_at < now() - interval '2 minutes'")
    return [f"mail {each} was sent and never came" for each in missing[:5]] + (
        [f"{late[0][0]} mails are late"] if late[0][0] else []
    )
