"""Interfaces in the API: how they are set up, without secrets, and a test of their connections."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.connectors.registry import discover
from shared.networks import Networks
from shared.records.interfaces import NewSide, save_mapping, save_side
from tests.support.creating import SEAL
from tests.support.stored import store_record
from tests.web.conftest import Site, count

pytestmark = pytest.mark.servers
PATH = "/api/v1/interfaces/otto-de"


@pytest.fixture
def filled(site: Site) -> Iterator[Site]:
    """Both sides of otto-de lead to a port where nobody listens."""
    url = {"base_url": "http://127.0.0.1:9"}
    save_side(
        site.conn, SEAL, "otto-de", "marketplace", NewSide({**url, "client_id": "i"}, {"client_secret": "geheim"}, 5.0)
    )
    save_side(site.conn, SEAL, "otto-de", "erp", NewSide(url, {"token": "geheim"}, 1.0))
    save_mapping(site.conn, "otto-de", "payment", "PAYPAL", "3")
    object.__setattr__(site.journal, "seal", SEAL)
    object.__setattr__(site.journal, "connectors", discover())
    return site


def test_operators_see_settings_and_what_is_missing_and_nobody_a_secret(filled: Site) -> None:
    record = store_record(filled.conn, "4711", state="failed")
    filled.conn.execute("INSERT INTO blocks VALUES ('otto-de', 'payment:BILL', %s)", (record,))
    for role in ("operator", "admin"):
        answer = filled.api(role).get(PATH)
        assert "geheim" not in answer.text
        found = answer.json()
        erp = found["sides"]["erp"]
        assert erp["settings"] == {"base_url": "http://127.0.0.1:9", "token": "••••••••"}
        assert (erp["breaker"], erp["calls_per_second"]) == ("closed", 1.0)
        assert found["mappings"] == {"payment": {"PAYPAL": "3"}}
        first = found["missing"][0]
        assert (first["kind"], first["source"], first["records"]) == ("payment", "BILL", 1)
    viewer = filled.api("viewer").get(PATH)
    assert (viewer.json()["mode"], "base_url" in viewer.text, "missing" in viewer.json()) == ("live", False, False)
    assert filled.api("operator").get("/api/v1/interfaces/nowhere").status_code == 404


def test_a_test_of_the_connections_says_what_is_wrong_in_the_readers_language(filled: Site) -> None:
    operator = filled.api("operator")
    found = operator.post(f"{PATH}/test", headers={"Accept-Language": "de"}).json()
    assert (found["ok"], found["sides"].keys()) == (False, {"marketplace", "erp"})
    assert found["sides"]["erp"]["code"] == "connection-refused"
    assert "nimmt aber keine Verbindung an" in found["sides"]["erp"]["problem"]
    object.__setattr__(filled.journal, "networks", Networks())
    closed = operator.post(f"{PATH}/test").json()["sides"]["erp"]
    assert (closed["code"], "CONNECT_ALLOWED_NETWORKS" in closed["fix"]) == ("connection-address-refused", True)
    assert count(filled.conn, "audit WHERE verb = 'interfaces.test-connection'") == 2
    assert operator.post("/api/v1/interfaces/nowhere/test").status_code == 404


def test_credentials_that_cannot_be_opened_are_said_in_a_sentence(filled: Site) -> None:
    filled.conn.execute("UPDATE credentials SET sealed = set_byte(sealed, 1, get_byte(sealed, 1) # 255)")
    answer = filled.api("admin").post(f"{PATH}/test")
    assert (answer.status_code, answer.json()["code"]) == (409, "credentials-unreadable")
    assert "CONNECT_SECRET_KEY does not hold" in answer.json()["detail"]
