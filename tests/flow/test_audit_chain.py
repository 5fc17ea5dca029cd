"""The audit only grows, and shows what was done to it by somebody who rules the database."""

from __future__ import annotations

import json

import psycopg
import pytest

from services.cli.__main__ import main
from shared.db.connect import Connection, connect
from shared.people.audit import audit
from shared.people.audit_chain import seal, verify

pytestmark = pytest.mark.servers


def _lines(conn: Connection, count: int = 5) -> str:
    for number in range(count):
        audit(conn, "Mara", "orders.retry", {"count": number}, "the ERP is back")
    while seal(conn)[0]:
        pass
    return verify(conn).head


def _behind_its_back(conn: Connection, statement: str) -> None:
    """As somebody who owns the database may."""
    with conn.transaction():
        for table in ("audit", "audit_chain"):
            conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        conn.execute(statement.encode())
        for table in ("audit", "audit_chain"):
            conn.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@pytest.mark.parametrize("table", ["audit", "audit_chain"])
def test_nothing_of_it_can_be_changed_or_removed(database_url: str, table: str) -> None:
    with connect(database_url, "tests") as conn:
        _lines(conn)
        column = {"audit": "reason", "audit_chain": "hash"}[table]
        for statement in (f"UPDATE {table} SET {column} = NULL", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only added to"):
                conn.execute(statement.encode())
        assert verify(conn).whole


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE audit SET actor = 'Jana' WHERE id = 2", "was changed"),
        ("UPDATE audit SET at = at - interval '1 second' WHERE id = 2", "was changed"),
        ("UPDATE audit SET target = '{}' WHERE id = 2", "was changed"),
        ("DELETE FROM audit WHERE id = 2", "was removed"),
        ("DELETE FROM audit_chain WHERE no = 2; DELETE FROM audit WHERE id = 2", "links before it were removed"),
        (
            "INSERT INTO audit(actor, verb, at) VALUES ('Mara', 'me.password', now() - interval '2 days')",
            "never sealed",
        ),
        ("UPDATE audit_chain SET line = '\\x00' WHERE no = 2", "does not follow"),
    ],
)
def test_what_was_done_to_it_is_found(database_url: str, statement: str, told: str) -> None:
    with connect(database_url, "tests") as conn:
        _lines(conn)
        _behind_its_back(conn, statement)
        found = verify(conn)
        assert not found.whole
        assert any(told in what for _, what in found.wrong)


def test_all_of_it_written_anew_is_found_by_a_hash_that_was_noted(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONNECT_DATABASE_URL", database_url)
    with connect(database_url, "tests") as conn:
        noted = _lines(conn)
        assert main(["audit", "verify", "--json", "--head", noted]) == 0
        assert json.loads(capsys.readouterr().out)["whole"]
        _behind_its_back(conn, "DELETE FROM audit_chain; DELETE FROM audit WHERE id = 2")
        while seal(conn)[0]:
            pass
        assert verify(conn).whole, "by itself it is a chain again"
        assert main(["audit", "verify", "--head", noted]) == 1
        assert "written anew" in capsys.readouterr().out
        assert main(["audit", "verify"]) == 0


def test_a_line_that_came_late_and_many_at_once_are_sealed(database_url: str) -> None:
    with connect(database_url, "tests") as conn, connect(database_url, "tests") as slow:
        with slow.transaction():
            audit(slow, "Jana", "users.add", {"user": "tim"})
            for number in range(7):
                audit(conn, "Mara", "orders.retry", {"count": number})
            assert [seal(conn, 3)[0] for _ in range(4)] == [3, 3, 1, 0], "nobody waits for a deed that goes on"
        assert seal(conn)[0] == 1
        found = verify(conn)
        assert (found.whole, found.lines, found.sealed) == (True, 8, 8)


def test_what_the_rules_forget_is_counted_and_nothing_wrong(database_url: str) -> None:
    with connect(database_url, "tests") as conn:
        _lines(conn)
        conn.execute("SELECT erase_in_audit(2, '{}', NULL)")
        _behind_its_back(conn, "UPDATE audit SET at = now() - interval '500 days' WHERE id = 1")
        assert not verify(conn).whole
        assert conn.execute("SELECT forget_audit(400, 100)").fetchone() == (1,)
        found = verify(conn)
        assert (found.whole, found.lines, found.sealed, found.erased) == (True, 4, 5, 2)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("DELETE FROM audit")
