"""`mail-latency`: how soon somebody is mailed about an order that failed, under “immediately”.

A real importer, alert service, broker and mail server; each order fails of a cause of its own, so that each is an
incident. The time runs from the transition to the moment the mail server took the mail, by the database's clock. Once
with the alert service reading the services' metrics itself, once through a Prometheus that scrapes every two seconds.
"""

from __future__ import annotations

import json
import random
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles

import orjson

from benchmarks import cpu
from benchmarks.alarms import FORGET_STORMS
from benchmarks.driver import Failed, Plan, Run, await_, per_thousand, processes
from benchmarks.erp_ground import Erp, Publisher, add_pair, order, pids, skus
from benchmarks.servers import Servers
from benchmarks.stock_ground import service, stand_in
from services.cli.local.child import Child
from shared.alarms import subscriptions
from shared.alarms.wanted import Alarm
from shared.db.connect import Connection, connect
from shared.settings import environment
from tests.support.mail_server import mail_server
from tests.support.servers import programs

SLUG, ADDRESS, BROKER = "bench-mail", "night@example.org", "rabbitmq"
ORDERS, WARM = 25, 2
CONFIG = """
global: {{scrape_interval: 2s, scrape_timeout: 2s}}
scrape_configs:
  - job_name: connect
    static_configs:
{targets}
"""


def mail_latency(servers: Servers, plan: Plan, *, through_prometheus: bool) -> Run:  # noqa: ARG001  # as all of them
    """The value is the median in seconds. Raises Failed."""
    with ExitStack() as stack:
        place = stack.enter_context(servers.place(BROKER))
        stand = stack.enter_context(stand_in(servers, "erp"))
        mails = stack.enter_context(mail_server())
        conn = stack.enter_context(connect(place.database, "bench-driver"))
        add_pair(conn, stand, SLUG)
        Erp(stand).know(skus())
        subscriptions.add(conn, Alarm(name="Night", recipients=(ADDRESS,)), "bench", "UTC", verified=True)
        publisher = Publisher(place)
        stack.callback(publisher.close)
        ports = {"importer": _free_port(), "alerts": _free_port()}
        folder = servers.folder / f"mail-{through_prometheus}"
        folder.mkdir(exist_ok=True)
        metrics = {name: f"http://127.0.0.1:{port}/metrics" for name, port in ports.items()}
        (folder / "up.json").write_text(json.dumps({"metrics": metrics}))
        more = {"CONNECT_SMTP_URL": mails.url, "CONNECT_DATA_DIR": str(folder)}
        if through_prometheus:
            more["CONNECT_PROMETHEUS_URL"] = stack.enter_context(_prometheus(folder, ports))
        commands = [
            ["env", *(f"{key}={value}" for key, value in {**more, "CONNECT_METRICS_PORT": port}.items()),
             *[word for word in service(place, name)[1:] if not word.startswith("CONNECT_METRICS_PORT=")]]
            for name, port in ports.items()
        ]  # fmt: skip
        children = stack.enter_context(processes(servers, commands, place))
        groups = {"processes": pids(children), **servers.pids(BROKER)}
        chance = random.Random(4711)
        _fail(publisher, range(WARM))
        await_(lambda: _sent(conn) >= WARM, 60.0, "the first mails", children)
        before = cpu.sample(groups)
        for n in range(WARM, WARM + ORDERS):
            time.sleep(chance.uniform(0.5, 2.5))  # whatever the phase of the scrapes is
            conn.execute(FORGET_STORMS)  # so many causes within a minute would be gathered
            _fail(publisher, [n])
        await_(lambda: _sent(conn) >= WARM + ORDERS, 60.0, "the mails", children)
        used = cpu.between(before, cpu.sample(groups))
        took = _took(conn)[WARM:]
        wrong = [] if len(took) == ORDERS else [f"{len(took)} mails instead of {ORDERS}"]
        wrong += [] if max(mails.ids(ADDRESS).values()) == 1 else ["a mail came twice"]
    p95 = quantiles(took, n=20)[18]
    figures = {"p50": round(median(took), 2), "p95": round(p95, 2), "max": round(max(took), 2), "mails": float(ORDERS)}
    return Run(figures["p50"], used.foreign_cores, per_thousand(used, ORDERS), wrong, figures)


def _fail(publisher: Publisher, numbers: range | list[int]) -> None:
    for n in numbers:
        event = orjson.loads(order(SLUG, n)[1])
        event["data"]["order"]["payment"]["method"] = f"UNKNOWN_{chr(65 + n // 26)}{chr(65 + n % 26)}"
        publisher.send(SLUG, [orjson.dumps(event)])


def _sent(conn: Connection) -> int:
    return len(_took(conn))


def _took(conn: Connection) -> list[float]:
    """Seconds from each transition to its mail, in the order of the transitions."""
    rows = conn.execute(
        "SELECT extract(epoch FROM m.sent_at - k.entered_at)::float FROM mails m"
        " JOIN alarm_decisions d ON d.id = m.decision JOIN incidents i ON i.id = d.incidents[1]"
        " JOIN troubles k ON k.cause = i.key WHERE m.state = 'sent' ORDER BY k.entered_at"
    ).fetchall()
    return [row[0] for row in rows]


@contextmanager
def _prometheus(folder: Path, ports: dict[str, int]) -> Iterator[str]:
    """One that scrapes every two seconds; its address."""
    found = shutil.which("prometheus") or str(programs().resolve() / "prometheus" / "usr" / "bin" / "prometheus")
    if not Path(found).exists():
        raise Failed("there is no Prometheus here: install Debian's package prometheus")
    targets = "\n".join(
        f'      - {{targets: ["127.0.0.1:{port}"], labels: {{service: {name}}}}}' for name, port in ports.items()
    )
    (folder / "prometheus.yml").write_text(CONFIG.format(targets=targets))
    port = _free_port()
    child = Child(
        "prometheus",
        [found, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
         f"--web.listen-address=127.0.0.1:{port}"],
        log=folder / "prometheus.log",
        environment=environment(),
    )  # fmt: skip
    child.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        child.stop(20)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
