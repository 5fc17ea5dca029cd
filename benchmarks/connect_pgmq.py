"""Connect embedded: the broker is a table in the same PostgreSQL; one importer, as `connect up` starts it."""

from __future__ import annotations

from benchmarks.contender import connect

CONTENDER = connect(
    "connect-pgmq",
    "1 importer, broker inside PostgreSQL (embedded)",
    "pgmq",
    pipeline=("both",),
    latency=("both",),
)
