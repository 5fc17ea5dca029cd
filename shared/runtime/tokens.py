"""Access tokens that all workers of one side share: a sealed row in Postgres, which one process renews for all.

    get ─▶ in this process? ─▶ in the row? ─▶ mine to renew: fetch, seal, store
                                          └─▶ somebody else's: look again, until it is there

Expiry goes by the database's clock. Whoever dies over a renewal is followed by another when its time is over.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass

from psycopg_pool import ConnectionPool

from shared.connectors.contract import FetchToken, Reason, RemoteError, Token
from shared.db.connect import Connection
from shared.seal import Seal, SealError

LOOK_SECONDS = 0.05
RENEWAL_SLACK = 5.0

_READ = """
SELECT no, sealed, extract(epoch FROM expires_at - now())::float8 FROM remote_tokens
WHERE interface = %s AND side = %s AND name = %s
"""
_RENEW = """
INSERT INTO remote_tokens(interface, side, name, renewing_until)
SELECT interface, side, %(name)s, now() + make_interval(secs => %(seconds)s) FROM sides
WHERE interface = %(interface)s AND side = %(side)s
ON CONFLICT (interface, side, name) DO UPDATE SET renewing_until = excluded.renewing_until
WHERE remote_tokens.no = %(no)s AND coalesce(remote_tokens.renewing_until, '-infinity') <= now()
RETURNING 1
"""
_STORE = """
UPDATE remote_tokens SET no = no + 1, sealed = %s, expires_at = now() + make_interval(secs => %s), renewing_until = NULL
WHERE interface = %s AND side = %s AND name = %s RETURNING no
"""
_GIVE_BACK = """
UPDATE remote_tokens SET renewing_until = NULL WHERE interface = %s AND side = %s AND name = %s AND no = %s
"""
_DROP = """
UPDATE remote_tokens SET sealed = NULL, expires_at = NULL
WHERE interface = %s AND side = %s AND name = %s AND no = %s
"""


@dataclass(frozen=True, slots=True)
class _Held:
    """A token in this process. no: of the row it is from; ends: monotonic seconds until which it is used."""

    value: str
    no: int
    ends: float


class SharedTokens:
    """The tokens of one side of an interface, as `contract.Tokens`. Thread-safe.

    owner:    what the tokens were made from, e.g. a hash of the settings: others' tokens are not used
    patience: seconds for which a caller waits for somebody else's renewal, and a renewal may take
    """

    def __init__(
        self,
        pool: ConnectionPool[Connection],
        seal: Seal,
        interface: str,
        side: str,
        *,
        owner: str,
        patience: float,
    ) -> None:
        self._pool, self._seal = pool, seal
        self._place = (interface, side)
        self._owner = owner
        self._patience = patience
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}

    def __repr__(self) -> str:
        return f"SharedTokens({'/'.join(self._place)})"

    def get(self, name: str, fetch: FetchToken) -> tuple[str, bool]:
        """The token, and whether this call fetched it. RemoteError of the fetch, or UNREACHABLE after the patience."""
        end = time.monotonic() + self._patience
        held = self._held.get(name)
        if held is not None and time.monotonic() < held.ends:
            return held.value, False
        if not self._lock.acquire(timeout=self._patience):
            raise _late()
        try:
            held = self._held.get(name)
            if held is not None and time.monotonic() < held.ends:
                return held.value, False
            return self._from_row(name, fetch, end)
        finally:
            self._lock.release()

    def drop(self, name: str, value: str) -> None:
        """Take a refused token out of the row, unless a newer one is there."""
        with self._lock:
            held = self._held.get(name)
            if held is None or held.value != value:
                return
            del self._held[name]
        with self._pool.connection() as conn:
            conn.execute(_DROP, (*self._place, name, held.no))

    def _from_row(self, name: str, fetch: FetchToken, end: float) -> tuple[str, bool]:
        while True:
            found, no, aging = self._read(name)
            if found is not None and not aging:
                return self._keep(name, found), False
            if self._mine(name, no):
                return self._fetched(name, fetch, no), True
            if found is not None:  # it still holds, and somebody is getting a new one
                return found.value, False
            if time.monotonic() >= end:
                raise _late()
            time.sleep(LOOK_SECONDS)

    def _read(self, name: str) -> tuple[_Held | None, int, bool]:
        """What the row has that can be used, its number, and whether it is time to renew it."""
        with self._pool.connection() as conn:
            row = conn.execute(_READ, (*self._place, name)).fetchone()
        if row is None:
            return None, 0, True
        no, sealed, seconds = row
        if sealed is None or seconds is None or seconds <= 0:
            return None, no, True
        try:
            opened = json.loads(self._seal.open(self._where(name), bytes(sealed)))
        except SealError:
            return None, no, True  # sealed with another key: as good as none
        if opened.get("owner") != self._owner:
            return None, no, True
        token = Token(str(opened["value"]), float(opened["seconds"]))
        left = token.kept - (token.seconds - seconds)
        return _Held(token.value, no, time.monotonic() + max(left, 0.0)), no, left <= 0

    def _mine(self, name: str, no: int) -> bool:
        """Whether this process is the one that renews it now."""
        interface, side = self._place
        values = {"interface": interface, "side": side, "name": name, "no": no}
        with self._pool.connection() as conn:
            return conn.execute(_RENEW, values | {"seconds": self._patience + RENEWAL_SLACK}).fetchone() is not None

    def _fetched(self, name: str, fetch: FetchToken, no: int) -> str:
        try:
            token = fetch()
        except BaseException:
            with self._pool.connection() as conn:
                conn.execute(_GIVE_BACK, (*self._place, name, no))
            raise
        began = time.monotonic()
        sealed = self._sealed(name, token)
        with self._pool.connection() as conn:
            row = conn.execute(_STORE, (sealed, token.seconds, *self._place, name)).fetchone()
        if row is not None:  # else the interface was removed meanwhile
            self._keep(name, _Held(token.value, row[0], began + token.kept))
        return token.value

    def _sealed(self, name: str, token: Token) -> bytes:
        values = {"value": token.value, "owner": self._owner, "seconds": repr(token.seconds)}
        return self._seal.seal(self._where(name), json.dumps(values))

    def _keep(self, name: str, held: _Held) -> str:
        self._held[name] = held
        return held.value

    def _where(self, name: str) -> str:
        return "/".join((*self._place, "token", name))


def _late() -> RemoteError:
    return RemoteError(Reason.UNREACHABLE, "token: another worker is still fetching it")
