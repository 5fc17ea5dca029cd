"""What requests carry, as pydantic models: the API's documentation and its first check. And the raw body for events."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from starlette.datastructures import FormData
from starlette.requests import Request

from shared.people.tokens import LONGEST_DAYS, USUAL_DAYS
from shared.records.actions import MOST_NUMBERS
from shared.records.causes import LONGEST_NOTE
from shared.records.selected import MOST as MOST_IDS

RecordId = Annotated[int, Field(ge=1, lt=2**63)]
Short = Annotated[str, StringConstraints(max_length=100)]
Reason = Annotated[str, StringConstraints(max_length=500, strip_whitespace=True)]


class Body(BaseModel):
    """Unknown members are refused: a misspelt `dry_run` must not run."""

    model_config = ConfigDict(extra="forbid")


class Selection(Body):
    """Records by id, or everything that matches a filter except some."""

    ids: list[RecordId] | None = Field(None, min_length=1, max_length=MOST_IDS)
    filter: str | None = None
    excepted: list[RecordId] = Field(default_factory=list, alias="except", max_length=MOST_IDS)

    @model_validator(mode="after")
    def _except_of_a_filter(self) -> Self:
        if self.filter is None and self.excepted:
            raise ValueError("except goes with filter")
        return self


class RequestRecords(Selection):
    """What to import, export or sync: numbers of an interface (SKUs of articles), or records that are there."""

    interface: Short | None = None
    numbers: list[Annotated[str, StringConstraints(max_length=1000)]] | None = Field(
        None, min_length=1, max_length=MOST_NUMBERS
    )
    dry_run: bool = False

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if [self.numbers, self.ids, self.filter].count(None) != 2:
            raise ValueError("give either numbers, ids or filter")
        if (self.numbers is None) != (self.interface is None):
            raise ValueError("interface goes with numbers; a filter can say interface:…")
        return self


class Chosen(Selection):
    """Either ids or a filter."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("give either ids or filter")
        return self


class RetryRecords(Chosen):
    """What to retry, and how: see `GET /bulk/{id}` for what a run is.

    undo_seconds: so long it can be undone before it begins, without it 10 s for more than 25 records; ramp: 1, 5, 25,
    then the rest, without it for more than 25; per_minute: at most so many a minute; leave: kinds of records to leave
    alone; why: for the audit; token: of your own making, the same wish sent twice with it is one run.
    """

    dry_run: bool = False
    undo_seconds: float | None = Field(None, ge=0, le=3600)
    ramp: bool | None = None
    per_minute: int | None = Field(None, ge=1, le=1_000_000)
    leave: list[Literal["finished", "hopeless"]] = Field(default_factory=list)
    why: Reason | None = None
    token: UUID | None = None


class IgnoreRecords(Chosen):
    """What to ignore, and why; the reason is shown with each record."""

    why: Annotated[str, StringConstraints(min_length=3, max_length=500, strip_whitespace=True)]
    undo_seconds: float | None = Field(None, ge=0, le=3600)
    token: UUID | None = None


class UnignoreRecords(Chosen):
    """What is to be ignored no more."""

    why: Reason | None = None
    undo_seconds: float | None = Field(None, ge=0, le=3600)
    token: UUID | None = None


class FetchRecords(Chosen):
    """Which orders to read from the marketplace again."""

    why: Reason | None = None


class EditPayload(Body):
    """The corrected `data` of the staged event. seen: the number of the copy that was corrected (`payload_no`).

    dry_run: only answer what would change and what is wrong with it.
    """

    data: dict[str, Any]
    seen: int | None = Field(None, ge=1)
    why: Reason | None = None
    dry_run: bool = False


class NewErrand(Body):
    """For which interface."""

    interface: Short


Flow = Literal["order-import", "order-export", "stock"]


class OfFlow(Body):
    """One flow of an interface; without it all of them."""

    flow: Flow | None = None


class GoLive(OfFlow):
    """from: orders placed before it are left alone. anyway: why it goes live although the rehearsal is not done."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: Short | None = Field(None, alias="from")
    anyway: Annotated[str, StringConstraints(min_length=3, max_length=500, strip_whitespace=True)] | None = None


class GroupChange(Body):
    """What to say about a cause; what is left out stays, null or an empty text takes it away."""

    note: Annotated[str, StringConstraints(max_length=LONGEST_NOTE)] | None = None
    assignee: Short | None = None
    acknowledged: bool | None = None


class NewMapping(Body):
    """target: what the word is called in the ERP. was: what it was mapped to when you looked; empty: nothing."""

    target: Annotated[str, StringConstraints(max_length=1000)]
    was: Annotated[str, StringConstraints(max_length=1000)] | None = None
    dry_run: bool = False


class DoneByHand(Body):
    """The number under which a person has created the order in the ERP."""

    erp_number: Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


class Resubmission(Body):
    """A rejection to submit again; with body, that text instead of what came. dry_run: only say what would be wrong."""

    body: str | None = None
    dry_run: bool = False


class ResubmitAlike(Body):
    """Open rejections to submit again as they came: those with this problem, of one interface or of all."""

    code: Short
    interface: Short | None = None
    dry_run: bool = False


class Because(Body):
    """Why."""

    reason: Annotated[str, StringConstraints(min_length=3, max_length=500, strip_whitespace=True)]


class NewUser(Body):
    """A user to add."""

    name: Short
    password: str = Field(max_length=256)
    role: str
    language: str | None = None
    time_zone: str | None = None


class UserChange(Body):
    """What to change of a user; what is left out stays. A language or a time zone of "" is nobody's choice."""

    password: str | None = Field(None, max_length=256)
    role: str | None = None
    language: str | None = None
    time_zone: str | None = None
    active: bool | None = None
    may_reveal: bool | None = None


class OwnChange(Body):
    """What to change of oneself; what is left out stays."""

    language: str | None = None
    time_zone: str | None = None


class OwnPassword(Body):
    """The password in use and the one to use from now on."""

    current: str = Field(max_length=256)
    new: str = Field(max_length=256)


class RevealBody(Body):
    """The reason, for the audit."""

    reason: Annotated[str, StringConstraints(max_length=500)]


class NewToken(Body):
    """A token to create. interfaces: only for a publisher; expires_in_days: null for one without an end."""

    name: Short
    role: str
    interfaces: list[Short] | None = None
    expires_in_days: int | None = Field(USUAL_DAYS, ge=1, le=LONGEST_DAYS)


async def raw_body(request: Request) -> bytes:
    """The request's bytes, read off the event loop's socket before the handler runs in its thread."""
    return await request.body()


async def raw_form(request: Request) -> FormData:
    """The fields of a form, read like `raw_body`: handlers that ask the database never run on the event loop."""
    return await request.form()


Given = Annotated[FormData, Depends(raw_form)]
