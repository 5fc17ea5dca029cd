"""`connect up`: start everything in order, say how to reach it, look after it until told to stop.

Enters: settings and the options of the command. Leaves: an exit code. What is not configured is embedded: PostgreSQL,
and the broker inside it or a private RabbitMQ. Called by the command line (services/cli/__main__.py).
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from services.cli.local import ports
from services.cli.local.postgres import Postgres, PostgresDidNotStart
from services.cli.local.rabbitmq import RabbitMQ
from services.cli.local.supervise import DidNotStart, StopAsked, Supervisor
from services.cli.local.ward import Launch, Service
from services.cli.local.who import listener
from services.cli.up import demo as demo_interface
from services.cli.up.folder import DataFolder, FolderInUse
from services.cli.up.launches import MAIL_PORTS, SandboxLaunch, ServiceLaunches, runnable
from services.cli.up.people import admin_login, admin_token
from services.cli.up.progress import Progress
from services.cli.up.summary import summary
from services.cli.webhooks import address, register
from shared.broker.apply import apply
from shared.connectors.contract import RemoteError
from shared.connectors.registry import discover
from shared.db.connect import connect
from shared.db.migrate import MigrationError, migrate
from shared.networks import Networks
from shared.records.interfaces import read
from shared.seal import Seal
from shared.settings import Settings, environment, home_folder

BROKERS = ("pgmq", "rabbitmq")


def up(settings: Settings, demo: bool, port: int, json_output: bool, broker: str = "pgmq") -> int:
    """Run until a signal. `port` 0 takes any; `json_output` prints up.json as one line. 0: stopped, 1: cannot start."""
    progress = Progress()
    try:
        folder = DataFolder(settings.data_dir)
        folder.take()
    except (FolderInUse, OSError) as error:
        progress.say(_sentence(error))
        return 1
    if port and not ports.free_soon(port):
        holder = listener(port)
        progress.say(
            f"Port {port} is taken{f' by {holder}' if holder else ''}. "
            f"Choose another: connect up --port {port + 1} (or make run PORT={port + 1})."
        )
        return 1
    running = _Running(settings, folder, progress, demo, port or ports.any_free(), broker)
    try:
        running.start()
        if json_output:
            sys.stdout.write(json.dumps(running.state) + "\n")
        else:
            sys.stdout.write(summary(running.state, folder.path, demo_interface.description() if demo else None))
        sys.stdout.flush()
        running.supervisor.watch()
        progress.say("Stopping")
        return 0
    except StopAsked:
        progress.say("Stopped before it was ready")
        return 130
    except (RuntimeError, OSError, MigrationError, psycopg.Error) as error:
        progress.say(f"Connect cannot start. {_sentence(error)}")
        return 1
    finally:
        folder.up.unlink(missing_ok=True)
        running.supervisor.stop()


@dataclass
class _Running:
    """What one run has started, and what up.json says about it."""

    settings: Settings
    folder: DataFolder
    progress: Progress
    demo: bool
    port: int
    broker: str
    state: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(self.progress.say, self._changed)
        self._postgres: Postgres | None = None
        self._rabbitmq: RabbitMQ | None = None
        self._launches: ServiceLaunches | None = None
        self._sandbox: SandboxLaunch | None = None
        self._services: dict[str, Service] = {}
        self._secret = ""
        # The stand-ins of the demo are on this machine.
        named = self.settings.allowed_networks
        self._allowed = self.settings.networks().with_loopback() if self.demo else named
        self._networks = Networks.parse(self._allowed)

    def start(self) -> None:
        """All steps, in order. Raises with a plain sentence where one fails."""
        self.supervisor.take_signals()
        if self.demo:
            self._begin_sandbox()  # first, because it takes a second and needs nobody
        database_url = self._start_database()
        with self.progress.step("Bringing the schema up to date"), self.supervisor.uninterrupted():
            migrate(database_url)
        amqp_url = self._start_broker(database_url)
        with self.progress.step("Making queues"), self.supervisor.uninterrupted():
            apply(amqp_url)
        self._secret = self.settings.secret_key.get_secret_value() if self.settings.secret_key else ""
        if not self._secret:
            self._secret, _ = self.folder.kept_secret("secret-key")
        stand_ins, mails = self._await_sandbox(database_url)
        with self.supervisor.uninterrupted(), connect(database_url, "connect-up") as conn:
            login = admin_login(conn, self.folder, own_database=self._postgres is not None)
            token = admin_token(conn, self.folder)
        self.state = {
            "journal": f"http://{ports.LOOPBACK}:{self.port}",
            "token": token,
            "login": login,
            "amqp_url": amqp_url,
            "database_url": database_url,
            "sandbox": stand_ins,
            **mails,
            "allowed_networks": self._allowed,
        }
        self._start_services()
        if self.demo:
            self._register_webhook(database_url)
        self._announce()

    def _start_database(self) -> str:
        if self.settings.database_url is not None:
            return self.settings.database()
        with self.progress.step("Starting PostgreSQL"), self.supervisor.uninterrupted():
            self._postgres = Postgres(
                self.folder.postgres, say=self.progress.say, on_exit=self.supervisor.exited("postgres")
            )
            self.supervisor.start({"postgres": self._postgres})
        return self._postgres.url

    def _start_broker(self, database_url: str) -> str:
        if self.settings.amqp_url is not None:
            return self.settings.broker()
        if self.broker == "pgmq":
            return _as_pgmq(database_url)
        if self.broker != "rabbitmq":
            raise DidNotStart(f"There is no broker “{self.broker}”: choose one of {', '.join(BROKERS)}.")
        with self.progress.step("Starting RabbitMQ"):
            self._rabbitmq = RabbitMQ(
                self.folder.rabbitmq,
                programs=_program_cache(environment()),
                say=self.progress.say,
                on_exit=self.supervisor.exited("rabbitmq"),
            )
            self.supervisor.start({"rabbitmq": self._rabbitmq})
        return self._rabbitmq.url

    def _begin_sandbox(self) -> None:
        every = demo_interface.description()["place_every_seconds"]
        standing_in = [key for key, connector in discover().items() if connector.sandbox]
        self._sandbox = SandboxLaunch(self.folder, environment(), standing_in, every)
        self.supervisor.start({"sandbox": self._service("sandbox", self._sandbox.now, output=self._sandbox.output)})

    def _await_sandbox(self, database_url: str) -> tuple[dict[str, str], dict[str, str]]:
        """The addresses of the stand-ins, and of the mail catcher: `mails` for people, `smtp` for the alert service."""
        if self._sandbox is None:
            return {}, {}
        with self.progress.step("Starting the stand-ins of marketplace and ERP"):
            stand_ins, mails = _apart(self._sandbox.addresses(self._services["sandbox"]))
            with self.supervisor.uninterrupted(), connect(database_url, "connect-up") as conn:
                demo_interface.seed(conn, Seal(self._secret), stand_ins, discover())
        return stand_ins, mails

    def _start_services(self) -> None:
        given = environment()
        for name in ("DATABASE_URL", "AMQP_URL", "SECRET_KEY", "ALLOWED_NETWORKS"):
            given.pop(f"CONNECT_{name}_FILE", None)
        settings = {
            **self._servers_of_services(),
            "CONNECT_SECRET_KEY": self._secret,
            "CONNECT_DATA_DIR": str(self.folder.path),
            "CONNECT_ALLOWED_NETWORKS": self._allowed,
        }
        if not given.get("CONNECT_BASE_URL"):
            settings["CONNECT_BASE_URL"] = str(self.state["journal"])
        if self.settings.smtp_url is None:
            settings |= self._mail_server()
        self._launches = ServiceLaunches({**given, **settings}, self.port)
        names = runnable()
        with self.progress.step(f"Starting {', '.join(names)}"):
            services = {name: self._service(name, _launch_of(self._launches, name)) for name in names}
            self.supervisor.start(dict(services))
            self.supervisor.await_ready(list(services.values()))

    def _servers_of_services(self) -> dict[str, str]:
        """Where database and broker are for services: where they are ours, with the fewest rights."""
        database_url, amqp_url = str(self.state["database_url"]), str(self.state["amqp_url"])
        if self._postgres is not None:
            database_url = self._postgres.services_url
            if self.settings.amqp_url is None and self._rabbitmq is None:
                amqp_url = _as_pgmq(database_url)
        if self._rabbitmq is not None:
            amqp_url = self._rabbitmq.services_url
        return {"CONNECT_DATABASE_URL": database_url, "CONNECT_AMQP_URL": amqp_url}

    def _mail_server(self) -> dict[str, str]:
        """The demo's own, where nobody named one."""
        return {"CONNECT_SMTP_URL": f"{self.state['smtp']}?from=connect@example.org"} if "smtp" in self.state else {}

    def _register_webhook(self, database_url: str) -> None:
        """The demo's ERP calls the Journal, wherever that is this time. Without it changes would wait for the poll."""
        slug = demo_interface.description()["slug"]
        with self.progress.step("Telling the ERP where to call"), connect(database_url, "connect-up") as conn:
            interface = read(conn, Seal(self._secret), slug)
            assert interface is not None
            try:
                register(interface, address(str(self.state["journal"]), slug), self._networks)
            except (RemoteError, ValueError) as error:
                self.progress.say(f"The ERP could not be told where to call: {error}. Changes there come in late.")

    def _service(self, name: str, launch: Callable[[], Launch], output: Path | None = None) -> Service:
        service = Service(
            name,
            launch,
            log=self.folder.logs / f"{name}.log",
            output=output,
            on_exit=self.supervisor.exited(name),
        )
        self._services[name] = service
        return service

    def _changed(self, name: str) -> None:
        """Somebody serves again, under another pid and perhaps elsewhere."""
        if name == "sandbox" and self._sandbox is not None:
            stand_ins, mails = _apart(self._sandbox.addresses(self._services["sandbox"]))
            if stand_ins != self.state["sandbox"]:
                self.state["sandbox"] = stand_ins
                with connect(str(self.state["database_url"]), "connect-up") as conn:
                    demo_interface.seed(conn, Seal(self._secret), stand_ins, discover())
            if any(self.state.get(name) != address for name, address in mails.items()):
                self.state |= mails
                if self._launches is not None and self.settings.smtp_url is None:
                    self._launches.environment.update(self._mail_server())
                    self._services["alerts"].stop()  # started again, it is told
        elif name == "postgres" and self._postgres is not None and self._postgres.url != self.state["database_url"]:
            self._moved(self._postgres.url)
        self._announce()

    def _moved(self, database_url: str) -> None:
        """PostgreSQL had to take another port: everybody must be told, which a service is at its start."""
        self.state["database_url"] = database_url
        if self.settings.amqp_url is None and self._rabbitmq is None:
            self.state["amqp_url"] = _as_pgmq(database_url)
        if self._launches is not None:
            self._launches.environment.update(self._servers_of_services())
        for name, service in self._services.items():
            if name != "sandbox":
                service.stop()

    def _announce(self) -> None:
        self.state["pids"] = self.supervisor.pids()
        metrics = self._launches.metrics_ports if self._launches else {}
        self.state["metrics"] = {name: f"http://{ports.LOOPBACK}:{port}/metrics" for name, port in metrics.items()}
        self.folder.announce(self.state)


def _launch_of(launches: ServiceLaunches, name: str) -> Callable[[], Launch]:
    return lambda: launches.of(name)


def _apart(addresses: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Stand-ins of remote systems, and what the mail catcher serves."""
    mails = {name: address for name, address in addresses.items() if name in MAIL_PORTS}
    return {key: address for key, address in addresses.items() if key not in mails}, mails


def _program_cache(given: Mapping[str, str]) -> Path:
    """Where unpacked programs are kept for every data folder of this user."""
    return Path(given.get("XDG_CACHE_HOME") or home_folder() / ".cache") / "connect" / "programs"


def _as_pgmq(database_url: str) -> str:
    """The broker inside the same PostgreSQL."""
    return "pgmq://" + database_url.partition("://")[2]


def _sentence(error: BaseException) -> str:
    if isinstance(error, PostgresDidNotStart | DidNotStart | FolderInUse):
        return str(error)
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}."
    return str(error).strip() or type(error).__name__
