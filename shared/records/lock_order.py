"""The order in which whoever writes several records takes them, or two would wait for each other in a ring.

Those of orders come first, since an order's grey record of its export is stored with it; then by interface and key,
byte by byte. A row that is locked with SKIP LOCKED is never waited for, so that order does not matter.
"""

from __future__ import annotations

LOCK_ORDER = """ORDER BY r.flow <> 'order-import', r.interface COLLATE "C", r.key COLLATE "C" """
"""Behind a query over `records r`, before its FOR UPDATE."""


def place(flow: str, interface: str, key: str) -> tuple[bool, str, str]:
    """The same for Python's `sorted`."""
    return flow != "order-import", interface, key
