"""Three RabbitMQ nodes that form one cluster, with a gate between every two of them.

    node one ──ask──▶ its port mapper ──▶ "two is at the port of the gate one→two"
    node one ──────── gate one→two ─────▶ node two

Nothing of it needs root. Nodes that see only a minority pause, as docs/operations.md asks for.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from services.cli.local import rabbitmq_binaries
from services.cli.local.cluster import write_private
from services.cli.local.ports import LOOPBACK, any_free
from services.cli.local.rabbitmq import RabbitMQ
from services.cli.local.rabbitmq_control import USER, Control
from shared.broker.topology import EVENTS
from tests.faults.gate import Gate
from tests.faults.port_mapper import PortMapper, Registry
from tests.support.waiting import until

NAMES = ("one", "two", "three")
TICK_SECONDS = 5
"""After so long (a quarter less or more) without a word nodes take each other for gone; RabbitMQ's default is 60, and
until then no new channel learns who leads in place of a node that is frozen. See docs/operations.md."""

WHOLE_SECONDS = 180.0
START_SECONDS = 300.0
"""Of a node, on a machine with much else to do."""

PATIENCE_SECONDS = 40.0
ASK_SECONDS = 30.0
CONFIGURATION = "cluster_partition_handling = pause_minority\n"


class Node(RabbitMQ):
    """One of them; its port mapper is ours."""

    def __init__(self, name: str, folder: Path, programs: Path, mapper: int) -> None:
        super().__init__(folder, programs=programs, port=any_free())
        self.name = f"{name}@localhost"
        self._mapper, self._dist = mapper, any_free()

    @property
    def control(self) -> Control:
        """Of this node."""
        return dataclasses.replace(super().control, node=self.name)

    def start(self, timeout: float = 120.0) -> None:
        """Start it and wait until it speaks AMQP."""
        if self.alive():
            return
        if self._programs is None:
            self._programs = rabbitmq_binaries.find(self._cache)
        self._prepare()
        self._node = self._child("rabbitmq", [str(self._programs.scripts / "rabbitmq-server")], self._ended)
        self._node.start()
        self._await_port(self.port, b"AMQP\x00\x00\x09\x01", time.monotonic() + timeout)

    def _prepare(self) -> None:
        super()._prepare()
        configuration = self.folder / "rabbitmq.conf"
        write_private(configuration, configuration.read_text() + CONFIGURATION)
        self._environment |= {
            "ERL_EPMD_PORT": str(self._mapper),
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": str(self._dist),
        }
        self._environment["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] += f" -kernel net_ticktime {TICK_SECONDS}"


class Cluster:
    """Started as a whole; nodes are then killed, frozen and cut off one by one."""

    def __init__(self, folder: Path, programs: Path, *, gated: bool = True) -> None:
        """gated: whether what passes between nodes can be held; without, they speak to each other directly."""
        self._registry = Registry()
        self._away: Node | None = None
        self._gated = gated
        self._gates: dict[tuple[str, str], Gate] = {}
        self._mappers: list[PortMapper] = []
        self.nodes: list[Node] = []
        password, cookie = secrets.token_hex(20), secrets.token_hex(20)
        for name in NAMES:
            home = folder / name
            (home / "home").mkdir(parents=True)
            write_private(home / "password", password)
            write_private(home / "home" / ".erlang.cookie", cookie)
            port = any_free()
            self._mappers.append(PortMapper(port, self._registry, self._shown_to(name)))
            self.nodes.append(Node(name, home, programs, port))

    def start(self) -> None:
        """All nodes, joined; those that run stay."""
        for node in self.nodes:
            if node.alive():
                continue
            node.start(START_SECONDS)
        first = self.nodes[0]
        for node in self.nodes[1:]:
            if "true" not in node.control.evaluate("rabbit_mnesia:is_clustered()."):
                node.control.evaluate(
                    f"rabbit:stop(), ok = rabbit_mnesia:join_cluster('{first.name}', disc), rabbit:start(),"
                    " rabbit:await_startup()."
                )
        self.until_whole()

    def stop(self) -> None:
        """All of it."""
        for gate in self._gates.values():
            gate.open()
        for node in reversed(self.nodes):
            with suppress(Exception):
                node.kill()
        for gate in self._gates.values():
            gate.close()
        for mapper in self._mappers:
            mapper.close()

    def url(self, vhost: str, *nodes: Node) -> str:
        """Names all nodes, or the given ones."""
        where = ",".join(f"{LOOPBACK}:{node.port}" for node in nodes or self.nodes)
        return f"amqp://{USER}:{(self.nodes[0].folder / 'password').read_text()}@{where}/{quote(vhost, safe='')}"

    def vhost(self, name: str) -> str:
        """Make an empty vhost and return its URL."""
        self.nodes[0].control.vhost(name)
        return self.url(name)

    def drop(self, names: Sequence[str]) -> None:
        """Remove vhosts with all that is in them."""
        self.nodes[0].control.drop(names)

    def ask(self, expression: str) -> str:
        """Of a node that runs and is not cut off."""
        error: Exception = RuntimeError("no node runs")
        for node in self.nodes:
            if node.alive() and not self._cut(node):
                try:
                    return node.control.evaluate(expression, ASK_SECONDS)
                except Exception as problem:
                    error = problem
        raise error

    def leader(self, vhost: str, queue: str = EVENTS[0]) -> Node:
        """Which node leads a quorum queue."""
        return self._named(self.ask(f"{_queue(vhost, queue)}, element(2, amqqueue:get_pid(Q))."))

    def consumed_at(self, vhost: str, queue: str = EVENTS[0]) -> Node:
        """Over which node somebody consumes a queue."""
        consumers = "[node(element(1, C)) || C <- rabbit_amqqueue:consumers(Q)]"
        return self._named(self.ask(f"{_queue(vhost, queue)}, {consumers}."))

    def lead(self, vhost: str, node: Node, queue: str = EVENTS[0]) -> None:
        """Hand the lead of a queue to a node."""

        def led() -> bool:
            if self.leader(vhost, queue) is node:
                return True
            self.ask(f"{_queue(vhost, queue)}, catch rabbit_quorum_queue:transfer_leadership(Q, '{node.name}').")
            return False

        until(led, f"{node.name} leads {queue}", 30)

    def until_whole(self) -> None:
        """Wait until every node runs, sees the others, and takes clients."""
        until(self._whole, "the cluster is whole", WHOLE_SECONDS)

    def heal(self, node: Node) -> bool:
        """After a partition: whether the node came back by itself; if not, it is started again, as by its supervisor.

        RabbitMQ 3.10 tries once to go on after a pause; where it meets its neighbours half way it stays down.
        """
        try:
            until(self._whole, "the cluster is whole by itself", PATIENCE_SECONDS)
        except AssertionError:
            node.kill()
            node.start()
            self.until_whole()
            return False
        return True

    @contextmanager
    def cut_off(self, node: Node) -> Iterator[None]:
        """Nothing passes between a node and its neighbours, in either direction; clients reach every node."""
        gates = [gate for pair, gate in self._gates.items() if node.name.partition("@")[0] in pair]
        assert len(gates) >= len(self.nodes) - 1, "the nodes are connected by gates"
        self._away = node
        for gate in gates:
            gate.hold()
        try:
            yield
        finally:
            for gate in gates:
                gate.open()
            self._away = None

    def _cut(self, node: Node) -> bool:
        return node is self._away

    def _whole(self) -> bool:
        seen, wanted = "{rabbit:is_running(), rabbit_nodes:all_running()}.", {node.name for node in self.nodes}
        try:
            said = [node.control.evaluate(seen, ASK_SECONDS) for node in self.nodes]
        except Exception:
            return False
        return all("{true" in one and set(re.findall(r"\w+@localhost", one)) == wanted for one in said)

    def _named(self, answer: str) -> Node:
        found = re.search("|".join(f"{name}@localhost" for name in NAMES), answer)
        assert found is not None, f"no node is named: {answer}"
        return next(node for node in self.nodes if node.name == found.group())

    def _shown_to(self, asking: str) -> Callable[[str, int], int]:
        def shown(name: str, port: int) -> int:
            if name == asking or name not in NAMES or not self._gated:
                return port
            gate = self._gates.get((asking, name))
            if gate is None:
                gate = Gate(port)
                if self._away is not None and self._away.name.partition("@")[0] in (asking, name):
                    gate.hold()
                self._gates[asking, name] = gate
            return gate.port

        return shown


def _queue(vhost: str, queue: str) -> str:
    return f'{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"{vhost}">>, queue, <<"{queue}">>))'
