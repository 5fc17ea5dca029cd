"""What metrics ought to say of a database, counted over whole tables: what the rollup is compared with."""

from __future__ import annotations

from shared.db.connect import Connection

PARTS = ("status", "tracking")


def records(conn: Connection) -> dict[tuple[str, ...], float]:
    """(flow, interface, stage, state) → how many."""
    parts: dict[int, dict[str, str]] = {}
    for record, part, state in conn.execute("SELECT record_id, part, state FROM parts"):
        parts.setdefault(record, {})[part] = state
    found: dict[tuple[str, ...], float] = {}
    for id_, flow, slug, stage, state in conn.execute(
        "SELECT id, flow, interface, stage, state FROM records WHERE NOT test"
    ):
        its = {part: parts.get(id_, {}).get(part, "never") for part in PARTS}
        if state in ("pending", "running") or state not in its.values():
            its = dict.fromkeys(PARTS, state)
        for shown, what in its.items() if flow == "order-export" else [(stage, state)]:
            found[flow, slug, shown, what] = found.get((flow, slug, shown, what), 0.0) + 1
    return found


def transitions(conn: Connection) -> dict[tuple[str, ...], float]:
    """(flow, interface, stage, state) → how often entered."""
    rows = conn.execute(
        "SELECT r.flow, r.interface, t.record_id, t.at, t.stage, t.to_state FROM transitions t"
        " JOIN records r ON r.id = t.record_id WHERE NOT r.test"
    ).fetchall()
    with_parts = {(record, at) for _, _, record, at, stage, _ in rows if stage in PARTS}
    found: dict[tuple[str, ...], float] = {}
    for flow, slug, record, at, stage, state in rows:
        stages: tuple[str, ...] = (stage,)
        if stage == "marketplace":
            stages = PARTS if state in ("pending", "running") else () if (record, at) in with_parts else stages
        for shown in stages:
            found[flow, slug, shown, state] = found.get((flow, slug, shown, state), 0.0) + 1
    return found


def errors(conn: Connection) -> dict[tuple[str, ...], float]:
    """(flow, interface, code) → how often."""
    rows = conn.execute(
        "SELECT r.flow, r.interface, t.code, count(*) FROM transitions t JOIN records r ON r.id = t.record_id"
        " WHERE NOT r.test AND t.code IS NOT NULL AND t.to_state IN ('failed', 'waiting')"
        " AND t.stage NOT IN ('status', 'tracking') GROUP BY 1, 2, 3"
    )
    return {tuple(labels): float(count) for *labels, count in rows}


def inputs(conn: Connection) -> dict[tuple[str, ...], float]:
    """(event, interface) → how many came in."""
    rows = conn.execute("SELECT event, interface, sum(inputs)::int FROM arrivals GROUP BY 1, 2")
    return {(event, slug): float(count) for event, slug, count in rows}


def rejections(conn: Connection) -> dict[tuple[str, ...], float]:
    """(queue,) → how many were refused."""
    return {(queue,): float(n) for queue, n in conn.execute("SELECT queue, count(*) FROM rejections GROUP BY 1")}


TRUTH = {
    "connect_records": records,
    "connect_recorded_transitions_total": transitions,
    "connect_recorded_errors_total": errors,
    "connect_recorded_inputs_total": inputs,
    "connect_recorded_rejections_total": rejections,
}


def assert_true(conn: Connection, figures: dict[str, dict[tuple[str, ...], float]]) -> None:
    """Every figure is what is in the database."""
    for name, count in TRUTH.items():
        shown = {labels: value for labels, value in figures[name].items() if value}
        there = count(conn)
        assert shown == there, (name, {at: (shown.get(at), there.get(at)) for at in shown | there
                                       if shown.get(at) != there.get(at)})  # fmt: skip
