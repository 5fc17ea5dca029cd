"""Starts the stand-ins as a process of their own, and speaks to their control side."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

PROJECT = Path(__file__).parents[2]


@dataclass
class Stand:
    """One running process: the address of each stand-in by connector."""

    addresses: dict[str, str]
    process: subprocess.Popen[str]
    client: httpx2.Client = field(default_factory=lambda: httpx2.Client(timeout=30, trust_env=False))

    def state(self, key: str) -> Any:
        """Everything a stand-in holds."""
        return self._call("GET", key, "state")

    def ledger(self, key: str, after: int = 0) -> list[dict[str, Any]]:
        """Every create that came after this id, in the order of arrival."""
        return list(self._call("GET", key, f"ledger?after={after}")["creates"])

    def faults(self, key: str) -> list[dict[str, Any]]:
        """The faults that still wait for their calls."""
        return list(self._call("GET", key, "faults")["faults"])

    def calls(self, key: str) -> dict[str, int]:
        """Calls per operation."""
        return dict(self._call("GET", key, "calls"))

    def arrivals(self, key: str) -> list[float]:
        """When each call came, in seconds since 1970; of one process."""
        return [at for _, at in self._call("GET", key, "arrivals")["arrivals"]]

    def most_at_once(self, key: str) -> int:
        """How many calls were under way at once."""
        return int(self._call("GET", key, "arrivals")["most_at_once"])

    def count_anew(self, key: str) -> None:
        """Forget the calls so far."""
        self._call("DELETE", key, "calls")

    def sent_quantities(self) -> list[dict[str, Any]]:
        """Every quantity that the marketplace took since its start, in the order of arrival."""
        return list(self._call("GET", "otto", "quantities")["sent"])

    def place(self, key: str, count: int = 1, *defects: str, **more: Any) -> list[str]:
        """Place orders at a marketplace; answers their numbers."""
        return list(self._call("POST", key, "orders", {"count": count, "defects": defects, **more})["numbers"])

    def cancel(self, key: str, number: str) -> None:
        """The buyer cancels."""
        self._call("POST", key, f"orders/{quote(number)}/cancel", {})

    def release(self, key: str, number: str) -> None:
        """The buyer pays an announced order."""
        self._call("POST", key, f"orders/{quote(number)}/release", {})

    def post(self, key: str, what: str, body: Any = None) -> Any:
        """Anything else of the control side, such as `stock` or `orders/4711/ship` of an ERP."""
        return self._call("POST", key, what, {} if body is None else body)

    def products(self, key: str, *skus: str) -> None:
        """Make SKUs known."""
        self._call("POST", key, "products", [{"sku": sku} for sku in skus])

    def fault(self, key: str, fault: str, operation: str = "*", times: int = 1, **more: Any) -> None:
        """Let a fault strike the next calls."""
        self._call("POST", key, "faults", {"operation": operation, "fault": fault, "times": times, **more})

    def clear(self, key: str) -> None:
        """No more faults."""
        self._call("DELETE", key, "faults")

    def settings(self, key: str, **values: float) -> None:
        """Change settings of a stand-in, e.g. `search_lag=0`."""
        self._call("POST", key, "settings", values)

    def kill(self) -> None:
        """As a crash would: SIGKILL."""
        self.process.kill()
        self.process.wait()

    def _call(self, method: str, key: str, what: str, body: Any = None) -> Any:
        answer = self.client.request(method, f"{self.addresses[key]}/_sandbox/{what}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()


@contextmanager
def sandbox(
    folder: Path, ports: Mapping[str, int] | None = None, *arguments: str, log: Path | None = None
) -> Iterator[Stand]:
    """Run the stand-ins on free ports (or the given ones) with their state in `folder`; `log` takes their stderr."""
    wanted = ",".join(f"{key}={port}" for key, port in (ports or {}).items())
    command = [sys.executable, "-m", "services.sandbox", "--folder", str(folder), "--ports", wanted, *arguments]
    with log.open("ab") if log else nullcontext() as errors:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, f"the sandbox did not start: exit {process.wait(10)}"
        stand = Stand(json.loads(line), process)
        with stand.client:
            yield stand
    finally:
        process.terminate()
        try:
            process.wait(60)  # a second on a machine with nothing else to do
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
