"""The process that is measured: the importer's own loops, wired as services/importer does, with an ERP inside.

`python -m benchmarks.connect_process intake|work|both`; the place comes in CONNECT_DATABASE_URL and CONNECT_AMQP_URL.
Only the remote calls are missing: the stage reads the staged order, as the real one does, and says done.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.servers import SECRET
from shared.broker.open import open_consumer, open_publisher
from shared.db.connect import Connection, connect
from shared.events.envelope import CONTRACTS
from shared.failpoint import Failpoints
from shared.log import set_up
from shared.metrics import Metrics
from shared.records.interfaces import Interface, read
from shared.runtime.bell import Bell
from shared.runtime.collect import Collect, Ports
from shared.runtime.handover import Handover
from shared.runtime.lifecycle import Lifecycle
from shared.runtime.outcome import Done
from shared.runtime.stage import Each, Held, Say
from shared.runtime.timing import Timing
from shared.runtime.wakeups import listen
from shared.runtime.work import Wiring, Work
from shared.seal import Seal
from shared.settings import Settings, load
from shared.version import VERSION

EVENT = "order-imported"
QUEUES = (EVENT, f"{EVENT}.dead", "connect.unrouted")
Beat = Callable[[], None]


class ErpInside:
    """Takes every order at once."""

    lag = 0.0
    system = "none"

    def handle(self, batch: Sequence[Held], say: Say, each: Each) -> None:  # noqa: ARG002  # the contract's signature
        """Read the staged order and give it a number."""
        for held in batch:
            event = held.claim.event or CONTRACTS[f"{EVENT}.v1"].model_validate_json(held.claim.body)
            order = event.data.order
            say(held, Done(remote=f"ERP-{order.number}", called=True))

    def probe(self, keys: Sequence[str]) -> set[str]:
        """No key is ever missing."""
        return set(keys)

    def ping(self) -> None:
        """It is always there."""

    def close(self) -> None:
        """Nothing to close."""


class ErpStage:
    """The importer's stage *erp*, but without a remote system."""

    name = "erp"
    flow = "order-import"
    side = "erp"
    intends = True
    inline = True
    probes: tuple[str, ...] = ()
    tells: str | None = "order:"
    slots: int | None = None
    pause = 0.0

    def open(self, interface: Interface) -> ErpInside:  # noqa: ARG002  # the contract's signature
        """The same for every interface."""
        return ErpInside()


def run(settings: Settings, role: str) -> int:
    """Run the loops of a role until a signal; returns the exit code."""
    database, broker = settings.database(), settings.broker()
    metrics = Metrics("bench", VERSION)
    life = Lifecycle("bench", metrics, 0)
    failpoint, bell, stage, seal = Failpoints(), Bell(), ErpStage(), Seal(SECRET)
    handover = Handover(stage.name, bell.ring, intends=stage.intends)
    publisher = open_publisher(broker, name="bench-wake")

    def link(name: str) -> Callable[[], Connection]:
        return partial(connect, database, f"bench-{name}", plan_once=True)

    def interface(conn: Connection, slug: str) -> Interface | None:
        return read(conn, seal, slug)

    def intake(beat: Beat) -> None:
        consume = partial(open_consumer, broker, QUEUES, name="bench-intake")
        ports = Ports(link("intake"), consume, publisher, metrics, failpoint, beat, life.stopping, life.pause)
        Collect(EVENT, ports, handover).run()

    def work(beat: Beat) -> None:
        wiring = Wiring(link("work"), interface, failpoint, beat, life.fatal, life.stopping, Timing())
        Work(stage, bell, metrics, wiring, handover).run()

    def wakeups(beat: Beat) -> None:
        consume = partial(open_consumer, broker, (f"connect.wake.{stage.name}",), name="bench-work")
        listen(consume, bell, beat=beat, stopping=life.stopping, pause=life.pause)

    loops = {"intake": (intake,), "work": (work, wakeups), "both": (intake, work, wakeups)}
    for loop in loops[role]:
        life.loop(loop.__name__, loop)
    code = life.run()
    publisher.close()
    return code


if __name__ == "__main__":
    set_up("bench", "json")
    sys.exit(run(load(), sys.argv[1]))
