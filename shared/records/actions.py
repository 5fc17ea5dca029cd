"""What operators do to records, the same for page, API and CLI. Each is one conditional statement with its history."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from shared.db.connect import Connection
from shared.errors.problem import storable
from shared.records.filter import Filter
from shared.records.left_alone import SAID, WHY, Left, choices
from shared.records.lock_order import LOCK_ORDER
from shared.records.resources import OF_VERB, Resource
from shared.records.selected import selected
from shared.records.states import Verb, sources

MOST_NUMBERS = 1000
NOWHERE = "?"
"""The interface of a wanted record that is not there."""


class Seen(NamedTuple):
    """A record as it was when it was chosen: the number of its last transition and of its staged copy. None: it is
    chosen at this very moment."""

    seq: int | None = None
    payload_no: int | None = None


@dataclass(frozen=True, slots=True)
class Acted:
    """What a verb did. done: ids; seqs: the numbers of their transitions; left: why it left others alone, by id."""

    done: list[int]
    left: dict[int, Left] = field(default_factory=dict)
    seqs: dict[int, int] = field(default_factory=dict)

    @property
    def skipped(self) -> dict[int, str]:
        """Why the others were left alone, in English."""
        return {id_: SAID[why] for id_, why in self.left.items()}


_RETRY = f"""
WITH w AS (SELECT * FROM unnest(%(ids)s::int8[], %(seqs)s::int4[], %(copies)s::int4[]) AS w(id, seen, copy)),
o AS (SELECT r.id, r.state, r.code, r.seq, r.payload_no, r.forced, m.mode, w.seen, w.copy,
        m.mode <> 'live' OR i.from_date IS NOT NULL AND r.flow <> 'stock' AS wish
      FROM w JOIN records r USING (id) JOIN interfaces i ON i.slug = r.interface
        JOIN flow_modes m ON m.interface = r.interface AND m.flow = r.flow
      WHERE r.id = ANY(%(ids)s) {LOCK_ORDER} FOR UPDATE OF r),
v AS (SELECT o.*, {WHY} AS why FROM o),
u AS (UPDATE records r SET state = 'pending', due_at = now(), seq = r.seq + 1, tries = 0, trying_since = NULL,
        forced = v.wish, updated_at = now(),
        code = CASE WHEN v.state = 'skipped' AND v.code = 'ignored' THEN NULL ELSE r.code END,
        reason = CASE WHEN v.state = 'skipped' AND v.code = 'ignored' THEN NULL ELSE r.reason END
      FROM v WHERE r.id = v.id AND v.why IS NULL
      RETURNING r.id, r.seq, r.stage, v.state AS was),
t AS (INSERT INTO transitions(record_id, seq, stage, from_state, to_state, code, actor)
      SELECT id, seq, stage, was, 'pending', 'retried', %(actor)s FROM u)
