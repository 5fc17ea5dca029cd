"""How each service is started by `connect up`: command, environment, port, and where it says that it is ready.

Called by `run.py`, anew at each start of a service. Which services there are is found out, not listed: every one that
Settings names and that can be run.
"""

import importlib.util
import json
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from services.cli.local import ports
from services.cli.local.supervise import DidNotStart
from services.cli.local.ward import Launch, Service
from services.cli.up.folder import DataFolder
from shared.settings import PORTS, SERVICES

ROOT = Path(__file__).resolve().parents[3]


def module(name: str) -> list[str]:
    """The command that runs one of our modules. -P: a folder `services` where we are called must not get in between."""
    return [sys.executable, "-P", "-m", name]


def python_path(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which the modules of this release are found, whatever is installed."""
    return {**environment, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def runnable() -> list[str]:
    """The services that this release has."""
    return [name for name in SERVICES if importlib.util.find_spec(f"services.{name}.__main__")]


class ServiceLaunches:
    """Commands and ports of the services; a port that somebody took meanwhile moves at the next start."""

    def __init__(self, environment: Mapping[str, str], journal_port: int) -> None:
        """`environment` has all settings but the ports."""
        self.environment = dict(environment)
        self.metrics_ports: dict[str, int] = {}
        self._journal_port = journal_port

    def of(self, name: str) -> Launch:
        """How to start one service now."""
        port = ports.prefer(self.metrics_ports.get(name, PORTS[name]))
        self.metrics_ports[name] = port
        environment = {**self.environment, "CONNECT_METRICS_PORT": str(port), "CONNECT_PORT": str(self._journal_port)}
        return Launch(module(f"services.{name}"), python_path(environment), (ports.LOOPBACK, port, "/readyz"))


FIRST_PORT = 8091
MAIL_PORTS = {"mails": 8025, "smtp": 1025}
"""Where documents say that things are; what is taken moves."""


class SandboxLaunch:
    """The stand-ins and the mail catcher: on the ports of the last run, at first on those of the documents, where they
    are free; their addresses are read from stdout."""

    def __init__(
        self, folder: DataFolder, environment: Mapping[str, str], connectors: Iterable[str], place_every: float
    ) -> None:
        """connectors: that have a stand-in; place_every: seconds between two demo orders."""
        self.output = folder.logs / "sandbox.out"
        self._folder = folder
        self._environment = dict(environment)
        self._connectors = sorted(connectors)
        self._place_every = place_every

    def now(self) -> Launch:
        """How to start them now."""
        self.output.unlink(missing_ok=True)
        usual = {key: FIRST_PORT + place for place, key in enumerate(self._connectors)} | MAIL_PORTS
        wanted = usual | json.loads(self._folder.kept("sandbox-ports") or "{}")
        asked = ",".join(f"{key}={port}" for key, port in wanted.items())
        command = [*module("services.sandbox"), "--folder", str(self._folder.sandbox), "--mails", "--may-move"]
        command += ["--ports", asked, "--place-every", str(self._place_every)]
        return Launch(command, python_path(self._environment))

    def addresses(self, service: Service, timeout: float = 30.0) -> dict[str, str]:
        """Wait for the line with the addresses. Raises DidNotStart."""
        deadline = time.monotonic() + timeout
        while True:
            said = self.output.read_text() if self.output.exists() else ""
            if said.endswith("\n"):
                found: dict[str, str] = json.loads(said.splitlines()[0])
                kept = {key: int(address.rpartition(":")[2]) for key, address in found.items()}
                self._folder.keep("sandbox-ports", json.dumps(kept))
                return found
            if not service.alive() or time.monotonic() > deadline:
                raise DidNotStart(f"The stand-ins did not start. Their log is {service.log}:\n{service.last_lines()}")
            time.sleep(0.02)
