"""What operators do to records, the same for page, API and CLI. Each is one conditional statement with its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.db.connect import Connection
from shared.errors.problem import storable
from shared.records.filter import Filter
from shared.records.resources import OF_VERB, Resource
from shared.records.selected import selected
from shared.records.states import Verb, sources

MOST_NUMBERS = 1000
NOWHERE = "?"
"""The interface of a wanted record that is not there."""


@dataclass(frozen=True, slots=True)
class RetryResult:
    """done: ids that will run; skipped: why the others will not, by id."""

    done: list[int]
    skipped: dict[int, str]


def retry(conn: Connection, ids: Sequence[int], actor: str) -> RetryResult:
    """Set these records due now, with a fresh retry budget. Those already on their way are left alone, by name, and so
    are grey ones, for which nothing has come yet.

    Where the flow is in test or paused, a person's wish still runs the record, also one that is pending there; and an
    order older than the go-live is imported for it.
    """
    rows = conn.execute(
        "WITH o AS (SELECT r.id, r.state, m.mode,"
        "   m.mode <> 'live' OR i.from_date IS NOT NULL AND r.flow <> 'stock' AS wish"
        "   FROM records r JOIN interfaces i ON i.slug = r.interface"
        "   JOIN flow_modes m ON m.interface = r.interface AND m.flow = r.flow"
        "   WHERE r.id = ANY(%(ids)s) ORDER BY r.id FOR UPDATE OF r),"
        " u AS (UPDATE records r SET state = 'pending', due_at = now(), seq = seq + 1, tries = 0, trying_since = NULL,"
        "   forced = o.wish, updated_at = now() FROM o WHERE r.id = o.id"
        "   AND r.payload_no > 0 AND o.state = ANY(%(from)s)"
        "   AND (o.state <> 'pending' OR o.mode <> 'live' AND NOT r.forced)"
        "   RETURNING r.id, r.seq, r.stage, o.state AS was),"
        " t AS (INSERT INTO transitions(record_id, seq, stage, from_state, to_state, code, actor)"
        "   SELECT id, seq, stage, was, 'pending', 'retried', %(actor)s FROM u)"
        " SELECT o.id, o.state, u.id IS NOT NULL FROM o LEFT JOIN u USING (id)",
        {"ids": list(ids), "from": sources(Verb.RETRY), "actor": actor},
    ).fetchall()
    skipped = {
        id_: "has nothing to send yet" if state == "never" else "is on its way already"
        for id_, state, done in rows
        if not done
    }
    known = {id_ for id_, _, _ in rows}
    skipped.update({id_: "is not known" for id_ in ids if id_ not in known})
    return RetryResult([id_ for id_, _, done in rows if done], skipped)


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
) -> UUID:
    """The same for records that are there, by id or by filter, of any interface. An id that is not is `not-found`.

    Raises TooMany.
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
        return _store(conn, resource, interfaces.pop() if len(interfaces) == 1 else None, places, actor, dry_run)


def _store(
    conn: Connection,
    resource: Resource,
    interface: str | None,
    places: Sequence[tuple[str, str]],
    actor: str,
    dry_run: bool,
) -> UUID:
    """interface: of the whole receipt, None where its numbers belong to several."""
    longest = resource.number_length
    bad = [len(number) > longest or not number.isprintable() for _, number in places]
    with conn.transaction():
        row = conn.execute(
            "INSERT INTO receipts(verb, interface, created_by, dry_run) VALUES (%s, %s, %s, %s) RETURNING id",
            (resource.verb, interface, actor, dry_run),
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
                "new": resource.verb == "import" and not dry_run,
                "flow": resource.flow,
            },
        )
    return UUID(str(row[0]))
