"""A private RabbitMQ, without root: for the tests and for `make run BROKER=rabbitmq`.

Enters: a folder for its data and one for its programs. Leaves: a URL that only somebody who can read the folder knows.
It listens on the loopback interface only, has a user and a port mapper (epmd) of its own, RabbitMQ 4's limits on every
release, and goes down with the process that started it.
"""

import os
import secrets
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from services.cli.local import cluster, ports, rabbitmq_binaries
from services.cli.local.child import Child
from services.cli.local.rabbitmq_control import NODE, USER, Control
from shared.broker import users

# max_message_size is RabbitMQ 4's own; 3.x would take 128 MB and make tests greener than production.
CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_user = {user}
default_pass = {password}
max_message_size = 16777216
consumer_timeout = {consumer_timeout}
vm_memory_high_watermark.absolute = 768MB
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = warning
log.file = false
"""
METRICS = """\
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = {port}
prometheus.return_per_object_metrics = true
"""


class RabbitMQDidNotStart(RuntimeError):
    """Says in one plain sentence why, and where its log is."""


class RabbitMQ:
    """One node on one folder (0700). Belongs to one process; nobody else may use the folder meanwhile."""

    def __init__(
        self,
        folder: Path,
        *,
        programs: Path,
        port: int | None = None,
        consumer_timeout: float = 1800.0,
        metrics_port: int | None = None,
        say: Callable[[str], None] = lambda _: None,
        on_exit: Callable[[int], None] | None = None,
    ) -> None:
        """`programs` is the cache of unpacked programs, kept between runs; `consumer_timeout` in seconds.

        metrics_port: where its plugin for Prometheus shows metrics; None: without it.
        """
        self.folder = folder.resolve()
        self.port = port or 0
        self._wish = port
        self._cache = programs
        self._consumer_timeout = consumer_timeout
        self.metrics_port = metrics_port
        self._say = say
        self._on_exit = on_exit
        self._programs: rabbitmq_binaries.Programs | None = None
        self._environment: dict[str, str] = {}
        self._node: Child | None = None
        self._epmd: Child | None = None

    @property
    def url(self) -> str:
        """amqp://… of the vhost `/`. Only after `start`."""
        return self.control.url("/")

    @property
    def services_url(self) -> str:
        """amqp://… of the vhost `/` for services, who declare nothing. Only after `start`."""
        return self.control.url("/", users.name("/", "services"), self._passwords()["services"])

    @property
    def pid(self) -> int | None:
        """The process id of the node while it runs."""
        return self._node.pid if self._node else None

    def alive(self) -> bool:
        """Whether the node runs."""
        return self._node is not None and self._node.alive()

    def start(self, timeout: float = 120.0) -> None:
        """Start it and wait until it speaks AMQP. Raises RabbitMQIsMissing, RabbitMQDidNotStart."""
        if self.alive():
            return
        if self._programs is None:
            self._programs = rabbitmq_binaries.find(self._cache, say=self._say)
        deadline = time.monotonic() + timeout
        self._prepare()
        epmd = self._programs.erlang("epmd")
        if epmd is None:
            raise RabbitMQDidNotStart("RabbitMQ did not start: Erlang's program epmd is missing on this system.")
        # As a child of ours: a node without one starts one that outlives it.
        command = [epmd, "-address", ports.LOOPBACK, "-port", self._environment["ERL_EPMD_PORT"]]
        self._epmd = self._child("epmd", command)
        self._epmd.start()
        self._await_port(int(self._environment["ERL_EPMD_PORT"]), b"", deadline)
        self._node = self._child("rabbitmq", [str(self._programs.scripts / "rabbitmq-server")], self._ended)
        self._node.start()
        self._await_port(self.port, b"AMQP\x00\x00\x09\x01", deadline)
        self.control.let_in("/", self._passwords())
        cluster.write_private(self.folder / "port", str(self.port))

    def stop(self) -> None:
        """Close down in order; kill after 20 s. Leaves no process behind."""
        if self._node is not None:
            self._node.send(signal.SIGCONT)
            self._node.stop(20)
        self._stop_epmd()

    def kill(self) -> None:
        """Kill the node as a crash would (for tests)."""
        if self._node is not None:
            self._node.send_group(signal.SIGKILL)
            self._node.wait(10)
        self._stop_epmd()

    def freeze(self) -> None:
        """Stop the node's clock: connections stay open and nothing answers (for tests)."""
        if self._node is not None:
            self._node.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen node go on."""
        if self._node is not None:
            self._node.send(signal.SIGCONT)

    @property
    def control(self) -> Control:
        """What makes vhosts on this node and looks into it; may be written down for other processes."""
        assert self._programs is not None, "start it first"
        return Control(
            port=self.port,
            password=(self.folder / "password").read_text(),
            scripts=str(self._programs.scripts),
            erl_call=self._programs.erlang("erl_call"),
            environment=self._environment,
        )

    def vhost(self, name: str) -> str:
        """Make an empty vhost and return its URL."""
        return self.control.vhost(name)

    def _prepare(self) -> None:
        """Write folders, password, cookie and configuration; choose the ports."""
        assert self._programs is not None
        for folder in (self.folder, self.folder / "home", self.folder / "data"):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        kept = [self.folder / f"{kind}-password" for kind in users.KINDS]
        for file in (self.folder / "password", self.folder / "home" / ".erlang.cookie", *kept):
            if not file.exists():
                cluster.write_private(file, secrets.token_hex(20))
        (self.folder / "home" / ".erlang.cookie").chmod(0o400)
        self.port = ports.prefer(self.port or self._wish or ports.remembered(self.folder / "port"))
        configuration = CONFIGURATION.format(
            port=self.port,
            user=USER,
            password=(self.folder / "password").read_text(),
            consumer_timeout=int(self._consumer_timeout * 1000),
        )
        plugins = "[]."
        if self.metrics_port is not None:
            configuration += METRICS.format(port=self.metrics_port)
            plugins = "[rabbitmq_prometheus]."
        cluster.write_private(self.folder / "rabbitmq.conf", configuration)
        (self.folder / "plugins").write_text(f"{plugins}\n")
        self._environment = {
            "PATH": self._programs.path,
            "HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(ports.any_free()),
            "ERL_EPMD_ADDRESS": ports.LOOPBACK,
            # Asks the start script to become the node instead of watching over it: the child is then the node itself.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_DIST_PORT": str(ports.any_free()),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "none.config"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            # A crash of Erlang leaves its dump here and not in whatever folder somebody stands in.
            "ERL_CRASH_DUMP": str(self.folder / "erl_crash.dump"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "data"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "data"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _passwords(self) -> dict[users.Kind, str]:
        return {kind: (self.folder / f"{kind}-password").read_text() for kind in users.KINDS}

    def _child(self, name: str, command: list[str], on_exit: Callable[[Child, int], None] | None = None) -> Child:
        return Child(name, command, log=self.folder / f"{name}.log", environment=self._environment, on_exit=on_exit)

    def _ended(self, _: Child, code: int) -> None:
        if self._on_exit is not None:
            self._on_exit(code)

    def _stop_epmd(self) -> None:
        if self._epmd is not None:
            self._epmd.stop(0)

    def _await_port(self, port: int, greeting: bytes, deadline: float) -> None:
        """Wait until somebody answers on `port`; to a greeting with at least one byte."""
        child = self._node if greeting else self._epmd
        assert child is not None
        while time.monotonic() < deadline:
            try:
                with socket.create_connection((ports.LOOPBACK, port), 2) as connection:
                    if not greeting:
                        return
                    connection.sendall(greeting)
                    if connection.recv(1):
                        return
            except OSError:
                pass  # not listening yet
            if child.wait(0.05):
                break
        why = child.last_lines(4)
        self.kill()
        raise RabbitMQDidNotStart(f"RabbitMQ did not start. Its log is {child.log}:\n{why}")
