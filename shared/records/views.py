"""Saved views: a name for a filter and a sort of one list, one's own or shared with everybody.

Saving under a name that the owner has already replaces it. Who may share is the caller's matter.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.people.audit import audit
from shared.records.filter import parse
from shared.records.interfaces import modes
from shared.records.resources import RESOURCES
from shared.records.sorts import sort_of

MOST = 200
"""Views that one owner may have."""

LONGEST_NAME = 80
_COLUMNS = "id, owner, name, resource, filter, sort, shared, created_at, updated_at"


class ViewError(ValueError):
    """It cannot be saved; the message says why, for people."""


def list_views(conn: Connection, owner: str, resource: str | None = None) -> list[dict[str, Any]]:
    """One's own views and the shared ones, by name."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM views WHERE (owner = %(owner)s OR shared)"  # noqa: S608
            " AND (%(resource)s::text IS NULL OR resource = %(resource)s) ORDER BY lower(name), id",
            {"owner": owner, "resource": resource},
        ).fetchall()


def save_view(
    conn: Connection,
    owner: str,
    name: str,
    resource: str,
    filter: str,
    zone: ZoneInfo,
    *,
    sort: str | None = None,
    shared: bool = False,
) -> dict[str, Any]:
    """Save it, in its canonical spelling, and say so in the audit. Raises ViewError, FilterError and ListingError."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise ViewError(f"A view has a name of 1 to {LONGEST_NAME} characters.")
    if resource not in {one.name for one in RESOURCES}:
        raise ViewError(f"“{resource}” is no list: {', '.join(one.name for one in RESOURCES)}.")
    wanted = parse(filter, zone, modes(conn))
    values = {
        "owner": owner,
        "name": name,
        "resource": resource,
        "filter": wanted.text,
        "sort": sort_of(sort or None, wanted).name,
        "shared": shared,
        "most": MOST,
    }
    with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('views:' || %(owner)s))", values)
        saved = cursor.execute(
            "INSERT INTO views(owner, name, resource, filter, sort, shared)"  # noqa: S608
            " SELECT %(owner)s, %(name)s, %(resource)s, %(filter)s, %(sort)s, %(shared)s"
            " WHERE (SELECT count(*) FROM views WHERE owner = %(owner)s) < %(most)s OR EXISTS (SELECT FROM views"
            "   WHERE owner = %(owner)s AND resource = %(resource)s AND lower(name) = lower(%(name)s))"
            " ON CONFLICT (owner, resource, lower(name)) DO UPDATE SET name = excluded.name,"
            " filter = excluded.filter, sort = excluded.sort, shared = excluded.shared, updated_at = now()"
            f" RETURNING {_COLUMNS}",
            values,
        ).fetchone()
        if saved is None:
            raise ViewError(f"You have {MOST} views: delete one first.")
        audit(conn, owner, "views.save", {"view": saved["id"], "resource": resource, "shared": shared})
    return saved


def delete_view(conn: Connection, view: int, actor: str, *, any_owner: bool = False) -> bool:
    """Delete one's own view, or, with any_owner, anybody's; False where there is none such."""
    with conn.transaction():
        gone = conn.execute(
            "DELETE FROM views WHERE id = %s AND (owner = %s OR %s AND shared) RETURNING owner, resource",
            (view, actor, any_owner),
        ).fetchone()
        if gone is not None:
            audit(conn, actor, "views.delete", {"view": view, "owner": gone[0], "resource": gone[1]})
    return gone is not None