SELECT v.id, v.why, u.seq FROM v LEFT JOIN u USING (id)
"""  # noqa: S608 - our own text


def retry(
    conn: Connection,
    ids: Sequence[int],
    actor: str,
    seen: Mapping[int, Seen] | None = None,
    leave: Collection[str] = (),
) -> Acted:
    """Set these records due now, with a fresh retry budget. Those already on their way are left alone, by name, and so
    are grey ones, for which nothing has come yet.

    Where the flow is in test or paused, a person's wish still runs the record, also one that is pending there; and an
    order older than the go-live is imported for it.

    seen: how the records were when they were chosen. One that has moved since is left alone, and so is one that is
    ignored, and those of the kinds to leave.
    """
    rows = conn.execute(
        _RETRY,
        {
            "ids": list(ids),
            "seqs": [None if seen is None else seen[id_].seq for id_ in ids],
            "copies": [None if seen is None else seen[id_].payload_no for id_ in ids],
            "from": sources(Verb.RETRY),
            "actor": actor,
            "ignored": seen is None,
            **choices(leave),
        },
    ).fetchall()
    return acted(ids, rows)


def acted(ids: Sequence[int], rows: Sequence[tuple[Any, ...]]) -> Acted:
    """From (id, why it was left alone or None, number of its transition); ids without a row are not known."""
    left = {id_: Left(why) if why else Left.ON_ITS_WAY for id_, why, seq in rows if seq is None}
    known = {id_ for id_, _, _ in rows}
    left |= {id_: Left.UNKNOWN for id_ in ids if id_ not in known}
    return Acted([id_ for id_, _, seq in rows if seq is not None], left, {id_: seq for id_, _, seq in rows if seq})


def run_again(conn: Connection, record_id: int, actor: str) -> None:
    """A person wants this record to run even if nothing changed; one that is running runs once more afterwards."""
    retry(conn, [record_id], actor)
    conn.execute("UPDATE records SET recheck = true WHERE id = %s AND state = 'running'", (record_id,))


def request(
    conn: Connection, verb: str, interface: str, numbers: Sequence[str], actor: str, *, dry_run: bool = False
) -> UUID:
    """Ask for orders, exports or articles of an interface by number: verb `import`, `export` or `sync`.

    The service of the flow answers number by number, read from where they come from. What cannot be a number is
    answered at once (`malformed`), as is an import of what Connect has already (`exists`); what is exported or synced
    is sent even if nothing changed. Returns the id of the receipt.

    dry_run: only show what would be sent, also of what Connect has; nothing is stored or sent.
    Raises ValueError for more than MOST_NUMBERS: the callers check, nothing is cut off in silence.
    """
    wanted = list(dict.fromkeys(number.strip() for number in numbers if number.strip()))
    if len(wanted) > MOST_NUMBERS:
        raise ValueError(f"{len(wanted)} numbers at once, {MOST_NUMBERS} are allowed")
    return _store(conn, OF_VERB[verb], interface, [(interface, number) for number in wanted], actor, dry_run)


def request_selected(
    conn: Connection,
    verb: str,
    actor: str,
    *,
    ids: Sequence[int] | None = None,
    filter: Filter | None = None,
    excepted: Sequence[int] = (),
    dry_run: bool = False,
    again: bool = False,
) -> UUID:
    """The same for records that are there, by id or by filter, of any interface. An id that is not is `not-found`.

    again: of an import, read also what Connect has; what has not changed there is answered with `exists` and does not
    run. Raises TooMany.
    """
    resource = OF_VERB[verb]
    with conn.transaction():
        found = selected(conn, resource.flow, ids, filter, excepted)
        rows = conn.execute(
            "SELECT interface, key FROM records WHERE id = ANY(%s) ORDER BY interface, key", (found,)
        ).fetchall()
        places = [(interface, key) for interface, key in rows]
        places += [(NOWHERE, str(one)) for one in dict.fromkeys(ids or ()) if one not in set(found)]
        interfaces = {interface for interface, _ in rows}
        return _store(conn, resource, interfaces.pop() if len(interfaces) == 1 else None, places, actor, dry_run, again)


def _store(
    conn: Connection,
    resource: Resource,
    interface: str | None,
    places: Sequence[tuple[str, str]],
    actor: str,
    dry_run: bool,
    again: bool = False,
) -> UUID:
    """interface: of the whole receipt, None where its numbers belong to several."""
    longest = resource.number_length
    bad = [len(number) > longest or not number.isprintable() for _, number in places]
    with conn.transaction():
        row = conn.execute(
            "INSERT INTO receipts(verb, interface, created_by, dry_run, again) VALUES (%s, %s, %s, %s, %s)"
            " RETURNING id",
            (resource.verb, interface, actor, dry_run, again),
        ).fetchone()
        assert row is not None
        conn.execute(
            "INSERT INTO receipt_numbers(receipt, no, interface, number, result, record_id, due_at)"
            " SELECT %(receipt)s, n.no, n.interface, n.number, n.result, n.id,"
            "   CASE WHEN n.result = 'queued' THEN now() END"
            " FROM (SELECT n.*, r.id, CASE WHEN n.bad THEN 'malformed' WHEN n.interface = %(nowhere)s THEN 'not-found'"
            "         WHEN r.id IS NOT NULL THEN 'exists' ELSE 'queued' END AS result"
            "   FROM unnest(%(nos)s::int[], %(interfaces)s::text[], %(numbers)s::text[], %(bad)s::bool[])"
            "     AS n(no, interface, number, bad)"
            "   LEFT JOIN records r ON %(new)s AND (r.interface, r.flow, r.key) = (n.interface, %(flow)s, n.number)) n",
            {
                "receipt": row[0],
                "nos": list(range(len(places))),
                "interfaces": [place for place, _ in places],
                "numbers": [
                    storable(number[:longest]) if wrong else number
                    for (_, number), wrong in zip(places, bad, strict=True)
                ],
                "bad": bad,
                "nowhere": NOWHERE,
                "new": resource.verb == "import" and not dry_run and not again,
                "flow": resource.flow,
            },
        )
    return UUID(str(row[0]))
