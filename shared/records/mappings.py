"""Mappings as people change them: what is mapped, since when and by whom; saving one, and what taking one away means.

A change, what it sets due and its line in the audit are one transaction. Called by the Journal, its API and the CLI.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.errors.problem import storable
from shared.people.audit import audit
from shared.records.interfaces import remove_mapping, save_mapping, spellings
from shared.records.rehearsal import kinds_of
from shared.records.search import staged_copy
from shared.records.states import Verb, sources

LONGEST = 200
MOST_READ = 2000
"""Of so many unfinished orders at most it is read which words they have."""

UNFINISHED = ("pending", "running", "waiting", "failed")


class MappingError(ValueError):
    """The mapping cannot be saved like this. code: kind-unknown, source-missing, target-missing, too-long,
    not-printable or changed-meanwhile; values: what its sentence names."""

    def __init__(self, code: str, message: str, **values: str) -> None:
        super().__init__(message)
        self.code, self.values = code, values


@dataclass(frozen=True, slots=True)
class Change:
    """What a change did, or would do. target, before: None for not mapped; due: how many records go on."""

    kind: str
    source: str
    target: str | None
    before: str | None
    due: int


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a word was mapped to before. interface: another one with the same ERP, None for this one."""

    target: str
    at: datetime
    by: str | None
    interface: str | None = None


