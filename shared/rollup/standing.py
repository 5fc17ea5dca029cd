"""How interfaces stand: last success, last polls, breakers, tokens. Look-ups by index and tables of a few rows each."""

from __future__ import annotations

from shared.db.connect import Connection
from shared.records.hints import waiting_hints

Figures = dict[str, dict[tuple[str, ...], float]]
"""Name of a metric → the values of its labels → value."""

FLOWS = ("order-import", "order-export", "stock")
BREAKERS = {"closed": 0.0, "half-open": 1.0, "open": 2.0}
ERP_POLL_SECONDS = 900.0
"""As `runtime.erp_poll` does it."""

# Of each strand the newest entry of the index: the tests among them are skipped there, too.
_SUCCESS = """
SELECT f.flow, i.slug, extract(epoch FROM max(t.at))::float8
FROM interfaces i, unnest(%s::text[]) AS f(flow), unnest('{done,warning}'::text[]) AS s(state), LATERAL (
  SELECT r.updated_at AS at FROM records r WHERE r.flow = f.flow AND r.interface = i.slug AND r.state = s.state
    AND NOT r.test ORDER BY r.updated_at DESC, r.id DESC LIMIT 1) t GROUP BY 1, 2
"""
_POLLS = "SELECT interface, extract(epoch FROM ok_at)::float8 FROM {table} WHERE ok_at IS NOT NULL"
_EVERY = """
SELECT m.flow, m.interface, CASE m.flow WHEN 'order-import' THEN i.poll_seconds ELSE %s END::float8
FROM flow_modes m JOIN interfaces i ON i.slug = m.interface
WHERE m.mode = 'live' AND m.flow IN ('order-import', 'order-export')
"""
_TOKENS = """
SELECT interface, side, extract(epoch FROM min(expires_at))::float8 FROM remote_tokens
WHERE expires_at IS NOT NULL AND sealed IS NOT NULL GROUP BY 1, 2
"""
_MODES = "SELECT flow, interface, mode FROM flow_modes"


def standing(conn: Connection) -> Figures:
    """What stands now, by metric."""
    with conn.transaction():
        # Before anybody has analysed a table that grew, the planner would rather sort all of it.
        conn.execute("SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)")
        success = conn.execute(_SUCCESS, (list(FLOWS),)).fetchall()
    every = conn.execute(_EVERY, (ERP_POLL_SECONDS,)).fetchall()
    return {
        "connect_last_success_timestamp_seconds": {(flow, slug): at for flow, slug, at in success},
        "connect_last_poll_timestamp_seconds": _polls(conn, "cursors"),
        "connect_last_erp_poll_timestamp_seconds": _polls(conn, "erp_cursors"),
        "connect_poll_interval_seconds": {(flow, slug): seconds for flow, slug, seconds in every},
        "connect_breaker_state": {
            (slug, side): BREAKERS[state]
            for slug, side, state in conn.execute("SELECT interface, side, breaker FROM side_states")
        },
        "connect_token_expiry_timestamp_seconds": {
            (slug, side): at for slug, side, at in conn.execute(_TOKENS).fetchall()
        },
        "connect_hints": {(slug, kind): float(count) for slug, kind, count in waiting_hints(conn)},
        "connect_flow_live": {
            (flow, slug): float(mode == "live") for flow, slug, mode in conn.execute(_MODES).fetchall()
        },
    }


def _polls(conn: Connection, table: str) -> dict[tuple[str, ...], float]:
    rows = conn.execute(_POLLS.format(table=table).encode())
    return {(slug,): at for slug, at in rows.fetchall()}
