"""A deed and its line in the audit are there together or not at all."""

from __future__ import annotations

import pytest

from shared.people.tokens import create_token
from shared.people.users import add_user
from tests.support.stored import store_record
from tests.web.conftest import Site

pytestmark = pytest.mark.servers

PROBLEM = [{"code": "payment-unmapped", "field": "", "values": {"payment": "PAYPAL"}}]
DEEDS = (
    ("POST", "/api/v1/users", {"name": "tim", "password": "correct-horse", "role": "viewer"}),
    ("POST", "/api/v1/users/mara", {"role": "admin"}),
    ("POST", "/api/v1/users/mara", {"password": "another long one"}),
    ("POST", "/api/v1/users/mara", {"active": False}),
    ("POST", "/api/v1/tokens", {"name": "shop", "role": "publisher"}),
    ("POST", "/api/v1/tokens/old/revoke", {}),
    ("PUT", "/api/v1/interfaces/otto-de/mappings/payment/PAYPAL", {"target": "PayPal"}),
    ("POST", "/api/v1/interfaces/otto-de/pause", {}),
    ("POST", "/api/v1/alarms", {"name": "Night", "recipients": ["a@example.org"]}),
    ("POST", "/api/v1/calendar", {"days": [{"day": "2027-01-02", "name": "stocktaking"}]}),
    ("POST", "/api/v1/orders/retry", {"filter": "state:failed"}),
    ("POST", "/api/v1/orders/ignore", {"filter": "state:failed", "why": "the shop said so"}),
    ("POST", "/api/v1/orders/{id}/done-by-hand", {"erp_number": "200417"}),
    ("POST", "/api/v1/views", {"name": "mine", "resource": "orders", "filter": "state:failed"}),
)  # fmt: skip
TABLES = (
    "users", "tokens", "mappings", "interfaces", "flow_modes", "subscriptions", "recipients", "free_days",
    "bulk_runs", "ignored", "views", "records", "transitions", "keys", "audit",
)  # fmt: skip


def _rows(site: Site) -> dict[str, str]:
    found = {}
    for table in TABLES:
        row = site.conn.execute(
            f"SELECT md5(string_agg(t, '' ORDER BY t)) FROM (SELECT (to_jsonb(x) - 'seen_at' - 'used_at')::text AS t"
            f" FROM {table} x) y"
        ).fetchone()
        found[table] = str(row)
    return found


def test_without_its_line_in_the_audit_no_deed_is_done(site: Site) -> None:
    add_user(site.conn, "mara", "correct-horse-battery", "operator")
    create_token(site.conn, "old", "viewer")
    record = store_record(site.conn, "4711", state="failed", reason=PROBLEM, code="payment-unmapped")
    client = site.api("admin")
    client.headers["Prefer"] = "respond-async"
    before = _rows(site)
    site.conn.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no room'; END$$;"
        "CREATE TRIGGER refuse BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    for method, path, body in DEEDS:
        answer = client.request(method, path.format(id=record), json=body)
        assert answer.status_code == 500, f"{path} {body} needs no audit: {answer.text}"
        after = _rows(site)
        changed = [table for table in TABLES if before[table] != after[table]]
        assert not changed, f"{path} {body} changed {changed} without a line in the audit"
    site.conn.execute("DROP TRIGGER refuse ON audit")
    lines = _count(site)
    for method, path, body in DEEDS:
        answer = client.request(method, path.format(id=record), json=body)
        assert answer.status_code < 500, answer.text
    assert _count(site) >= lines + len(DEEDS) - 2


def _count(site: Site) -> int:
    row = site.conn.execute("SELECT count(*) FROM audit").fetchone()
    assert row is not None
    return int(row[0])
