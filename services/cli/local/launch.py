"""Becomes another program that does not outlive whoever started it.

Run as a script by `child.py`, never imported: `python -I -S launch.py --parent PID --death-signal N … -- COMMAND`.
Enters: the parent's pid, the signal to get when it dies, optionally a user to become. Leaves: the command itself,
under the same pid. Only the standard library is used, because the interpreter starts without site-packages.
"""

import argparse
import ctypes
import os
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
REFUSED = 126


def enter_user_namespace(uid: int, gid: int) -> None:
    """Make this process appear as `uid`:`gid` while it keeps the file rights of the user that it is."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
    # The kernel takes a group map from an unprivileged process only after setgroups was given up.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {outer_gid} 1")


def become(uid: int, gid: int) -> None:
    """Drop root for good: groups first, because afterwards they cannot be changed any more."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def die_with_parent(parent: int, death_signal: int) -> None:
    """Ask the kernel for `death_signal` when the parent dies; leave at once if it has died already.

    Must come after every change of user, since the kernel forgets the wish when the user changes.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(REFUSED)


def main(arguments: list[str]) -> None:
    """Parse, change the user, tie the life to the parent's, and become the command."""
    parser = argparse.ArgumentParser(prog="launch", allow_abbrev=False)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--death-signal", type=int, required=True)
    parser.add_argument("--namespace", metavar="UID:GID")
    parser.add_argument("--user", metavar="UID:GID")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    try:
        if options.namespace:
            enter_user_namespace(*map(int, options.namespace.split(":")))
        if options.user:
            become(*map(int, options.user.split(":")))
        die_with_parent(options.parent, options.death_signal)
        os.execvp(options.command[0], options.command)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"cannot start {options.command[0]}: {error}\n")
        sys.exit(REFUSED)


if __name__ == "__main__":
    main(sys.argv[1:])
