"""The release before on the schema of this one, in all of its services; and this one on the schema of before.

Two releases under load and over a migration, for minutes: `test_mixed_versions.py`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from services.cli.local.ports import any_free
from shared.db.connect import connect
from shared.db.migrate import migrate, pending
from shared.networks import LOOPBACK
from shared.people.tokens import create_token
from shared.settings import PORTS
from tests.support.before import before, prepare  # noqa: F401 - a fixture
from tests.support.rows import changed_event, stock_event
from tests.support.sandbox import PROJECT, sandbox
from tests.support.system import SECRET, System, order_event, running
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(900)]


@pytest.fixture
def system(tmp_path: Path, empty_database_url: str, before: Path) -> Iterator[System]:  # noqa: F811
    """Everything is as the release before had it."""
    broker = "pgmq" + empty_database_url.removeprefix("postgresql")
    with (
        sandbox(tmp_path / "sandbox") as stand,
        running(System(tmp_path, empty_database_url, broker, stand)) as made,
    ):
        prepare(made, before)
        assert pending(empty_database_url), "the release before has the newest schema already: take an older one"
        yield made


@pytest.mark.faults_full
def test_the_release_before_takes_in_works_and_reads_on_the_new_schema(
    system: System,
    before: Path,  # noqa: F811
) -> None:
    migrate(system.database_url)
    assert pending(system.database_url) == []
    port = any_free()
    for service in ("importer", "exporter", "stock"):
        system.start(service, service, cwd=before)
    with connect(system.database_url, "tests") as conn:
        token = create_token(conn, "tests", "admin")
    (bought,) = system.stand.place("otto", skus=["ABC-1"], units=2)
    system.request("import", [bought])
    numbers = {bought, *(f"old-{n}" for n in range(5))}
    system.publish([order_event(number) for number in numbers - {bought}])
    assert system.until_settled(6, 240) == {"done": 6}
    system.publish([_shipped(bought)], "order-changed")
    system.publish([stock_event("ABC-1", 7)], "stock-changed")
    until(lambda: system.states("order-export")["done"], "a parcel is told", 240)
    until(lambda: system.states("stock")["done"], "a quantity is sent", 240)
    system.start("journal", "journal", cwd=before, port=str(port))
    system.start("alerts", "alerts", cwd=before)
    with httpx2.Client(
        base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30, headers={"Authorization": f"Bearer {token}"}
    ) as client:
        until(lambda: _there(client), "the Journal of before answers", 120)
        items = _read(client, "/api/v1/orders")["items"]
        assert {one["key"] for one in items} == numbers
        one = next(one for one in items if one["key"] == bought)
        for path in (
            f"orders/{one['id']}", f"orders/{one['id']}/history", "exports", "articles", "rejections", "accounting",
            "status", "interfaces", "audit", "alarms",
        ):  # fmt: skip
            assert _read(client, f"/api/v1/{path}"), path
        for page in ("/", "/orders", f"/orders/{one['id']}", "/exports", "/articles", "/audit"):
            answer = client.get(page, headers={"Accept": "text/html"}, follow_redirects=True)
            assert answer.status_code == 200, (page, answer.text[:300])
    for service in PORTS:
        assert system.end(service) == 0, system.log_text(service)[-2000:]
        assert "UndefinedColumn" not in system.log_text(service)
        assert "UndefinedTable" not in system.log_text(service)
        assert "NotNullViolation" not in system.log_text(service)
    assert system.ledger() == dict.fromkeys(numbers, 1)
    system.assert_books_balance()
    system.assert_history_has_no_gaps()
    # And this one goes on from there.
    system.start("new")
    system.publish([order_event("new-0")])
    assert system.until_settled(7, 120) == {"done": 7}


def test_this_release_refuses_the_schema_of_before_and_says_what_to_do(system: System) -> None:
    lacking = pending(system.database_url)
    for service in PORTS:
        process = system.start(service, service)
        assert process.wait(120) == 2, system.log_text(service)
        said = system.log_text(service)
        assert f"database lacks {', '.join(lacking)}: run `connect migrate`" in said, said
    assert pending(system.database_url) == lacking, "no service changes the schema"


@pytest.mark.faults_full
def test_the_upgrade_guide_from_its_first_command_to_its_last_under_load(system: System, before: Path) -> None:  # noqa: F811
    lacking = pending(system.database_url)
    system.start("old", cwd=before)
    numbers = [f"up-{n:03}" for n in range(60)]
    system.publish([order_event(number) for number in numbers[:30]])
    until(lambda: system.states()["done"] > 2, "the old release works", 240)
    guide = (PROJECT / "docs" / "upgrade.md").read_text(encoding="utf-8")
    first, second = (block.split("\n") for block in re.findall(r"```\n(connect .*?)\n```", guide, re.DOTALL))
    assert (first[0], second[0]) == ("connect migrate", "connect doctor")
    said = [_connect(system, *command.split()[1:]) for command in first]
    assert [one.returncode for one in said] == [0] * len(first), said
    assert all(name in said[0].stdout for name in lacking)
    system.publish([order_event(number) for number in numbers[30:]])
    assert system.end("old") == 0
    system.start("new")
    assert system.until_settled(len(numbers), 120) == {"done": len(numbers)}
    for command in second:
        done = _connect(system, *command.split()[1:], "--json")
        told = json.loads(done.stdout)
        if command == "connect doctor":
            wrong = {one["name"] for one in told["findings"] if one["level"] == "wrong"}
            assert wrong <= {*PORTS}, told  # here only an importer runs
        elif command == "connect accounting":
            assert (done.returncode, told["balanced"]) == (0, True)
    assert system.ledger() == dict.fromkeys(numbers, 1)
    # The way back.
    assert system.end("new") == 0
    system.start("old-again", cwd=before)
    system.publish([order_event("back")])
    assert system.until_settled(len(numbers) + 1, 90) == {"done": len(numbers) + 1}


def _connect(system: System, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": "/usr/bin:/bin", "CONNECT_DATABASE_URL": system.database_url, "CONNECT_AMQP_URL": system.broker_url,
        "CONNECT_SECRET_KEY": SECRET, "HOME": str(system.folder),
        "CONNECT_ALLOWED_NETWORKS": LOOPBACK,
    }  # fmt: skip
    command = [sys.executable, "-m", "services.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)


def _shipped(number: str) -> dict[str, Any]:
    shipment = {"id": "1", "carrier": "DHL", "tracking_number": f"T-{number}", "return_carrier": "DHL",
                "return_tracking_number": f"R-{number}", "shipped_at": "2026-11-23T12:00:00Z",
                "lines": [{"sku": "ABC-1", "quantity": 2}]}  # fmt: skip
    return changed_event(number, erp_number=None, shipments=[shipment])


def _there(client: httpx2.Client) -> bool:
    try:
        return client.get("/api/v1/orders").status_code == 200
    except httpx2.HTTPError:
        return False


def _read(client: httpx2.Client, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.text[:500])
    return answer.json()
