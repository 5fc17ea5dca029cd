"""Log lines: who said it stands on every line, and what may not be said is not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
import structlog

from shared import log


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_the_lines_of_every_thread_name_the_service(capfd: pytest.CaptureFixture[str]) -> None:
    log.set_up("importer", "json")
    thread = threading.Thread(target=lambda: structlog.get_logger().info("work.started"))
    thread.start()
    thread.join(10)
    structlog.get_logger().info("service.started")
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [(line["event"], line["service"]) for line in lines] == [
        ("work.started", "importer"),
        ("service.started", "importer"),
    ]


def test_a_key_that_is_not_on_the_list_loses_its_value(capfd: pytest.CaptureFixture[str]) -> None:
    log.set_up("importer", "json")
    structlog.get_logger().info("order.staged", email="erika@example.org", count=1)
    line = json.loads(capfd.readouterr().err)
    assert (line["email"], line["count"]) == ("…", 1)
