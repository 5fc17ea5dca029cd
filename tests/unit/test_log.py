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


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_is_told_by_where_and_what_and_never_by_its_text(
    form: str, capfd: pytest.CaptureFixture[str]
) -> None:
    log.set_up("importer", form)
    try:
        try:
            raise KeyError("canary-erika@example.org")
        except KeyError as error:
            error.add_note("canary-note")
            raise ExceptionGroup("canary-group", [ValueError("canary-street 5"), error]) from error
    except ExceptionGroup as group:
        structlog.get_logger().exception("work.failed", error=group)
        structlog.get_logger().error("work.failed", exc_info=group)
    said = capfd.readouterr().err
    assert "canary" not in said
    assert said.count("ExceptionGroup") >= 2
    assert "KeyError" in said
    assert "test_an_exception_is_told_by_where" in said
