"""FastStream: 2 processes of coroutines, see `faststream_process.py`."""

from __future__ import annotations

from benchmarks.contender import peer

SESSIONS = 8
PROCESSES = 2
CONTENDER = peer(
    "faststream",
    f"FastStream, {PROCESSES} processes with {SESSIONS} sessions",
    [["benchmarks.peers.faststream_process"]] * PROCESSES,
    sessions=PROCESSES * SESSIONS,
)
