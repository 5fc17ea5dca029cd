"""The main navigation: a new room is one line here and its text `app.room_<name>`."""

from __future__ import annotations

from dataclasses import dataclass

from shared.people.actor import Role


@dataclass(frozen=True, slots=True)
class Room:
    """An entry of the main navigation, shown where its page exists. name: its text is `app.room_<name>`, and the `tab`
    of its pages; least: the role that may enter."""

    name: str
    path: str
    least: Role = "viewer"


ROOMS = (
    Room("status", "/"),
    Room("journal", "/orders"),
    Room("runs", "/runs"),
    Room("rejections", "/rejections"),
    Room("alarms", "/alarms"),
    Room("interfaces", "/interfaces"),
    Room("accounting", "/accounting"),
    Room("audit", "/audit"),
    Room("users", "/users", "admin"),
    Room("privacy", "/privacy", "admin"),
)
