"""Old orders go into files, the database forgets only what the files have, and gets the same rows back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.cli.__main__ import main
from shared.archive import months, parts, write
from shared.archive.folder import ArchiveError
from shared.archive.parquet import Reader
from shared.archive.take_out import take_out
from shared.db import roles
from shared.db.connect import Connection, connect
from shared.failpoint import NAMES
from shared.people.audit import read_audit
from shared.privacy.holds import hold
from shared.records.books import accounting
from shared.records.change import Outcome
from shared.records.history import history, read_record
from tests.support.long_over import DAYS, PERSON, grow_old, orders, rest, rows
from tests.support.rows import store_article
from tests.support.spine import assert_sound, event, nothing, record, store_lane, take_in

pytestmark = pytest.mark.servers


@pytest.fixture
def conn(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setenv("CONNECT_DATABASE_URL", database_url)
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "archive"
    made.mkdir()
    return made


def told(capsys: pytest.CaptureFixture[str], *command: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert main([*command, "--json"]) == code, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def run(folder: Path, capsys: pytest.CaptureFixture[str], **more: str) -> Any:
    return told(capsys, "archive", "run", "--folder", str(folder), *(f"--{k}={v}" for k, v in more.items()))


def test_what_was_archived_and_deleted_comes_back_as_the_same_rows(
    conn: Connection, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    came = orders(conn, "A", "B", "C")
    grow_old(conn)
    orders(conn, "young")
    before, day = rows(conn), (datetime.now(UTC) - timedelta(days=DAYS)).date()
    books = accounting(conn, None, day)
    assert books["balanced"]
    would = told(capsys, "archive", "run", "--folder", str(folder), "--dry-run")["would_go"]
    assert (sum(would.values()), rows(conn), list(folder.iterdir())) == (3, before, [])

    said = run(folder, capsys)
    (part,) = said["parts"]
    month = f"transitions_{day:%Y_%m}"
    assert (part["taken_out"], part["month"], month in said["months_dropped"]) == (6, f"{day:%Y-%m}", True), said
    now = rows(conn)
    ids = {record(conn, number)["id"] for number in "ABC"}
    assert {len(now[table]) for table in ("transitions", "attempts")} != {0}, "the young one stays"
    assert not conn.execute("SELECT FROM transitions WHERE record_id = ANY(%s)", (list(ids),)).fetchall()
    assert {table: now[table] for table in ("records", "events", "parts", "shipments")} == {
        table: before[table] for table in ("records", "events", "parts", "shipments")
    }, "what later events and the books go by"
    (at,) = folder.glob("*/part-*")
    assert sorted(path.name for path in at.iterdir()) == [
        "attempts.parquet", "manifest.json", "parts.parquet", "payloads.parquet", "records.parquet",
        "shipments.parquet", "transitions.parquet",
    ]  # fmt: skip
    in_files = [str(row) for path in at.glob("*.parquet") for row in Reader(path).all()]
    assert not [row for row in in_files if "anary" in row]
    assert len([row for row in Reader(at / "transitions.parquet").all() if row[0] in ids]) >= 12

    # In between everything works on, with what stayed.
    assert accounting(conn, None, day) == books
    assert take_in(conn, came["A"])[0].outcome is Outcome.DUPLICATE
    kept = record(conn, "A")
    shown = read_record(conn, kept["id"])
    assert shown is not None
    assert (shown["state"], shown["total"], history(conn, kept["id"])) == ("done", "45.00", [])
    assert shown["archived"] == [part["part"]]
    conn.execute('UPDATE sides SET settings = \'{"base_url": "https://erp.example.org"}\'')
    assert main(["orders", "show", "A"]) == 0
    assert "lies in the archive, part 1 (connect archive restore)" in capsys.readouterr().out
    assert told(capsys, "archive", "verify", "--folder", str(folder)) == {
        "ok": True, "parts": [{"part": part["part"], "ok": True, "wrong": None}]}  # fmt: skip

    one = told(capsys, "archive", "restore", "--folder", str(folder), "-i", "otto-de", "--number", "B")
    assert one["restored"] == 2
    assert len(history(conn, record(conn, "B")["id"])) > 4
    assert told(capsys, "archive", "restore", "--folder", str(folder), "--part", str(part["part"]))["restored"] == 4
    assert rows(conn) == before
    assert conn.execute("SELECT count(*) FROM archived").fetchone() == (0,)
    assert_sound(conn)
    assert told(capsys, "archive", "restore", "--folder", str(folder), "--part", "1")["restored"] == 0
    verbs = [line["verb"] for line in read_audit(conn)]
    # What was back already is no deed.
    assert (verbs.count("archive.run"), verbs.count("archive.restore")) == (1, 2)

    # And once more: a part of its own.
    assert [one["part"] for one in run(folder, capsys)["parts"]] == [2]
    assert run(folder, capsys)["parts"] == []


def test_what_is_under_way_held_young_or_has_its_buyer_stays(
    conn: Connection, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orders(conn, "held", "back", "touched", "named", "goes")
    take_in(conn, event("busy"))
    grow_old(conn)
    take_in(conn, event("back", version=9, total="46.00", **PERSON))
    rest(conn)
    conn.execute("UPDATE records SET updated_at = now() - interval '900 days' WHERE key = 'back'")
    conn.execute("UPDATE records SET updated_at = now() - interval '700 days' WHERE key = 'touched'")
    conn.execute("DELETE FROM privacy_erased WHERE record_id = %s", (record(conn, "named")["id"],))
    assert hold(conn, "otto-de", "held", "anna", "case 12/26")
    (part,) = run(folder, capsys)["parts"]
    assert part["taken_out"] == 2
    assert parts.parts_of(conn, [record(conn, "goes")["id"]]) == {part["part"]: [record(conn, "goes")["id"]]}
    assert len(history(conn, record(conn, "held")["id"])) > 4


def test_an_order_that_moves_after_it_was_written_stays_whole(
    conn: Connection, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orders(conn, "moves", "held", "goes")
    grow_old(conn)
    cutoff = datetime.now(UTC) - timedelta(days=730)
    part, _ = write.write_part(conn, folder, cutoff, 100, 0, nothing)
    assert part is not None
    assert rows(conn, "archived") == {"archived": []}
    take_in(conn, event("moves", version=9, total="46.00"))
    rest(conn)
    assert hold(conn, "otto-de", "held", "anna", "case 12/26")
    before = len(history(conn, record(conn, "moves")["id"]))
    assert take_out(conn, folder, part, nothing) == 2
    assert len(history(conn, record(conn, "moves")["id"])) == before
    assert history(conn, record(conn, "held")["id"])
    assert not history(conn, record(conn, "goes")["id"])
    # A later change of one whose history is in the archive is taken in like any other.
    assert take_in(conn, event("goes", version=9, total="47.00"))[0].outcome is Outcome.APPLIED
    rest(conn)
    assert len(history(conn, record(conn, "goes")["id"])) >= 2
    assert told(capsys, "archive", "restore", "--folder", str(folder), "--part", str(part.no))["restored"] == 2
    assert_sound(conn)


def test_what_happened_to_articles_long_ago_goes_month_by_month_and_comes_back(
    conn: Connection, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [store_article(conn, sku, quantity=1, seq=6, claim_no=3, payload_no=4, sent_no=3) for sku in ("S-1", "S-2")]
    months.make(conn, {date(2023, 4, 1), date(2023, 5, 1)})
    for id_ in ids:
        conn.execute("DELETE FROM payloads WHERE record_id = %s", (id_,))
        for seq, at in enumerate(
            ("2023-04-02", "2023-04-03", "2023-05-04", "2023-05-05", "2026-11-01", "2026-11-02"), 1
        ):
            conn.execute("INSERT INTO transitions(record_id, seq, at, stage, to_state) VALUES (%s, %s, %s, 'stock',"
                         " 'done')", (id_, seq, at))  # fmt: skip
        for no, at in enumerate(("2023-04-02", "2023-05-04", "2026-11-02"), 1):
            conn.execute("INSERT INTO attempts(record_id, claim_no, stage, started_at, ended_at, outcome, called)"
                         " VALUES (%s, %s, 'stock', %s, %s, 'done', true)", (id_, no, at, at))  # fmt: skip
        for no, at in enumerate(("2023-04-02", "2023-05-04", "2023-05-05", "2026-11-02"), 1):
            conn.execute(
                "INSERT INTO payloads(record_id, no, body, received_at) VALUES (%s, %s, '{}', %s)", (id_, no, at)
            )
    # Of this one nothing happened since: its newest stays, so its month does.
    conn.execute("UPDATE records SET seq = 4, claim_no = 2 WHERE id = %s", (ids[1],))
    conn.execute("DELETE FROM transitions WHERE record_id = %s AND seq > 4", (ids[1],))
    conn.execute("DELETE FROM attempts WHERE record_id = %s AND claim_no > 2", (ids[1],))
    before = rows(conn)
    assert told(capsys, "archive", "run", "--folder", str(folder), "--dry-run")["would_go"] == {"articles": 2}
    said = run(folder, capsys)
    assert [(one["kind"], one["month"], one["taken_out"]) for one in said["parts"]] == [
        ("articles", "2023-04", 2), ("articles", "2023-05", 2)]  # fmt: skip
    assert "transitions_2023_04" in said["months_dropped"]
    assert "transitions_2023_05" not in said["months_dropped"]
    left = "SELECT record_id, array_agg({0} ORDER BY {0}) FROM {1} GROUP BY 1 ORDER BY 1"
    for column, table, stays in (
        ("seq", "transitions", [[5, 6], [4]]), ("claim_no", "attempts", [[3], [2]]),
        ("no", "payloads", [[3, 4], [3, 4]]),
    ):  # fmt: skip
        found = conn.execute(left.format(column, table).encode()).fetchall()
        assert found == list(zip(ids, stays, strict=True)), table
    assert run(folder, capsys)["parts"] == []
    for part in ("1", "2"):
        assert told(capsys, "archive", "restore", "--folder", str(folder), "--part", part)["restored"] == 2
    assert rows(conn) == before


@pytest.mark.parametrize("harm", ["a byte", "a file", "the manifest", "another manifest"])
def test_nothing_is_deleted_where_a_file_is_not_what_was_written(
    conn: Connection, folder: Path, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    orders(conn, "A")
    grow_old(conn)
    part, _ = write.write_part(conn, folder, datetime.now(UTC) - timedelta(days=730), 100, 0, nothing)
    assert part is not None
    before, at = rows(conn), part.name.within(folder)
    broken = at / "transitions.parquet"
    if harm == "a byte":
        body = bytearray(broken.read_bytes())
        body[len(body) // 2] ^= 1
        broken.write_bytes(bytes(body))
    elif harm == "a file":
        broken.unlink()
    elif harm == "the manifest":
        (at / "manifest.json").unlink()
    else:
        (at / "manifest.json").write_text((at / "manifest.json").read_text() + "\n")
    with pytest.raises(ArchiveError):
        take_out(conn, folder, part, nothing)
    assert rows(conn) == before
    assert main(["archive", "run", "--folder", str(folder)]) == 1
    assert "bring the part back" in capsys.readouterr().err or harm == "the manifest"
    assert rows(conn) == before
    assert told(capsys, "archive", "verify", "--folder", str(folder), code=1)["ok"] is False


def test_a_run_or_restore_that_is_killed_anywhere_is_carried_on(
    conn: Connection, folder: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    points = [f"archive.{at}" for at in ("slice-written", "before-rename", "renamed", "part-written", "slice-deleted")]
    assert {name for name in NAMES if name.startswith("archive.")} == {*points, "archive.slice-restored"}
    orders(conn, *(f"{n:03}" for n in range(30)))
    grow_old(conn)
    before = rows(conn)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONNECT_")}
    environment |= {"CONNECT_DATABASE_URL": database_url}

    def kill(point: str, *command: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "services.cli.start", "archive", command[0], "--folder", str(folder), *command[1:]],
            env=environment | {"CONNECT_FAULT": f"{point}:kill"}, capture_output=True, timeout=90, check=False,
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL, done.stderr

    for point in points:
        kill(point, "run")
        gone = {row[0] for row in conn.execute("SELECT record_id FROM archived").fetchall()}
        here = {row[0] for row in conn.execute("SELECT DISTINCT record_id FROM transitions").fetchall()}
        assert not gone & here
        assert len(gone | here) >= 30, f"each order is here or in the archive after {point}"
    run(folder, capsys)
    assert not list(folder.glob("*/.part-*"))
    assert all(one["lies_there"] for one in told(capsys, "archive", "list", "--folder", str(folder))["parts"])
    assert rows(conn, "transitions") == {"transitions": []}
    for (no,) in conn.execute("SELECT DISTINCT part FROM archived ORDER BY part").fetchall():
        kill("archive.slice-restored", "restore", "--part", str(no))
        told(capsys, "archive", "restore", "--folder", str(folder), "--part", str(no))
    assert rows(conn) == before
    assert_sound(conn)


def test_a_month_is_dropped_without_making_writers_wait_long(conn: Connection, database_url: str) -> None:
    old = date(2023, 5, 1)
    months.make(conn, {old})
    name = "transitions_2023_05"
    with connect(database_url, "tests") as writer:
        with writer.transaction():
            take_in(writer, event("A"))
            began = datetime.now(UTC)
            assert months.drop_empty(conn, date(2024, 1, 1)) == [], "somebody writes history"
            waited = datetime.now(UTC) - began
            assert timedelta(seconds=0.3) < waited < timedelta(seconds=10)
            take_in(writer, event("B"))
        conn.execute("INSERT INTO transitions(record_id, seq, at, stage, to_state) VALUES"
                     " (1, 99, '2023-05-04', 'erp', 'done')")  # fmt: skip
        assert months.drop_empty(conn, date(2024, 1, 1)) == [], "it is not empty"
        conn.execute("DELETE FROM transitions WHERE at < '2024-01-01'")
        assert months.drop_empty(conn, date(2023, 5, 31)) == [], "it is not over by then"
        assert months.drop_empty(conn, date(2023, 6, 1)) == [name]
        take_in(writer, event("C"))
    assert conn.execute("SELECT to_regclass(%s)", (name,)).fetchone() == (None,)


def test_only_the_owner_archives_and_one_at_a_time(
    conn: Connection, folder: Path, database_url: str, role_urls: dict[roles.Kind, str],
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    orders(conn, "A")
    grow_old(conn)
    before = rows(conn)
    monkeypatch.setenv("CONNECT_DATABASE_URL", role_urls["services"])
    for command in (["run"], ["restore", "--part", "1"]):
        assert main(["archive", *command, "--folder", str(folder)]) == 1
        assert "owner's CONNECT_DATABASE_URL" in capsys.readouterr().err
    monkeypatch.setenv("CONNECT_DATABASE_URL", database_url)
    with connect(database_url, "tests") as other:
        assert parts.lock(other)
        assert main(["archive", "run", "--folder", str(folder)]) == 1
        assert "Somebody else archives" in capsys.readouterr().err
    assert main(["archive", "run", "--folder", str(folder / "nowhere")]) == 2
    assert main(["archive", "run", "--folder", str(folder), "--older-than", "3"]) == 2
    assert main(["archive", "restore", "--folder", str(folder), "--number", "A"]) == 2
    assert main(["archive", "restore", "--folder", str(folder), "-i", "otto-de", "--number", "A"]) == 1
    assert rows(conn) == before
