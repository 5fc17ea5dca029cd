"""What a connector is: a manifest and the capabilities it offers. Read this before writing one.

A connector reports what happened and decides nothing: it never sleeps, loops over failures or counts attempts. It
raises `RemoteError` with a `Reason`; whether, when and how often something is tried again is the runtime's affair.
All calls are synchronous and end within the deadline of `connectors.http`.

The capabilities of the flows back lie in `marketplace` and `erp`; everybody imports them from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pydantic import BaseModel

from shared.connectors.erp import Article as Article
from shared.connectors.erp import ArticleFilter as ArticleFilter
from shared.connectors.erp import ArticleKind as ArticleKind
from shared.connectors.erp import ChangedStatus as ChangedStatus
from shared.connectors.erp import Hint as Hint
from shared.connectors.erp import OrderChange as OrderChange
from shared.connectors.erp import Sellable as Sellable
from shared.connectors.erp import StatusSource as StatusSource
from shared.connectors.erp import StockSource as StockSource
from shared.connectors.erp import Webhooks as Webhooks
from shared.connectors.erp import WebhookSetup as WebhookSetup
from shared.connectors.marketplace import Cancellation as Cancellation
from shared.connectors.marketplace import HeldQuantity as HeldQuantity
from shared.connectors.marketplace import ReadsInBatches as ReadsInBatches
from shared.connectors.marketplace import ReturnKey as ReturnKey
from shared.connectors.marketplace import SentShipment as SentShipment
from shared.connectors.marketplace import ShipmentDraft as ShipmentDraft
from shared.connectors.marketplace import StatusSink as StatusSink
from shared.connectors.marketplace import StockSink as StockSink
from shared.connectors.marketplace import Unit as Unit
from shared.connectors.marketplace import UnitState as UnitState
from shared.connectors.tokens import FetchToken as FetchToken
from shared.connectors.tokens import OwnTokens as OwnTokens
from shared.connectors.tokens import Token as Token
from shared.connectors.tokens import Tokens as Tokens
from shared.errors.problem import Problem
from shared.events.orders import Order

if TYPE_CHECKING:
    from shared.connectors.http import Http


class Reason(StrEnum):
    """What a remote system did, in words that do not depend on the vendor. Each is also a code of the catalogue."""

    UNREACHABLE = "remote-unreachable"  # nothing was sent: name, connect or TLS failed
    ADDRESS_REFUSED = "remote-address-refused"  # nothing was sent: a private address that the operator did not allow
    UNENCRYPTED = "remote-unencrypted"  # nothing was sent: http:// to where the operator did not allow it
    TIMEOUT = "remote-timeout"  # sent, no complete answer in time: outcome unknown
    BROKEN_ANSWER = "remote-broken-answer"  # reset, truncated, HTML instead of JSON: outcome unknown
    UNAVAILABLE = "remote-unavailable"  # 5xx: outcome unknown
    RATE_LIMITED = "remote-rate-limited"  # 429: not executed
    UNAUTHORISED = "remote-unauthorised"  # 401: not executed
    FORBIDDEN = "remote-forbidden"  # 403: not executed
    NOT_FOUND = "remote-not-found"  # 404
    CONFLICT = "remote-conflict"  # 409: the remote state does not allow it
    TOO_LARGE = "remote-too-large"  # 413
    INVALID = "remote-refused"  # 400, 422: the remote system refuses the content

    @property
    def outcome_unknown(self) -> bool:
        """True where the remote system may have executed the call all the same."""
        return self in (Reason.TIMEOUT, Reason.BROKEN_ANSWER, Reason.UNAVAILABLE)


class RemoteError(Exception):
    """A call did not succeed. `detail` is safe to show: no secret, no personal data, at most 500 characters.

    cause: why, where `http` could tell, a `cause.Cause`; clues: what its explanation names (host, scope, …), and as
    `clock` by how many seconds the remote system's clock is ahead of ours.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str = "",
        *,
        status: int | None = None,
        retry_after: float | None = None,
        problems: Sequence[Problem] = (),
        cause: str | None = None,
        clues: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail[:500]
        self.status = status
        self.retry_after = retry_after  # seconds, from Retry-After
        self.problems = tuple(problems)  # what the remote system complained about, field by field
        self.cause = cause
        self.clues = dict(clues or {})


@dataclass(frozen=True, slots=True)
class SourceOrder:
    """An order as the marketplace shows it now. `changed_at` is the marketplace's own time of the last change."""

    order: Order
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class RemoteOrder:
    """An order found in the ERP.

    id is the ERP's own id or number (shown as "ERP number"); marketplace_id is what the ERP stores as the external id,
    None where it stores none; cancelled says that it is cancelled there; url opens it for a person.
    """

    id: str
    number: str
    marketplace_id: str | None
    cancelled: bool = False
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Mappings:
    """Per interface, what the two sides call the same thing: `table["payment"]["INVOICE_SINGLE"] == "2"`.

    Kinds used: payment, shipping, tax (rate → ERP tax category), setting (customer, project, channel,
    shipping-article, discount-article), carrier (the ERP's word → the marketplace's code). A target of "" counts as
    unmapped.
    """

    table: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def get(self, kind: str, source: str) -> str | None:
        """The target of one mapping, or None."""
        return self.table.get(kind, {}).get(source) or None


@dataclass(frozen=True, slots=True)
class Draft:
    """An order ready to be created in the ERP.

    document is the ERP's own request body without product ids that are not known yet; skus are the SKUs whose existence
    must be looked up first; remarks make the record a `warning` once it is created (total differs by a cent).
    """

    number: str
    marketplace_id: str
    document: dict[str, Any]
    skus: tuple[str, ...]
    remarks: tuple[Problem, ...] = ()


