"""The articles that an interface lists: what the marketplace accepted last, and what it showed when it was read back.

An article's record (flow *stock*) has its state, its staged event the ERP's quantity; what lies here is the other side.
A row is made by the listing, with a grey record, or by the first event of an article that no listing has named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.db.connect import Connection
from shared.records.receive import NO_DATA


@dataclass(frozen=True, slots=True)
class Article:
    """One article of an interface, as the stock stage needs it.

    sent: what the marketplace accepted last, None where nothing is known; unapplied: how often it did not show it then;
    insist: a person wants it sent even if nothing changed; has_variants: others name it as their parent.
    """

    record_id: int
    sku: str
    foreign_sku: str | None
    name: str | None
    kind: str
    parent_sku: str | None
    sent: int | None
    unapplied: int
    insist: bool
    has_variants: bool

    @property
    def their_sku(self) -> str:
        """What the marketplace calls it."""
        return self.foreign_sku or self.sku


_READ = """
SELECT a.record_id, a.sku, a.foreign_sku, a.name, a.kind, a.parent_sku, a.sent, a.unapplied, a.insist,
       EXISTS (SELECT FROM articles v WHERE v.interface = a.interface AND v.parent_sku = a.sku)
FROM articles a WHERE a.record_id = ANY(%s)
"""


def read_articles(conn: Connection, ids: Sequence[int]) -> dict[int, Article]:
    """The articles of these records; those without a row yet are left out."""
    return {row[0]: Article(*row) for row in conn.execute(_READ, (list(ids),))}


@dataclass(frozen=True, slots=True)
class Named:
    """What an event says of an article."""

    record_id: int
    interface: str
    sku: str
    name: str | None
    kind: str
    parent_sku: str | None

    def adds_to(self, known: Article | None) -> bool:
        """Whether the row does not say it yet."""
        if known is None:
            return True
        return (
            (known.name is None and self.name is not None)
            or (known.parent_sku is None and self.parent_sku is not None)
            or (known.kind == "simple" and self.kind != "simple")
        )


_NAME = """
INSERT INTO articles(record_id, interface, sku, name, kind, parent_sku)
SELECT * FROM unnest(%s::int8[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) ORDER BY 1
ON CONFLICT (record_id) DO UPDATE SET name = coalesce(articles.name, excluded.name),
  parent_sku = coalesce(articles.parent_sku, excluded.parent_sku),
  kind = CASE WHEN articles.kind = 'simple' THEN excluded.kind ELSE articles.kind END
"""


def store_named(conn: Connection, named: Sequence[Named]) -> None:
    """Store what events say; what a listing has said before stands, for events may leave it out."""
    if named:
        conn.execute(
            _NAME,
            (
                [one.record_id for one in named],
                [one.interface for one in named],
                [one.sku for one in named],
                [one.name for one in named],
                [one.kind for one in named],
                [one.parent_sku for one in named],
            ),
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """An article as a page of the ERP's listing shows it."""

    sku: str
    foreign_sku: str | None
    name: str | None
    kind: str
    parent_sku: str | None


_GREY = f"""
INSERT INTO records(interface, flow, key, stage, state, payload_no, changed_at, data_hash, test)
SELECT i.slug, 'stock', l.sku, 'stock', 'never', 0, 'epoch', '{NO_DATA}', m.mode = 'test'
FROM unnest(%s::text[]) AS l(sku), interfaces i JOIN flow_modes m ON m.interface = i.slug AND m.flow = 'stock'
WHERE i.slug = %s ORDER BY l.sku
ON CONFLICT (interface, flow, key) DO NOTHING
"""  # noqa: S608  # the constant is ours
_LIST = """
INSERT INTO articles AS a (record_id, interface, sku, foreign_sku, name, kind, parent_sku, listed_at)
SELECT r.id, r.interface, l.sku, l.foreign_sku, l.name, l.kind, l.parent_sku, %s
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) AS l(sku, foreign_sku, name, kind, parent_sku)
JOIN records r ON r.interface = %s AND r.flow = 'stock' AND r.key = l.sku ORDER BY r.id
ON CONFLICT (record_id) DO UPDATE SET foreign_sku = excluded.foreign_sku, name = excluded.name, kind = excluded.kind,
  parent_sku = excluded.parent_sku, listed_at = excluded.listed_at,
  sent = CASE WHEN a.foreign_sku IS DISTINCT FROM excluded.foreign_sku THEN NULL ELSE a.sent END
"""


def store_listed(conn: Connection, interface: str, page: Sequence[Listed], at: datetime) -> int:
    """Store a page of a listing that was begun `at`; new articles get a grey record. Returns how many there were.

    Harmless to repeat. An article whose number on the marketplace is another one now has nothing sent under it.
    """
    by_sku = {one.sku: one for one in page}
    rows = [by_sku[sku] for sku in sorted(by_sku)]
    if rows:
        with conn.transaction():
            conn.execute(_GREY, ([one.sku for one in rows], interface))
            conn.execute(
                _LIST,
                (
                    at,
                    [one.sku for one in rows],
                    [one.foreign_sku for one in rows],
                    [one.name for one in rows],
                    [one.kind for one in rows],
                    [one.parent_sku for one in rows],
                    interface,
                ),
            )
    return len(rows)


def count_rows(conn: Connection) -> None:
    """Tell PostgreSQL what a listing has added. Until it counts by itself, it looks each article up by the wrong index:
    5,000 rows were read for one, a hundred times as slowly."""
    conn.execute("ANALYZE records, articles")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The marketplace took this quantity for a claim. insisted: a person's wish was known when it was sent."""

    record_id: int
    claim_no: int
    quantity: int
    insisted: bool


_LOCKED = "l AS (SELECT record_id FROM articles WHERE record_id = ANY(%s) ORDER BY 1 FOR NO KEY UPDATE)"
"""In one order for all, so that nobody who changes many waits for each other in a ring."""

_ACCEPT = f"""
WITH {_LOCKED}
UPDATE articles a SET sent = c.quantity, sent_at = now(), claim_no = c.claim_no, insist = a.insist AND NOT c.insisted
FROM l, unnest(%s::int8[], %s::int4[], %s::int8[], %s::bool[]) AS c(id, claim_no, quantity, insisted)
WHERE a.record_id = l.record_id AND c.id = l.record_id AND a.claim_no <= c.claim_no
"""  # noqa: S608  # ours


def store_accepted(conn: Connection, accepted: Sequence[Accepted]) -> None:
    """Note what was taken. What a newer claim has noted stands: its call was the later one."""
    if accepted:
        conn.execute(
            _ACCEPT,
            (
                [one.record_id for one in accepted],
                [one.record_id for one in accepted],
                [one.claim_no for one in accepted],
                [one.quantity for one in accepted],
                [one.insisted for one in accepted],
            ),
        )


def forget_sent(conn: Connection, refused: Sequence[tuple[int, int]]) -> None:
    """Of these (record, claim) nobody knows any more what the marketplace has: the next copy is sent in any case."""
    if refused:
        conn.execute(
            f"WITH {_LOCKED}"  # noqa: S608  # ours
            " UPDATE articles a SET sent = NULL, sent_at = NULL, claim_no = c.claim_no, unapplied = 0"
            " FROM l, unnest(%s::int8[], %s::int4[]) AS c(id, claim_no)"
            " WHERE a.record_id = l.record_id AND c.id = l.record_id AND a.claim_no <= c.claim_no",
            ([id_ for id_, _ in refused], [id_ for id_, _ in refused], [claim_no for _, claim_no in refused]),
        )


def insist(conn: Connection, record_id: int) -> None:
    """A person wants this one sent even if nothing changed."""
    conn.execute("UPDATE articles SET insist = true WHERE record_id = %s", (record_id,))


def insist_on(conn: Connection, interface: str, skus: Sequence[str]) -> None:
    """A person wants these sent even if nothing changed."""
    conn.execute("UPDATE articles SET insist = true WHERE interface = %s AND sku = ANY(%s)", (interface, list(skus)))


def their_skus(conn: Connection, interface: str, skus: Sequence[str]) -> dict[str, str]:
    """What the marketplace calls these articles; one that nobody listed is left out."""
    rows = conn.execute(
        "SELECT sku, coalesce(foreign_sku, sku) FROM articles WHERE interface = %s AND sku = ANY(%s)",
        (interface, list(skus)),
    )
    return dict(rows.fetchall())


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant of a parent, and as of when its quantity is known."""

    sku: str
    parent_sku: str
    changed_at: datetime


def variants(conn: Connection, interface: str, parents: Sequence[str]) -> list[Variant]:
    """The variants of these parents, those whose quantity is known longest first."""
    rows = conn.execute(
        "SELECT a.sku, a.parent_sku, r.changed_at FROM articles a JOIN records r ON r.id = a.record_id"
        " WHERE a.interface = %s AND a.parent_sku = ANY(%s) ORDER BY r.changed_at, a.sku",
        (interface, list(parents)),
    )
    return [Variant(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Kin:
    """What somebody who asks for an article by its SKU has to know: whether it is a parent, or whose variant it is."""

    is_parent: bool
    parent_sku: str | None


def kin(conn: Connection, interface: str, skus: Sequence[str]) -> dict[str, Kin]:
    """By SKU; one that others name as their parent is a parent. Unknown ones are left out."""
    rows = conn.execute(
        "SELECT a.sku, a.kind = 'parent' OR EXISTS (SELECT FROM articles v WHERE v.interface = a.interface"
        "   AND v.parent_sku = a.sku), a.parent_sku FROM articles a WHERE a.interface = %s AND a.sku = ANY(%s)",
        (interface, list(skus)),
    )
    return {sku: Kin(is_parent, parent_sku) for sku, is_parent, parent_sku in rows}
