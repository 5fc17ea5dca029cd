"""As whom services work, and whether that is more than they need: looks of `connect doctor`."""

from __future__ import annotations

from shared.db.connect import Connection

_WHO = """
SELECT DISTINCT a.usename::text, has_table_privilege(a.usename, 'audit', 'DELETE')
  OR has_schema_privilege(a.usename, 'public', 'CREATE')
FROM pg_stat_activity a WHERE a.datname = current_database() AND a.usename IS NOT NULL
  AND a.application_name ~ '^connect-(importer|exporter|stock|alerts|journal)' ORDER BY 1
"""


def roles_of_services(conn: Connection) -> list[tuple[str, bool]]:
    """The database's roles that services work as now, and whether each may change the schema or the audit."""
    return [(name, bool(may)) for name, may in conn.execute(_WHO.encode()).fetchall()]
