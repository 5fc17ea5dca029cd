"""Says by mail that the database is away, once, and leaves the rest to the database when it is back.

    it answers ─▶ each minute: who would have to be told, into a sealed file
    it does not, for a minute ─▶ note the outage with a Message-ID for each ─▶ send ─▶ record, in a second file
    it is back ─▶ incident, ledger and the all-clear are written into the database ─▶ forget the second file

Sent, then recorded, as with every mail: a kill in between sends again under the same Message-ID. The clock is this
machine's, since there is no other one.
"""

from __future__ import annotations

import fcntl
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import structlog

from services.alerts import smtp
from services.alerts.letter import Post, letter
from services.alerts.post import DELAYS
from services.alerts.sealed_file import SealedFile
from shared.alarms import outage
from shared.alarms.contents import Contents
from shared.alarms.outage import Person, Told
from shared.alarms.queue import Taken
from shared.db.connect import GONE, Connection
from shared.metrics import Metrics
from shared.seal import Seal

LOOK_SECONDS = 5.0
REFRESH_SECONDS = 60.0


class Outage:
    """The loop of one process. Of several processes with the same folder one does it (a lock on a file)."""

    def __init__(
        self,
        folder: Path,
        seal: Seal,
        connect: Callable[[], Connection],
        server: smtp.Server,
        post: Post,
        failpoint: Callable[[str], None],
        *,
        metrics: Metrics,
        playing: Callable[[], bool],
        patience: float,
        look: float = LOOK_SECONDS,
    ) -> None:
        """connect: opens a connection, with a deadline; playing: whether this process plays the rounds, or did when the
        database was last there; patience: seconds without an answer before anybody is told; look: between two tries."""
        self._people = SealedFile(folder / "alarm-people", seal)
        self._current = SealedFile(folder / "alarm-outage", seal)
        self._folder, self._connect, self._server, self._post = folder, connect, server, post
        self._metrics = metrics
        self._failpoint, self._playing, self._patience, self._look = failpoint, playing, patience, look
        self._lock: BinaryIO | None = None
        self._silent_since: float | None = None
        self._back_since: datetime | None = None
        self._refreshed = -REFRESH_SECONDS
        self._log = structlog.get_logger()

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping."""
        while not stopping():
            beat()
            try:
                self.once(beat)
            except OSError as error:  # a full or read-only disk: it must not end the alarms that still work
                self._log.warning("outage.file", error=error)
            pause(self._look)

    def once(self, beat: Callable[[], None] = lambda: None) -> None:
        """One look at the database, and what follows. Raises OSError where the folder cannot be written."""
        try:
            with self._connect() as conn:
                conn.execute("SELECT 1")
                self._silent_since = None
                self._back_since = self._back_since or datetime.now(UTC)
                if self._alone():
                    self._back(conn, self._back_since)
                if time.monotonic() - self._refreshed >= REFRESH_SECONDS:
                    self._refresh(conn)
        except GONE:
            self._away(beat)

    # -- while it answers ---------------------------------------------------------------------------------------------

    def _refresh(self, conn: Connection) -> None:
        if self._playing():
            people = [outage.person_to_json(one) for one in outage.people(conn)]
            self._people.write({"written": datetime.now(UTC).isoformat(), "people": people})
            self._refreshed = time.monotonic()

    def _back(self, conn: Connection, until: datetime) -> None:
        found = self._current.read()
        # One that starts, dies and starts again is one outage: it has to answer for a while.
        if found is None or (datetime.now(UTC) - until).total_seconds() < min(30.0, self._patience / 2):
            return
        if any(mail["tries"] for mail in found["mails"]):
            told = [_told(mail) for mail in found["mails"]]
            outage.book(conn, found["number"], datetime.fromisoformat(found["since"]), until, told)
            self._log.info("outage.over", count=sum(one.state == "sent" for one in told))
        self._failpoint("outage.booked")
        self._current.remove()

    # -- while it does not --------------------------------------------------------------------------------------------

    def _away(self, beat: Callable[[], None]) -> None:
        now = time.monotonic()
        self._silent_since = now if self._silent_since is None else self._silent_since
        self._back_since = None
        if not self._alone():
            return
        found = self._current.read()
        if found is None:
            if now - self._silent_since < self._patience:
                return
            found = self._note(datetime.now(UTC).timestamp() - (now - self._silent_since))
            if found is None:
                return
        for mail in found["mails"]:
            beat()
            person = outage.person_from_json(mail["person"])
            moment = datetime.now(UTC)
            if mail["state"] == "queued" and mail["due"] <= moment.timestamp() and person.loud_from(moment) <= moment:
                self._send(found, mail, person)

    def _note(self, since: float) -> dict[str, Any] | None:
        kept = self._people.read()
        if not kept or not kept["people"]:
            return None
        number = secrets.token_hex(8)
        found = {
            "number": number,
            "since": datetime.fromtimestamp(since, UTC).isoformat(),
            "mails": [
                {"person": one, "id": f"away.{number}.{one['recipient']}", "state": "queued", "tries": 0, "due": 0.0,
                 "reply": "", "at": None} for one in kept["people"]
            ],
        }  # fmt: skip
        self._current.write(found)
        self._failpoint("outage.noted")
        self._log.error("outage.noted", count=len(found["mails"]))
        return found

    def _send(self, found: dict[str, Any], mail: dict[str, Any], person: Person) -> None:
        since = datetime.fromisoformat(found["since"])
        message = letter(
            _taken(mail, person, since), [_contents(found["number"], since)], self._post, datetime.now(UTC)
        )
        answer = smtp.send(self._server, message, person.address)
        self._failpoint("outage.mailed")
        mail["tries"] += 1
        mail["reply"], mail["at"] = answer.text[:500], datetime.now(UTC).isoformat()
        if answer.fate is smtp.Fate.LATER:
            mail["due"] = time.time() + DELAYS[min(mail["tries"], len(DELAYS)) - 1]
        else:
            mail["state"] = str(answer.fate)
        self._current.write(found)
        self._failpoint("outage.recorded")
        self._metrics.alarm_mails.labels("opened", str(answer.fate)).inc()
        self._log.info("outage.mail", outcome=str(answer.fate), attempt=mail["tries"])

    def _alone(self) -> bool:
        """Whether this process has the lock of the folder; kept until it ends, however it ends."""
        if self._lock is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = (self._folder / "alarm-outage.lock").open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                return False
            self._lock = file
        return True


def open_outage(folder: Path, secret_keys: str | None, **wiring: Any) -> Outage | None:
    """The loop, where there is a key to seal addresses with; else None."""
    if secret_keys is None:
        structlog.get_logger().warning(
            "outage.off", reason="CONNECT_SECRET_KEY is not set: nobody is mailed while the database is away"
        )
        return None
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return Outage(folder, Seal(secret_keys), **wiring)


def _told(mail: dict[str, Any]) -> Told:
    state = "given-up" if mail["state"] == "queued" else mail["state"]
    at = None if mail["at"] is None else datetime.fromisoformat(mail["at"])
    return Told(outage.person_from_json(mail["person"]), mail["id"], state, mail["tries"], mail["reply"], at)


def _taken(mail: dict[str, Any], person: Person, since: datetime) -> Taken:
    return Taken(
        id=0, kind="opened", message_id=mail["id"], thread=None, tries=mail["tries"], created_at=since,
        address=person.address, recipient=person.recipient, language=person.language, time_zone=person.time_zone,
        subscription=person.subscription, name=person.name, frequency=person.frequency, interfaces=[], filter="",
        incidents=None, severity="error", at=since, until=None,
    )  # fmt: skip


def _contents(number: str, since: datetime) -> Contents:
    return Contents(
        id=0, cause=outage.cause(number), title="", erp="", marketplace="", severity="error", since=since, ended=None,
        records=0, standing=0, due=0, sums={}, rows=(), problem=None,
    )  # fmt: skip
