"""Credentials in the database: one sealed row each, worthless elsewhere, sealed anew while everything runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.db.connect import Connection, connect
from shared.records.credentials import Stored, reseal, stored
from shared.records.interfaces import NewSide, read, save_side
from shared.records.masked import MASK, TOGETHER, read_masked
from shared.seal import UNNAMED, Seal, SealError
from tests.flow.test_cli import Run, answer, run  # noqa: F401 - a fixture
from tests.support.stored import store_interface
from tests.unit.test_seal import NEW, OLD, first_form

pytestmark = pytest.mark.servers
SIDE = NewSide({"base_url": "http://127.0.0.1:9"}, {"token": "geheim-1", "webhook_key": "geheim-2"}, 1.0)
FORMER, BOTH = Seal(OLD), Seal(f"{NEW}\n{OLD}")


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        for slug in ("otto-de", "otto-at"):
            store_interface(opened, slug)
            save_side(opened, FORMER, slug, "erp", SIDE)
        yield opened


def secrets_of(conn: Connection, seal: Seal, slug: str = "otto-de") -> dict[str, str]:
    found = read(conn, seal, slug)
    assert found is not None
    return dict(found.sides["erp"].secrets)


def keys(conn: Connection) -> set[str]:
    return {one.key for one in stored(conn)}


def as_an_earlier_release(conn: Connection, slug: str) -> None:
    conn.execute("DELETE FROM credentials WHERE interface = %s", (slug,))
    whole = first_form(OLD, f"{slug}/erp", dict(SIDE.secrets))
    conn.execute("UPDATE sides SET sealed = %s WHERE interface = %s", (whole, slug))


@pytest.mark.parametrize(
    "copied",
    [
        "UPDATE credentials c SET sealed = o.sealed FROM credentials o WHERE c.interface = 'otto-de'"
        " AND o.interface = 'otto-at' AND c.name = o.name",
        "UPDATE credentials c SET sealed = o.sealed FROM credentials o WHERE c.interface = 'otto-de'"
        " AND o.interface = 'otto-de' AND c.name = 'token' AND o.name = 'webhook_key'",
        "UPDATE sides c SET sealed = %(whole)s WHERE c.interface = 'otto-de'",
    ],
)
def test_a_copied_row_is_refused(conn: Connection, copied: str) -> None:
    conn.execute(copied, {"whole": first_form(OLD, "otto-at/erp", {"token": "x"})})  # type: ignore[arg-type]
    with pytest.raises(SealError, match="copied from elsewhere"):
        read(conn, BOTH, "otto-de")
    assert secrets_of(conn, BOTH, "otto-at") == SIDE.secrets
    masked = read_masked(conn, "otto-de")
    assert masked is not None, "what opens nothing still shows"


def test_nothing_plain_is_stored_and_names_alone_are_shown(conn: Connection) -> None:
    for table in ("sides", "credentials"):
        rows = conn.execute(f"SELECT t::text, encode(sealed, 'escape') FROM {table} t").fetchall()
        assert "geheim" not in str(rows)
    masked = read_masked(conn, "otto-de")
    assert masked is not None
    assert masked.as_json()["sides"]["erp"]["settings"] == {**SIDE.settings, "token": MASK, "webhook_key": MASK}


def test_an_earlier_release_is_read_and_turned_into_rows_when_saved(conn: Connection) -> None:
    as_an_earlier_release(conn, "otto-de")
    assert secrets_of(conn, BOTH) == SIDE.secrets
    masked = read_masked(conn, "otto-de")
    assert masked is not None
    assert masked.sides["erp"].secrets == (TOGETHER,)
    save_side(conn, BOTH, "otto-de", "erp", SIDE)
    assert [one.name for one in stored(conn, "otto-de")] == ["token", "webhook_key"]
    assert secrets_of(conn, BOTH) == SIDE.secrets


def test_sealing_anew_can_stop_anywhere_and_goes_on(conn: Connection) -> None:
    as_an_earlier_release(conn, "otto-at")
    todo = stored(conn)
    assert {one.key for one in todo} == {FORMER.newest, UNNAMED}
    for number, one in enumerate(todo):
        assert reseal(conn, BOTH, one)
        assert not reseal(conn, BOTH, one), "done already"
        for slug in ("otto-de", "otto-at"):
            assert secrets_of(conn, BOTH, slug) == SIDE.secrets, f"after {number + 1} of {len(todo)}"
    assert keys(conn) == {BOTH.newest}
    assert secrets_of(conn, Seal(NEW)) == SIDE.secrets
    assert not reseal(conn, BOTH, Stored("gone", "erp", "token", UNNAMED))


def test_the_commands_rotate_and_tell_what_is_needed(
    run: Run,  # noqa: F811
    conn: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONNECT_SECRET_KEY", NEW)
    lost = answer(run("secrets", "rotate", "--json"), code=1)
    assert (lost["resealed"], len(lost["failed"])) == (0, 4)
    assert FORMER.newest in lost["failed"]["otto-de/erp/token"]
    findings = {one["said"]: one for one in answer(run("doctor", "--json"), code=1)["findings"]}
    (missing,) = (one for said, one in findings.items() if FORMER.newest in said and one["name"] == "secrets")
    assert missing["level"] == "wrong"
    code, _, err = run("interfaces", "ping", "otto-de")
    assert (code, FORMER.newest in err, "Traceback" in err) == (1, True, False)

    monkeypatch.setenv("CONNECT_SECRET_KEY", f"{NEW}\n{OLD}")
    before = {one["key"]: one for one in answer(run("secrets", "list", "--json"))["keys"]}
    assert (before[FORMER.newest]["secrets"], before[BOTH.newest]["seals"]) == (4, True)
    done = answer(run("secrets", "rotate", "--json"))
    assert (done["resealed"], done["failed"], keys(conn)) == (4, {}, {BOTH.newest})
    assert answer(run("secrets", "rotate", "--json"))["resealed"] == 0
    told = conn.execute("SELECT target FROM audit WHERE verb = 'secrets.rotate' ORDER BY id").fetchall()
    assert [row[0]["secrets"] for row in told] == [0, 4]
    assert "geheim" not in str(told)
    monkeypatch.setenv("CONNECT_SECRET_KEY", NEW)
    assert secrets_of(conn, Seal(NEW)) == SIDE.secrets