def read_mappings(conn: Connection, slug: str) -> list[dict[str, Any]]:
    """Every mapping of an interface: kind, source, target, updated_at, updated_by."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT kind, source, target, updated_at, updated_by FROM mappings WHERE interface = %s"
            " ORDER BY kind, source",
            (slug,),
        ).fetchall()


def map_word(
    conn: Connection,
    slug: str,
    kind: str,
    source: str,
    target: str,
    actor: str,
    *,
    kinds: Collection[str],
    was: str | None = None,
    dry_run: bool = False,
) -> Change:
    """Save one mapping; what waited for it is due in the same transaction.

    kinds: those there are. was: what the person saw it mapped to ("": to nothing); where it has become another one
    since, nothing is changed. None: whatever it is. Raises MappingError.
    """
    source, target = source.strip(), target.strip()
    _check(kind, source, target, kinds)
    with conn.transaction():
        before = _locked(conn, slug, kind, source)
        if was is not None and was.strip() != (before or "") and target != before:
            raise MappingError(
                "changed-meanwhile",
                f"Meanwhile {kind} {source} was mapped to “{before or ''}”: look at it again.",
                kind=kind,
                source=source,
                target=before or "–",
            )
        if dry_run:
            return Change(kind, source, target, before, _would_go_on(conn, slug, kind, source))
        due = save_mapping(conn, slug, kind, source, target, actor)
        told = {"interface": slug, "kind": kind, "source": source, "target": target, "before": before, "due": due}
        audit(conn, actor, "interfaces.map", told)
    return Change(kind, source, target, before, due)


def unmap_word(conn: Connection, slug: str, kind: str, source: str, actor: str) -> Change | None:
    """Take one away; what was created with it stays as it is. None where there was none."""
    kind, source = storable(kind), storable(source)
    with conn.transaction():
        before = _locked(conn, slug, kind, source)
        if before is None or not remove_mapping(conn, slug, kind, source):
            return None
        audit(conn, actor, "interfaces.unmap", {"interface": slug, "kind": kind, "source": source, "before": before})
    return Change(kind, source, None, before, 0)


def unfinished_with(conn: Connection, slug: str, kind: str, source: str) -> tuple[int, bool]:
    """How many unfinished orders have this word, and whether there may be more than were read.

    Of a kind that no order names (a setting, a carrier) all unfinished ones of the interface.
    """
    rows = conn.execute(
        f"SELECT copy.data -> 'order' FROM records r CROSS JOIN LATERAL {staged_copy('r')} copy WHERE r.interface = %s"  # noqa: S608
        " AND r.flow = 'order-import' AND r.state = ANY(%s) LIMIT %s",
        (slug, list(UNFINISHED), MOST_READ),
    ).fetchall()
    orders = [row[0] for row in rows if isinstance(row[0], dict)]
    if kind in ("payment", "shipping", "tax"):
        return sum((kind, source) in kinds_of(order) for order in orders), len(rows) == MOST_READ
    return len(orders), len(rows) == MOST_READ


def remembered(conn: Connection, slug: str, words: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Remembered]:
    """What these words (kind, source) were mapped to last: here, else at another interface with the same ERP."""
    wanted = sorted({(storable(kind), storable(source)) for kind, source in words})
    if not wanted:
        return {}
    rows = conn.execute(
        "WITH w AS (SELECT * FROM unnest(%(kinds)s::text[], %(sources)s::text[]) AS w(kind, source)),"
        " here AS (SELECT w.kind, w.source, coalesce(a.target ->> 'target', a.target ->> 'before') AS target, a.at,"
        "   a.actor, NULL AS interface, 0 AS far FROM w JOIN audit a"
        "   ON a.verb IN ('interfaces.map', 'interfaces.unmap')"
        "   AND a.target ->> 'interface' = %(slug)s AND a.target ->> 'kind' = w.kind"
        "   AND a.target ->> 'source' = w.source),"
        " there AS (SELECT w.kind, w.source, m.target, m.updated_at, m.updated_by, m.interface, 1 AS far FROM w"
        "   JOIN mappings m USING (kind, source) JOIN interfaces i ON i.slug = m.interface AND i.slug <> %(slug)s"
        "   AND i.erp = (SELECT erp FROM interfaces WHERE slug = %(slug)s))"
        " SELECT DISTINCT ON (kind, source) kind, source, target, at, actor, interface"
        " FROM (SELECT * FROM here UNION ALL SELECT * FROM there) found WHERE target <> ''"
        " ORDER BY kind, source, far, at DESC",
        {"slug": slug, "kinds": [kind for kind, _ in wanted], "sources": [source for _, source in wanted]},
    ).fetchall()
    return {(kind, source): Remembered(*rest) for kind, source, *rest in rows}


def targets(conn: Connection, slug: str) -> dict[str, list[str]]:
    """By kind, what words are mapped to at the interfaces with the same ERP: what a person may choose from."""
    rows = conn.execute(
        "SELECT DISTINCT m.kind, m.target FROM mappings m JOIN interfaces i ON i.slug = m.interface"
        " WHERE i.erp = (SELECT erp FROM interfaces WHERE slug = %s) AND m.target <> '' ORDER BY 1, 2",
        (slug,),
    ).fetchall()
    found: dict[str, list[str]] = {}
    for kind, target in rows:
        found.setdefault(kind, []).append(target)
    return found


def _check(kind: str, source: str, target: str, kinds: Collection[str]) -> None:
    if kind not in kinds:
        there = ", ".join(sorted(kinds))
        raise MappingError("kind-unknown", f"There is no kind “{kind[:40]}”: there are {there}.", kind=kind[:40])
    if not source:
        raise MappingError("source-missing", "Say which word of the marketplace is to be mapped.")
    if not target:
        raise MappingError("target-missing", "Say what it is called in the ERP; to take a mapping away, remove it.")
    if max(len(source), len(target)) > LONGEST:
        raise MappingError("too-long", f"A mapping has at most {LONGEST} characters on each side.", most=str(LONGEST))
    if not (source + target).isprintable():
        raise MappingError("not-printable", "The mapping holds characters that cannot be seen: type it anew.")


def _locked(conn: Connection, slug: str, kind: str, source: str) -> str | None:
    """What is mapped now; until the transaction ends nobody else changes this interface's mappings."""
    conn.execute("SELECT FROM interfaces WHERE slug = %s FOR UPDATE", (slug,))
    row = conn.execute(
        "SELECT target FROM mappings WHERE interface = %s AND kind = %s AND source = %s", (slug, kind, source)
    ).fetchone()
    return row[0] if row else None


def _would_go_on(conn: Connection, slug: str, kind: str, source: str) -> int:
    row = conn.execute(
        "SELECT count(DISTINCT r.id) FROM blocks b JOIN records r ON r.id = b.record_id"
        " WHERE b.interface = %s AND b.key = ANY(%s) AND r.state = ANY(%s)",
        (slug, [f"{kind}:{one}" for one in spellings(conn, slug, kind, source)], sources(Verb.RAISE)),
    ).fetchone()
    return int(row[0]) if row else 0
