"""Somebody who asks for something: a user with a session, or a program with a token. Made by sessions and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["viewer", "operator", "admin", "publisher"]

USER_ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")
TOKEN_ROLES: tuple[Role, ...] = (*USER_ROLES, "publisher")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks.

    name:       of the user, or `token:<name>`; what history and audit show
    interfaces: of a publisher, where it may post; None: everywhere
    language, time_zone: of a user who chose one, else None
    may_reveal: a viewer who may look at a buyer's data for a reason
    user, session: ids of a user and of the session in use; None for programs
    """

    name: str
    role: Role
    interfaces: frozenset[str] | None = None
    language: str | None = None
    time_zone: str | None = None
    may_reveal: bool = False
    user: int | None = None
    session: int | None = None

    def at_least(self, role: Role) -> bool:
        """Whether the role includes another: viewer < operator < admin. A publisher includes nothing but itself."""
        if self.role == "publisher" or role == "publisher":
            return self.role == role
        return USER_ROLES.index(self.role) >= USER_ROLES.index(role)

    def may_post_for(self, interface: str) -> bool:
        """Whether events of this interface may come from here."""
        if self.role == "publisher":
            return self.interfaces is None or interface in self.interfaces
        return self.at_least("operator")
