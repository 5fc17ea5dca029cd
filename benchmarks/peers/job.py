"""The job of every peer, one message at a time: the same validation, tables, indexes and transitions as Connect's.

Stage 1 stores an event; stage 2 lets the ERP inside take the order and settles it. Each is a single statement in a
transaction of its own, one round trip, which is the best that one at a time can be. Both may run twice for a message.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from psycopg_pool import AsyncConnectionPool, ConnectionPool

from shared.events.envelope import CONTRACTS, Event
from shared.records.hashes import body_hash, event_hash
from shared.runtime.flows import FLOWS

EVENT = "order-imported"
NEXT = "bench.erp"

STORE = """
WITH r AS (
  INSERT INTO records(interface, flow, key, stage, state, seq, changed_at, version, data_hash, input_hash, ordered_at,
                      ship_by, marketplace_id)
  SELECT %(interface)s, %(flow)s, %(key)s, %(stage)s, 'pending', 2, %(changed_at)s, %(version)s, %(data_hash)s,
         %(hash)s, %(ordered_at)s, %(ship_by)s, %(marketplace_id)s
  WHERE NOT EXISTS (SELECT FROM events WHERE hash = %(hash)s)
  ON CONFLICT (interface, flow, key) DO NOTHING RETURNING id),
e AS (INSERT INTO events(hash, source, id, event, interface, key, data_hash, outcome, record_id)
      SELECT %(hash)s, %(source)s, %(id)s, %(event)s, %(interface)s, %(key)s, %(data_hash)s, 'applied', id FROM r),
p AS (INSERT INTO payloads(record_id, no, body, traceparent) SELECT id, 1, %(body)s, %(traceparent)s FROM r),
a AS (INSERT INTO arrivals(event, interface, inputs) SELECT %(event)s, %(interface)s, 1 FROM r)
INSERT INTO transitions(record_id, seq, stage, to_state)
  SELECT id, 1, 'connect', 'done' FROM r UNION ALL SELECT id, 2, %(stage)s, 'pending' FROM r
"""

SETTLE = """
WITH u AS (
  UPDATE records SET state = 'done', claim_no = claim_no + 1, seq = seq + 2, remote = %(remote)s, sent_no = payload_no,
         updated_at = now()
  WHERE interface = %(interface)s AND flow = %(flow)s AND key = %(key)s AND state = 'pending'
  RETURNING id, claim_no, seq, stage),
a AS (INSERT INTO attempts(record_id, claim_no, stage, started_at, outcome, called)
      SELECT id, claim_no, stage, %(started_at)s, 'done', true FROM u)
INSERT INTO transitions(record_id, seq, stage, from_state, to_state, claim_no)
  SELECT id, seq - 1, stage, 'pending', 'running', claim_no FROM u UNION ALL
  SELECT id, seq, stage, 'running', 'done', claim_no FROM u
"""

_SESSION = {"autocommit": True, "application_name": "bench-peer", "options": "-c synchronous_commit=on -c jit=off"}


def storing(body: bytes) -> dict[str, Any]:
    """Check an event and make the parameters of STORE. Raises pydantic.ValidationError."""
    event = _read(body)
    target = FLOWS[event.type](event)
    return {
        "hash": event_hash(event.source, event.id),
        "source": event.source,
        "id": event.id,
        "event": EVENT,
        "interface": target.interface,
        "flow": target.flow,
        "stage": target.stage,
        "key": target.key,
        "changed_at": target.changed_at,
        "version": target.version,
        "data_hash": body_hash(event.data.__pydantic_serializer__.to_json(event.data, exclude_none=True)),
        "body": body,
        "traceparent": event.traceparent,
        "marketplace_id": target.marketplace_id,
        "ordered_at": target.ordered_at,
        "ship_by": target.ship_by,
    }


def settling(body: bytes) -> dict[str, Any]:
    """Let the ERP inside read the order and give it a number; the parameters of SETTLE."""
    started_at = datetime.now(UTC)
    data = _read(body).data
    return {
        "interface": data.interface,
        "flow": "order-import",
        "key": data.order.number,
        "remote": f"ERP-{data.order.number}",
        "started_at": started_at,
    }


def _read(body: bytes) -> Event[Any]:
    return CONTRACTS[f"{EVENT}.v1"].model_validate_json(body)


def pool(url: str, size: int) -> ConnectionPool[Any]:
    """A pool whose sessions are all open when it is handed out."""
    made: ConnectionPool[Any] = ConnectionPool(url, min_size=size, max_size=size, kwargs=dict(_SESSION), open=True)
    made.wait(30.0)
    return made


def async_pool(url: str, size: int) -> AsyncConnectionPool[Any]:
    """The same for asyncio, not opened yet."""
    return AsyncConnectionPool(url, min_size=size, max_size=size, kwargs=dict(_SESSION), open=False)
