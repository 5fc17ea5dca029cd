"""Every column that can hold a text is known to the erasure, or named here with why nobody's data is in it."""

from __future__ import annotations

import pytest

from shared.db.connect import connect
from shared.privacy.texts import OF_TABLE

pytestmark = pytest.mark.servers

OF_ORDERS = {
    "records": {"reason"},
    "payloads": {"body"},
    "transitions": {"reason"},
    "attempts": {"detail"},
    "exchanges": {"body"},
    "parts": {"reason"},
    "shipments": {"document", "remarks", "tracking_number"},
    "ignored": {"why", "reason"},
    "troubles": {"problem"},
    "search_texts": {"words"},
    "events": {"id"},
}
"""Overwritten by `orders.erase_orders`."""

OF_REJECTIONS = {
    "rejections": {"source", "event_id", "raw", "content_type", "routing_key", "problems", "result", "reason"}
}

OF_DEEDS = {"privacy_deeds": {"subject", "position", "counts"}, "privacy_found": {"place", "ref"}}
"""Emptied with the deed."""

NUMBERS = {
    # table: columns with numbers and ids of orders, parcels and articles, which the books and later events go by
    "events": {"key", "source"},
    "records": {"key", "remote", "marketplace_id"},
    "parts": {"part"},
    "shipments": {"shipment", "units", "remote", "carrier"},
    "return_numbers": {"carrier", "number", "shipment"},
    "privacy_holds": {"key"},
    "hints": {"id", "kind", "code"},
    "keys": {"key"},
    "blocks": {"key"},
    "payloads": {"traceparent"},
    "rejections": {"origin", "queue", "event", "resolved_by"},
    "alarm_facts": {"key"},
    "incidents": {"key"},
}

OURS = {
    # of the installation: its settings, its people, its articles, its metrics
    "alarm_arrivals", "age_limits", "alarm_answers", "alarm_decisions", "archive_parts", "archived", "arrivals",
    "articles", "audit_chain", "bulk_items",
    "credentials", "cursors", "duplicates", "erp_cursors", "flow_overrides", "free_days", "interfaces", "listings",
    "login_failures", "login_journeys", "privacy_erased", "privacy_later", "privacy_walks", "probes", "recipients",
    "remote_tokens", "reveals", "rollup_chunks", "rollup_inputs", "rollup_minutes", "rollup_totals", "rollup_watch",
    "schema_migrations", "search_stale", "sessions", "side_states", "sides", "signs_of_life", "tokens", "users",
}  # fmt: skip

WORDS = {
    "actor", "interface", "flow", "stage", "state", "code", "kind", "verb", "event", "outcome", "created_by",
    "noted_by", "added_by",
    "assigned_by", "acknowledged_by", "assignee", "from_state", "to_state", "owner", "resource", "sort", "class",
    "ended_by", "held_by", "severity", "cause", "result", "leaves", "frequency", "language", "time_zone", "interfaces",
    "flows", "on", "hours", "zone", "key", "message_id", "thread", "source", "item", "phase", "currency", "by",
    "updated_by",
}  # fmt: skip
"""Columns that hold one of a few words of ours, or the name of a user of Connect, wherever they are."""


def test_every_column_is_erased_or_said_to_be_harmless(database_url: str) -> None:
    with connect(database_url, "tests") as conn:
        columns = conn.execute(
            "SELECT table_name, column_name FROM information_schema.columns c JOIN information_schema.tables t"
            " USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            " AND (c.data_type IN ('text', 'json', 'jsonb', 'bytea', 'tsvector') OR c.udt_name = '_text')"
        ).fetchall()
    unknown = [
        f"{table}.{column}"
        for table, column in columns
        if not table.startswith(("transitions_", "exchanges_"))
        and table not in OURS
        and column not in (OF_TABLE[table].columns if table in OF_TABLE else ())
        and not any(column in one.get(table, ()) for one in (OF_ORDERS, OF_REJECTIONS, OF_DEEDS, NUMBERS))
        and column not in WORDS
    ]
    assert not unknown, f"May a buyer's data be in {unknown}? See shared/privacy/texts.py."


def test_what_is_listed_is_there(database_url: str) -> None:
    with connect(database_url, "tests") as conn:
        there = set(conn.execute("SELECT table_name, column_name FROM information_schema.columns").fetchall())
    listed = {(one.table, column) for one in OF_TABLE.values() for column in (*one.columns, *dict(one.key))}
    for group in (OF_ORDERS, OF_REJECTIONS, OF_DEEDS, NUMBERS):
        listed |= {(table, column) for table, columns in group.items() for column in columns}
    assert not listed - there
