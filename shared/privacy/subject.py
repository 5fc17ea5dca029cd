"""Who is looked for, and what of an order says that it is theirs. Pure.

A person is named by one of: an e-mail address, a phone number, a name with a postcode, an order number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from shared.errors.problem import storable
from shared.records.search import fold

LEAST_DIGITS = 7
LEAST_LETTERS = 5
"""A shorter text names nobody by itself, and would be found in anybody's texts."""
LONGEST = 300


class SubjectError(ValueError):
    """It does not say who, or why; the message says what to do. wrong: which part, for pages in other languages."""

    def __init__(self, wrong: str, message: str) -> None:
        super().__init__(message)
        self.wrong = wrong


@dataclass(frozen=True, slots=True)
class Subject:
    """who: one of `email`, `phone`, `name` with `zip_code`, `number`; interface limits orders to one of them.

    also: further texts that name the person wherever they stand. traces: what orders that were found say of them.
    """

    email: str = ""
    phone: str = ""
    name: str = ""
    zip_code: str = ""
    number: str = ""
    interface: str = ""
    also: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()

    @property
    def named_by(self) -> str:
        """How: e-mail, phone, name, number; this may be told, the value may not."""
        return next(kind for kind in ("email", "phone", "name", "number") if getattr(self, kind))

    def as_json(self) -> dict[str, Any]:
        """As a deed keeps it until it is over."""
        return asdict(self)

    def knows(self, order: Mapping[str, Any]) -> bool:
        """Whether the content of an `order-imported` event is of this person. For a number: see `orders`."""
        customer = _part(order, "customer")
        if self.email:
            return plain(customer.get("email")) == plain(self.email)
        if self.phone:
            return same_phone(self.phone, customer.get("phone"))
        if self.name:
            return self._lives_there(customer, order)
        return False

    def with_traces(self, found: Iterable[str]) -> Subject:
        """With what more was learned of them."""
        return replace(self, traces=tuple(dict.fromkeys((*self.traces, *found))))

    @property
    def texts(self) -> tuple[str, ...]:
        """What names this person in any text: small letters. Single names are none of it: others bear them, too."""
        said = (self.email, self.phone, self.name, *self.also, *self.traces)
        return tuple(dict.fromkeys(plain(one) for one in said if len(plain(one)) >= LEAST_LETTERS))

    def _lives_there(self, customer: Mapping[str, Any], order: Mapping[str, Any]) -> bool:
        wanted = set(fold(self.name).split())
        for place in ("billing_address", "shipping_address"):
            address = _part(order, place)
            if _zip(address.get("zip_code")) != _zip(self.zip_code):
                continue
            names = (address.get("name"), f"{customer.get('first_name') or ''} {customer.get('last_name') or ''}")
            if any(wanted <= set(fold(str(name or "")).split()) for name in names):
                return True
        return False


def subject(
    *,
    email: str = "",
    phone: str = "",
    name: str = "",
    zip_code: str = "",
    number: str = "",
    interface: str = "",
    also: Sequence[str] = (),
) -> Subject:
    """Checked and without blanks around. Raises SubjectError, which quotes nothing of it."""

    def kept(text: str) -> str:
        return storable(text.strip())[:LONGEST]

    found = Subject(
        kept(email), kept(phone), kept(name), kept(zip_code), kept(number), kept(interface),
        tuple(kept(one) for one in also if one.strip()),
    )  # fmt: skip
    given = [kind for kind in ("email", "phone", "name", "number") if getattr(found, kind)]
    if len(given) != 1:
        raise SubjectError(
            "who",
            "Say who it is about by one thing: an e-mail address, a phone number, a name with a postcode, or an order"
            " number.",
        )
    if found.email and ("@" not in found.email or " " in found.email):
        raise SubjectError("email", "The e-mail address is not one like name@example.org.")
    if found.phone and len(_digits(found.phone)) < LEAST_DIGITS:
        raise SubjectError("phone", f"The phone number needs {LEAST_DIGITS} digits at least.")
    if bool(found.name) != bool(found.zip_code):
        raise SubjectError("zip", "A name goes with a postcode: many people have the same name.")
    if found.name and len(fold(found.name).split()) < 2:
        raise SubjectError("name", "The name has to be first and last name.")
    if any(len(plain(one)) < LEAST_LETTERS for one in found.also):
        raise SubjectError(
            "also", f"A further text needs {LEAST_LETTERS} characters at least, or it names others, too."
        )
    return found


def read_subject(kept: Mapping[str, Any]) -> Subject:
    """The subject of a deed."""
    return Subject(**{**kept, "also": tuple(kept["also"]), "traces": tuple(kept["traces"])})


def traces(order: Mapping[str, Any]) -> list[str]:
    """What in an order names its person by itself: addresses of mail, phones, full names in both orders."""
    customer = _part(order, "customer")
    first, last = str(customer.get("first_name") or "").strip(), str(customer.get("last_name") or "").strip()
    found = [customer.get("email"), customer.get("phone")]
    if first and last:
        found += [f"{first} {last}", f"{last} {first}", f"{last}, {first}"]
    for place in ("billing_address", "shipping_address"):
        name = str(_part(order, place).get("name") or "").strip()
        found += [name] if " " in name else []
    return [str(one).strip() for one in found if one and len(plain(one)) >= LEAST_LETTERS]


def plain(value: Any) -> str:
    """Small letters, one blank between words."""
    return " ".join(str(value or "").casefold().split())


def same_phone(one: Any, other: Any) -> bool:
    """Whether two spellings are one number: “+49 40 123456” and “040/123456” are."""
    shorter, longer = sorted((_digits(one), _digits(other)), key=len)
    return len(shorter) >= LEAST_DIGITS and longer.endswith(shorter)


def _digits(value: Any) -> str:
    return "".join(sign for sign in str(value or "") if sign.isdecimal()).lstrip("0")


def _zip(value: Any) -> str:
    return "".join(str(value or "").casefold().split())


def _part(order: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = order.get(name)
    return part if isinstance(part, dict) else {}
