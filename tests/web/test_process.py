"""The service as a process: starts, says that it is ready, logs no personal data, ends at SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import psycopg
import pytest

from services.cli.local.ports import any_free
from shared.people.tokens import create_token
from tests.support.waiting import until

pytestmark = pytest.mark.servers


def _free_port() -> int:

    return any_free()


def _start(url: str, log: Path, port: int, metrics: int) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONNECT_")}
    environment |= {"CONNECT_DATABASE_URL": url, "CONNECT_PORT": str(port), "CONNECT_METRICS_PORT": str(metrics)}
    environment |= {"CONNECT_SECRET_KEY": "a-secret-of-the-tests"}  # it opens settings to verify webhooks with
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "services.journal"], env=environment | {"CONNECT_LOG_FORMAT": "json"}, stderr=file
        )


def _ready(metrics: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{metrics}/readyz", timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False


def test_it_starts_serves_logs_nothing_personal_and_stops(database_url: str, tmp_path: Path) -> None:
    port, metrics, log = _free_port(), _free_port(), tmp_path / "log"
    with psycopg.connect(database_url, autocommit=True) as conn:
        token = create_token(conn, "test", "viewer")
    process = _start(database_url, log, port, metrics)
    try:
        until(lambda: _ready(metrics) or process.poll() is not None, "the Journal is ready", 60)
        answer = httpx2.get(
            f"http://127.0.0.1:{port}/api/v1/orders",
            params={"filter": "erika.muster"},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 200, answer.text
        assert "connect_build_info" in httpx2.get(f"http://127.0.0.1:{metrics}/metrics").text
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    written = log.read_text()
    assert "/api/v1/orders" in written
    assert "muster" not in written
    assert token not in written


def test_it_refuses_to_start_on_an_old_schema_and_says_what_to_do(empty_database_url: str, tmp_path: Path) -> None:
    process = _start(empty_database_url, tmp_path / "log", _free_port(), _free_port())
    assert process.wait(60) == 2
    assert "connect migrate" in (tmp_path / "log").read_text()
