"""A real Prometheus with our configuration beside a whole Connect: RabbitMQ and PostgreSQL with their metrics, too."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from services.cli.local import ports
from services.cli.local.rabbitmq import RabbitMQ
from tests.monitoring.rules import PROMETHEUS, ROOT
from tests.support.monitors import monitor
from tests.support.servers import programs
from tests.support.waiting import until

# Without any CONNECT_… of whoever runs the tests; with what says where unpacked programs are kept.
KEPT = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_CACHE_HOME") if name in os.environ}
CONNECT = [sys.executable, "-m", "services.cli"]


class Monitored:
    """Connect, and a Prometheus that watches it; answers are those of Prometheus."""

    def __init__(self, folder: Path, up: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.folder, self.up, self.environment = folder, up, environment
        self.port = ports.any_free()
        self._targets: dict[str, list[dict[str, Any]]] = {
            "connect": [
                {"targets": [urlsplit(address).netloc], "labels": {"service": name}}
                for name, address in up["metrics"].items()
            ],
            "prometheus": [{"targets": [f"127.0.0.1:{self.port}"]}],
        }
        self._home = folder / "prometheus"
        shutil.copytree(PROMETHEUS, self._home)
        for job in self._targets:
            self._write(job)

    def target(self, job: str, address: str, **labels: str) -> None:
        """Watch one more."""
        self._targets.setdefault(job, []).append({"targets": [address], "labels": labels})
        self._write(job)

    def _write(self, job: str) -> None:
        path = self._home / "targets" / f"{job}.yml"
        path.parent.mkdir(exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(self._targets[job]))  # JSON is YAML
        unfinished.rename(path)

    def command(self) -> list[str]:
        """What starts Prometheus."""
        return [
            str(monitor("prometheus")), f"--config.file={self._home / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{self.port}",
        ]  # fmt: skip

    def ask(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of its API; AssertionError with its words when it refuses."""
        answer = httpx2.get(f"http://127.0.0.1:{self.port}/api/v1/{path}", params=parameters, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def values(self, query: str) -> list[float]:
        """What a query gives now, without what is no number."""
        found = [float(row["value"][1]) for row in self.ask("query", query=query)["result"]]
        return [value for value in found if value == value]

    def firing(self, name: str) -> list[dict[str, str]]:
        """The labels of an alert that fires."""
        return [one["labels"] for one in self.ask("alerts")["alerts"]
                if one["labels"]["alertname"] == name and one["state"] == "firing"]  # fmt: skip

    @contextmanager
    def service(self, name: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
        """One more process of a service, that nobody starts again."""
        environment = {
            **self.environment, "CONNECT_METRICS_PORT": str(port), "CONNECT_DATABASE_URL": self.up["database_url"],
            "CONNECT_ALLOWED_NETWORKS": self.up["allowed_networks"],
        }  # fmt: skip
        with started([*CONNECT, "serve", name], self.folder / f"{name}-{port}.log", environment) as process:
            yield process


@contextmanager
def started(command: list[str], log: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block."""
    with log.open("ab") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env=dict(environment), stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            process.kill()
            process.wait()


@contextmanager
def monitored(folder: Path) -> Iterator[Monitored]:
    """All of it, as soon as Prometheus answers."""
    with ExitStack() as stack:
        rabbit = RabbitMQ(folder / "rabbitmq", programs=programs(), metrics_port=ports.any_free())
        rabbit.start()
        stack.callback(rabbit.stop)
        data = folder / "data"
        environment = {
            **KEPT, "CONNECT_DATA_DIR": str(data), "CONNECT_AMQP_URL": rabbit.url,
            "CONNECT_SECRET_KEY": "a-secret-key-of-the-tests",
        }  # fmt: skip
        up = [*CONNECT, "up", "--demo", "--port", "0"]
        process = stack.enter_context(started(up, folder / "up.log", environment))

        def told() -> dict[str, Any] | None:
            assert process.poll() is None, (folder / "up.log").read_text()
            with suppress(FileNotFoundError):
                return dict(json.loads((data / "up.json").read_text()))
            return None

        found = until(told, "Connect is up", 120)
        watched = Monitored(folder, found, environment)
        watched.target("rabbitmq", f"127.0.0.1:{rabbit.metrics_port}")
        exporter = ports.any_free()
        database = found["database_url"]
        stack.enter_context(started(
            [str(monitor("prometheus-postgres-exporter")), f"--web.listen-address=127.0.0.1:{exporter}"],
            folder / "postgres-exporter.log", {**KEPT, "DATA_SOURCE_NAME": f"{database}?sslmode=disable"},
        ))  # fmt: skip
        watched.target("postgres", f"127.0.0.1:{exporter}")
        prometheus = stack.enter_context(started(watched.command(), folder / "prometheus.log", KEPT))

        def answers() -> bool:
            assert prometheus.poll() is None, (folder / "prometheus.log").read_text()
            with suppress(httpx2.HTTPError):
                return httpx2.get(f"http://127.0.0.1:{watched.port}/-/ready", timeout=2).status_code == 200
            return False

        until(answers, "Prometheus answers", 60)
        yield watched
