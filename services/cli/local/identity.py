"""As whom PostgreSQL runs: it refuses root, and its initdb wants a user that has a name.

Enters: the data folder. Leaves: options for launch.py that make the process acceptable, and a plain sentence where
there is no way. A normal user with a name needs nothing. Root (and a nameless user, as in `docker run --user 1234`)
is shown to the server as somebody else by a user namespace, which keeps the rights to the folder; where namespaces
are forbidden, root drops to an unprivileged user and gives it the folder.
"""

import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from services.cli.local.child import LAUNCHER


class NoIdentity(RuntimeError):
    """PostgreSQL cannot run as anybody here; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Options for launch.py, and who owns the files (uid, gid)."""

    options: tuple[str, ...]
    owner: tuple[int, int]
    remark: str = ""


def choose(folder: Path, postgres: Path) -> Identity:
    """Find the first way in which this `postgres` starts and sees `folder` (which exists). Raises NoIdentity."""
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0 and _has_name(uid):
        return Identity((), (uid, gid))
    stand_in = _somebody()
    shown = Identity(("--namespace", f"{stand_in.pw_uid}:{stand_in.pw_gid}"), (uid, gid))
    if _works(shown, folder, postgres):
        return shown
    if uid == 0:
        for user in _unprivileged(folder):
            dropped = Identity(
                ("--user", f"{user.pw_uid}:{user.pw_gid}"),
                (user.pw_uid, user.pw_gid),
                f"PostgreSQL runs as the user {user.pw_name}, because it refuses root.",
            )
            give(folder, dropped.owner)
            if _works(dropped, folder, postgres):
                return dropped
        give(folder, (uid, gid))
        raise NoIdentity(
            "PostgreSQL refuses to run as root, user namespaces are not allowed here, and no other user can reach "
            f"{folder}. Run this as a normal user, or set CONNECT_DATA_DIR to a folder that everybody may enter, "
            "or CONNECT_DATABASE_URL to a PostgreSQL of your own."
        )
    raise NoIdentity(
        f"The user id {uid} has no name on this machine and user namespaces are not allowed, so PostgreSQL cannot "
        "start. Run this as a user that /etc/passwd knows, or set CONNECT_DATABASE_URL to a PostgreSQL of your own."
    )


def give(folder: Path, owner: tuple[int, int]) -> None:
    """Hand a folder with all in it to `owner`, if it is not theirs already (an earlier run chose another way)."""
    if os.geteuid() != 0:
        return
    for path in [folder, *folder.rglob("*")]:
        status = path.lstat()
        if (status.st_uid, status.st_gid) != owner:
            os.chown(path, *owner, follow_symlinks=False)


def _works(identity: Identity, folder: Path, postgres: Path) -> bool:
    # The shell sees the folder as the server will; `postgres -V` alone says nothing about the folder.
    look = 'test -r "$1" && test -w "$1" && test -x "$1" && cd "$1" && exec "$2" -V'
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), "--parent", str(os.getpid()), "--death-signal", "9"]
    result = subprocess.run(  # noqa: S603
        [*launcher, *identity.options, "--", "/bin/sh", "-c", look, "sh", str(folder), str(postgres)],
        capture_output=True,
        check=False,
        timeout=30,
        env={"PATH": "/usr/bin:/bin"},
    )
    return result.returncode == 0


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _somebody() -> pwd.struct_passwd:
    for user in pwd.getpwall():
        if user.pw_uid not in (0, 65534):  # 65534 is also how a namespace shows everybody it does not know
            return user
    raise NoIdentity(
        "PostgreSQL refuses root, and this machine knows no other user. Add one, for example `useradd connect`."
    )


def _unprivileged(folder: Path) -> list[pwd.struct_passwd]:
    """Who may run the server: the folder's first owner that is not root (a mounted checkout), postgres, nobody."""
    users: dict[int, pwd.struct_passwd] = {}
    for path in [folder, *folder.parents]:
        owner = path.stat().st_uid
        if owner != 0 and _has_name(owner):
            users.setdefault(owner, pwd.getpwuid(owner))
            break
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        users.setdefault(user.pw_uid, user)
    return list(users.values())
