"""What the supervisor looks after: the shape of a server or a service, and a service as a child process.

`Postgres` and `RabbitMQ` have this shape already; `Service` gives it to a plain command. Called by `connect up`.
"""

import http.client
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.cli.local.child import Child

GRACE_SECONDS = 25.0  # longer than one call to a remote system may take (20 s)


class Ward(Protocol):
    """Something that runs, and is started again when it does not."""

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""

    def alive(self) -> bool:
        """Whether its process runs."""

    def start(self) -> None:
        """Start it. May take its time; raises RuntimeError or OSError with a plain sentence."""

    def stop(self) -> None:
        """End it, gently first; returns when it is gone."""

    def kill(self) -> None:
        """End it at once."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a service this time: asked anew at each start, since ports and URLs may have moved."""

    command: Sequence[str]
    environment: Mapping[str, str]
    ready_url: tuple[str, int, str] | None = None  # host, port, path


class Service:
    """One process of ours, started by a command, ready when its /readyz says so."""

    def __init__(
        self,
        name: str,
        launch: Callable[[], Launch],
        *,
        log: Path,
        output: Path | None = None,
        on_exit: Callable[[int], None] | None = None,
    ) -> None:
        """`output` takes its stdout where it is read; else both streams go to `log`."""
        self.name = name
        self.log = log
        self._launch = launch
        self._output = output
        self._on_exit = on_exit
        self._child: Child | None = None
        self._ready_url: tuple[str, int, str] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child else None

    @property
    def exit_code(self) -> int | None:
        """How it ended, None while it runs."""
        return self._child.exit_code if self._child else None

    def alive(self) -> bool:
        """Whether its process runs."""
        return self._child is not None and self._child.alive()

    def start(self) -> None:
        """Begin; `ready` tells when it serves."""
        launch = self._launch()
        self._ready_url = launch.ready_url
        self._child = Child(
            self.name,
            launch.command,
            log=self.log,
            output=self._output,
            environment=launch.environment,
            on_exit=lambda _, code: self._on_exit(code) if self._on_exit else None,
        )
        self._child.start()

    def ready(self) -> bool:
        """Whether it runs and says that it serves."""
        if not self.alive():
            return False
        return self._ready_url is None or answers_ok(*self._ready_url)

    def stop(self) -> None:
        """SIGTERM, time to finish what it does, then the end."""
        if self._child is not None:
            self._child.stop(GRACE_SECONDS)

    def kill(self) -> None:
        """End it and all that it started."""
        if self._child is not None and self._child.alive():
            self._child.send_group(signal.SIGKILL)
            self._child.wait(5)

    def last_lines(self, count: int = 5) -> str:
        """The end of its log."""
        return self._child.last_lines(count) if self._child else ""


def answers_ok(host: str, port: int, path: str) -> bool:
    """Whether GET says 200 within two seconds."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
