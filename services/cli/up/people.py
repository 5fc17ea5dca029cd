"""The first user and the admin's token, so that a new installation can be entered.

Enters: a connection and the data folder. Leaves: what up.json shows. Called by `run.py` at each start.
"""

from services.cli.up.folder import DataFolder
from shared.db.connect import Connection
from shared.people.tokens import create_token, revoke_token, token_holder
from shared.people.users import check_password, ensure_user, list_users

ADMIN = "admin"
TOKEN_NAME = "connect up"  # noqa: S105 - a name, not a secret


def admin_login(conn: Connection, folder: DataFolder, *, own_database: bool) -> dict[str, str | None]:
    """User and password of the admin. In a database that is not ours a user with that name is left as it is."""
    password, _ = folder.kept_secret("admin-password")
    known = any(user["name"].lower() == ADMIN for user in list_users(conn))
    if known and not own_database and check_password(conn, ADMIN, password, "connect up") is None:
        return {"user": ADMIN, "password": None}
    ensure_user(conn, ADMIN, password, "admin")
    return {"user": ADMIN, "password": password}


def admin_token(conn: Connection, folder: DataFolder) -> str:
    """A token that may do everything: the one of the last run if it still counts, else a new one."""
    token = folder.kept("admin-token")
    if token and token_holder(conn, token) is not None:
        return token
    name = f"{TOKEN_NAME} {folder.path}"[-100:].strip()
    revoke_token(conn, name)
    token = create_token(conn, name, "admin")
    folder.keep("admin-token", token)
    return token
