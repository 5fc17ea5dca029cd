"""Where the links of mails lead: a page that says what a click does, and the click that does it.

Opening one changes nothing: mail scanners open every link. No login: the link itself says who it is.
"""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.journal.api.alarms import worded
from services.journal.guard import guarded_router, needs
from services.journal.language import LANGUAGES, Speaker, speaker
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.alarms import links
from shared.alarms.signed import Deed
from shared.people.audit import audit

DEEDS: dict[str, Deed] = {
    "leave": "leave", "left": "leave", "confirm": "confirm", "confirmed": "confirm",
    "known": "answer", "known_done": "answer", "later": "answer", "later_done": "answer",
}  # fmt: skip
"""What a page says → what its link was signed for."""


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/alarms/leave`, `/alarms/confirm` and `/alarms/answer`."""
    router = guarded_router(journal, "/alarms")

    @router.get("/leave/{token}")
    @needs("everybody")
    def get_leave(request: Request, token: str) -> Response:
        """Ask whether this address wants no more mails of this alarm."""
        return ask(request, token, "leave")

    @router.post("/leave/{token}")
    @needs("everybody")
    def post_leave(request: Request, token: str) -> Response:
        """No more mails of this alarm to this address; also what a mail program does by itself (RFC 8058)."""
        with journal.database() as conn, conn.transaction():
            who = links.recipient(conn, journal.links, "leave", token)
            if who is None:
                return ended(request)
            links.leave(conn, who["id"])
            audit(conn, "mail link", "alarms.leave", {"alarm": who["subscription"], "recipient": who["id"]})
        return ask(request, token, "left")

    @router.get("/confirm/{token}")
    @needs("everybody")
    def get_confirm(request: Request, token: str) -> Response:
        """Ask whether the address is theirs."""
        return ask(request, token, "confirm")

    @router.post("/confirm/{token}")
    @needs("everybody")
    def post_confirm(request: Request, token: str) -> Response:
        """From now on mails of this alarm go there."""
        with journal.database() as conn, conn.transaction():
            who = links.recipient(conn, journal.links, "confirm", token)
            if who is None:
                return ended(request)
            links.confirm(conn, who["id"])
            audit(conn, "mail link", "alarms.confirm", {"alarm": who["subscription"], "recipient": who["id"]})
        return ask(request, token, "confirmed")

    @router.get("/answer/{token}/{id}/{what}")
    @needs("everybody")
    def get_answer(request: Request, token: str, id: int, what: Literal["known", "later"]) -> Response:
        """Ask whether to acknowledge an incident, or to have it told again later."""
        return ask(request, token, what, id)

    @router.post("/answer/{token}/{id}/{what}")
    @needs("everybody")
    def post_answer(request: Request, token: str, id: int, what: Literal["known", "later"]) -> Response:
        """Do it, for all recipients of all alarms: an incident is known or it is not."""
        with journal.database() as conn, conn.transaction():
            who = links.recipient(conn, journal.links, "answer", token)
            if who is None:
                return ended(request)
            if not 0 < id < 2**63 or links.incident(conn, id) is None:
                return pages.error(request, speaker(request), 404)
            links.answer(conn, id, f"recipient {who['id']}", later=what == "later")
            about = {"incident": id, "recipient": who["id"]}
            audit(conn, "mail link", "incidents.snooze" if what == "later" else "incidents.acknowledge", about)
        return ask(request, token, f"{what}_done", id)

    def ended(request: Request) -> Response:
        """Says kindly that the link works no more, and what to do instead."""
        values = {"tab": None, "slug": None, "refused": 0, "what": "ended", "who": None, "about": None}
        return pages.show(request, speaker(request), "mail_link.html", values, 410)

    def ask(request: Request, token: str, what: str, incident: int | None = None) -> Response:
        with journal.database() as conn:
            who = links.recipient(conn, journal.links, DEEDS[what], token)
            about = links.incident(conn, incident) if incident is not None and 0 < incident < 2**63 else None
        if who is None:
            return ended(request)
        if incident is not None and about is None:
            return pages.error(request, speaker(request), 404)
        asked = request.query_params.get("lang")
        reader = speaker(request) if asked in LANGUAGES else Speaker(who["language"])
        values = {"tab": None, "slug": None, "refused": 0, "what": what, "who": who}
        values["about"] = worded(about, reader.language) if about else None
        return pages.show(request, reader, "mail_link.html", values)

    return router
