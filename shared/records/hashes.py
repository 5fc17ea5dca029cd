"""Short, stable names for events, data and bodies: the first 128 bits of SHA-256, stored as uuid.

A collision would need some 2^64 events; a uuid index is half the size of one over (source, id) as text.
"""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID


def event_hash(source: str, event_id: str) -> UUID:
    """Names the event (`source`, `id`)."""
    return body_hash(f"{source}\0{event_id}".encode())


def event_hash_of(source: str, event_id: str, interface: str) -> UUID:
    """Names an event that concerns several interfaces, for one of them."""
    return event_hash(source, f"{event_id}\0{interface}")


def body_hash(body: bytes) -> UUID:
    """Names a body, or canonical data."""
    return UUID(bytes=sha256(body).digest()[:16])