class OrderSource(Protocol):
    """A marketplace that orders come from."""

    def orders_changed(self, since: datetime) -> Iterator[list[SourceOrder]]:
        """Pages of orders changed at or after `since`, oldest change first; ends when there are no more."""
        ...

    def read_orders(self, numbers: Sequence[str]) -> dict[str, SourceOrder]:
        """The orders with these numbers (or marketplace ids), keyed as asked; unknown ones are left out."""
        ...

    def ping(self) -> None:
        """Raise RemoteError unless the system answers and accepts our credentials."""
        ...


class OrderSink(Protocol):
    """An ERP that orders are created in. It may accept the same external number twice: we look up first."""

    def draft(self, order: Order, mappings: Mappings) -> Draft | list[Problem]:
        """Pure: the document to create, or every problem of the order at once (data and mapping), field by field."""
        ...

    def find_products(self, skus: Sequence[str]) -> set[str]:
        """Which of these SKUs the ERP knows. The connector may remember the ERP's ids for `create_order`."""
        ...

    def find_orders(self, numbers: Sequence[str]) -> dict[str, list[RemoteOrder]]:
        """Orders of our own sales channel with these external numbers, keyed by number; unknown ones are left out."""
        ...

    def create_order(self, draft: Draft) -> RemoteOrder:
        """Create it. Not idempotent. RemoteError.reason.outcome_unknown says that it may exist all the same."""
        ...

    def cancel_order(self, order_id: str) -> None:
        """Cancel it; harmless when it is cancelled already; RemoteError(CONFLICT) when it cannot be cancelled."""
        ...

    def ping(self) -> None:
        """Raise RemoteError unless the system answers and accepts our credentials."""
        ...


@runtime_checkable
class ShowsDocument(Protocol):
    """An ERP whose drafts are completed when they are sent: a dry run shows the body of the call itself."""

    def completed(self, draft: Draft) -> dict[str, Any]:
        """The body that `create_order` would send now. Looks up at most; raises RemoteError as `create_order` does."""
        ...


class CallContext(Protocol):
    """What the runtime gives an opened connector; the connector itself keeps no clock and no counters."""

    @property
    def tokens(self) -> Tokens:
        """Access tokens that all workers share; a connector reaches them as `Http.tokens`."""
        ...

    @property
    def at_once(self) -> int:
        """How many calls may be under way at the same time; a connector reaches it as `Http.at_once`."""
        ...

    def before_call(self, operation: str) -> None:
        """Take one call from the shared rate limit; waits, at most until the deadline, then RATE_LIMITED."""
        ...

    def before_send(self) -> None:
        """Asked right before bytes of a call go out, on its thread; raises to keep them back."""
        ...

    def after_call(self, operation: str, code: str, seconds: float) -> None:
        """Once for each `before_call` that returned; `code` is 2xx, 4xx, 429, 5xx, timeout, error, or unsent."""
        ...


@dataclass(frozen=True, slots=True)
class MappingNeed:
    """What an interface must map before this system can do its part; `connect interfaces show` names what is missing.

    kind:   payment, shipping, tax, carrier, setting; `return-numbers` stands for the pool of return numbers
    source: the one word that must be mapped, e.g. `customer`; empty: at least one of this kind
    about:  what it is for, as a phrase: "customer number that orders are booked on"
    always: False where only some orders or settings need it; `about` says which
    unless: the setting of the side that makes it needless when it has a value
    """

    kind: str
    source: str
    about: str
    always: bool = True
    unless: str = ""


@dataclass(frozen=True, slots=True)
class Connector:
    """The manifest of a remote system: one module constant `CONNECTOR` in its folder's `__init__`.

    settings:     pydantic model of what an interface must say about this side: base_url, credentials (SecretStr), …
    rate_limit:   the vendor's calls per second, the default of the interface's setting
    lookup_lag:   seconds until what was created is found by a look-up
    source/sink:  open the capability, None where the system has none; so for the others:
    stock_sink, status_sink:               the marketplace takes quantities; shipments and cancellations
    stock_source, status_source, webhooks: the ERP tells quantities; changes of orders; calls us
    webhook_setup: the ERP is told by a call where to call us
    sandbox:      builds the ASGI stand-in, with its state in the given folder
    mappings:     what an interface must map for this system
    order_page:   address at which a person sees an order there, from the settings without secrets and the id as Connect
                  keeps it (`marketplace_id` or ERP number); None where there is none that could be told
    permissions:  what the credentials must allow, in the vendor's words, by what it is for: orders, stock, shipments of
                  a marketplace; orders, articles, changes of an ERP
    """

    key: str
    title: str
    settings: type[BaseModel]
    rate_limit: float
    lookup_lag: float
    folder: Path
    source: Callable[[Any, Http], OrderSource] | None = None
    sink: Callable[[Any, Http], OrderSink] | None = None
    stock_sink: Callable[[Any, Http], StockSink] | None = None
    status_sink: Callable[[Any, Http], StatusSink] | None = None
    stock_source: Callable[[Any, Http], StockSource] | None = None
    status_source: Callable[[Any, Http], StatusSource] | None = None
    webhooks: Callable[[Any], Webhooks] | None = None
    webhook_setup: Callable[[Any, Http], WebhookSetup] | None = None
    sandbox: Callable[[Path], Any] | None = None
    mappings: tuple[MappingNeed, ...] = ()
    permissions: Mapping[str, str] = field(default_factory=dict)
    order_page: Callable[[Mapping[str, Any], str], str | None] | None = None
