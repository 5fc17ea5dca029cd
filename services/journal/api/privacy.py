"""A person's data: looked up, handed out, erased; legal holds. For admins, as page and `connect privacy`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from services.journal.api.bodies import Because, Short
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.people.audit import audit
from shared.privacy.deed import Deed, DeedOver, ask, go_on_to_erase, list_deeds, read_deed
from shared.privacy.handout import as_document
from shared.privacy.holds import hold, list_holds, release
from shared.privacy.retention import walks
from shared.privacy.steps import share, standing
from shared.privacy.subject import SubjectError, subject
from shared.records.interfaces import modes

Text = Annotated[str, StringConstraints(max_length=300, strip_whitespace=True)]


class Person(Because):
    """Who it is about, by one of: email, phone, name with zip_code, number of an order; and why.

    kind: `find` looks only, `export` prepares the answer to an access request, `erase` overwrites. also: further texts
    that name them, wherever they stand. dry_run: of `erase`, only says what would go and what would stay.
    """

    kind: Literal["find", "export", "erase"]
    email: Text = ""
    phone: Text = ""
    name: Text = ""
    zip_code: Text = ""
    number: Text = ""
    interface: Short = ""
    also: list[Text] = Field(default_factory=list, max_length=20)
    dry_run: bool = False


class Held(Because):
    """An order to be held or released, and why."""

    interface: Short
    number: Short


def routes(journal: Journal) -> APIRouter:
    """The calls of this resource."""
    router = guarded_router(journal, "/api/v1/privacy")

    @router.get("", summary="List what was looked up, handed out and erased")
    @needs("admin")
    def get_deeds() -> dict[str, Any]:
        """The newest 200 receipts, which name nobody; by_age: how many rows went by their age so far."""
        with journal.database() as conn:
            return {"items": [one.as_json() for one in list_deeds(conn, 200)], "next": None, "by_age": walks(conn)}

    @router.post("", status_code=202, summary="Look a person up, to hand out or to erase")
    @needs("admin")
    def post_deed(request: Request, response: Response, body: Person) -> dict[str, Any]:
        """Answers with a receipt that fills: look at it again until its state is `done`."""
        with journal.database() as conn, said():
            who = subject(
                email=body.email, phone=body.phone, name=body.name, zip_code=body.zip_code, number=body.number,
                interface=body.interface, also=body.also,
            )  # fmt: skip
            if who.interface and who.interface not in modes(conn):
                raise ApiProblem(422, "interface-unknown", "There is no such interface: leave it out to look in all.")
            kind = "find" if body.kind == "erase" and body.dry_run else body.kind
            deed = ask(conn, kind, who, actor_of(request).name, body.reason)
            response.headers["Location"] = f"/api/v1/privacy/{deed}"
            return told(journal, deed)

    @router.get("/holds", summary="List orders whose data is held")
    @needs("admin")
    def get_holds() -> dict[str, Any]:
        """Orders that are not erased although somebody asks for it, or their time is over."""
        with journal.database() as conn:
            return {"items": list_holds(conn), "next": None}

    @router.post("/holds", summary="Hold an order's data")
    @needs("admin")
    def post_hold(request: Request, body: Held) -> dict[str, Any]:
        """Keep it until it is released."""
        return _held(journal, hold, actor_of(request).name, body, "There is no order of this number at this interface.")

    @router.post("/holds/release", summary="Release an order's data")
    @needs("admin")
    def post_release(request: Request, body: Held) -> dict[str, Any]:
        """End a hold."""
        return _held(
            journal, release, actor_of(request).name, body, "No order of this number is held at this interface."
        )

    @router.get("/{id}", summary="Read one receipt")
    @needs("admin")
    def get_deed(id: UUID) -> dict[str, Any]:
        """How far it is (`percent`), what was found or overwritten, what stays and why. For what was found: what an
        erasure would do now (`would_go`, `would_stay`)."""
        return told(journal, id)

    @router.post("/{id}/export", summary="Hand out what was found")
    @needs("admin")
    def post_export(request: Request, id: UUID) -> Response:
        """Everything that is kept of the person, unmasked, as one JSON document."""
        return handed_out(journal, actor_of(request).name, known(journal, id))

    @router.post("/{id}/erase", status_code=202, summary="Erase what was found")
    @needs("admin")
    def post_erase(request: Request, id: UUID, body: Because) -> dict[str, Any]:
        """The same person is looked up anew, then overwritten. It cannot be undone."""
        known(journal, id)
        with journal.database() as conn, said():
            go_on_to_erase(conn, id, actor_of(request).name, body.reason)
        return told(journal, id)

    return router


def _held(
    journal: Journal, deed: Callable[[Connection, str, str, str, str], bool], actor: str, body: Held, missing: str
) -> dict[str, Any]:
    with journal.database() as conn, said():
        if not deed(conn, body.interface, body.number, actor, body.reason):
            raise ApiProblem(404, "not-found", missing)
    return {"interface": body.interface, "number": body.number, "held": deed is hold}


@contextmanager
def said() -> Iterator[None]:
    """422 for what names nobody, 409 for what is over."""
    try:
        yield
    except SubjectError as error:
        raise ApiProblem(422, f"privacy-{error.wrong}", str(error)) from None
    except DeedOver as error:
        raise ApiProblem(409, "privacy-over", str(error)) from None


def known(journal: Journal, id: UUID) -> Deed:
    """The deed; 404 where there is none."""
    with journal.database() as conn:
        found = read_deed(conn, id)
    if found is None:
        raise ApiProblem(404, "not-found", "There is no such receipt.")
    return found


def told(journal: Journal, id: UUID) -> dict[str, Any]:
    """A receipt for programs."""
    found = known(journal, id)
    with journal.database() as conn:
        more = standing(conn, id) if found.over and found.subject is not None else {}
        return found.as_json() | {"percent": share(conn, id), **more}


def handed_out(journal: Journal, actor: str, deed: Deed) -> Response:
    """The file, written down in the audit; 409 while it is looked for, and once it was forgotten who it is about."""
    if not deed.over or deed.subject is None:
        raise ApiProblem(409, "privacy-over", "There is nothing to hand out from here: look the person up anew.")
    with journal.database() as conn, conn.transaction():
        text = "".join(as_document(conn, deed))
        audit(conn, actor, "privacy.export", {"deed": str(deed.id)}, deed.reason)
    return Response(
        text,
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="privacy-{deed.id}.json"', "Cache-Control": "no-store"},
    )
