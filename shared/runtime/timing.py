"""How long a worker may hold a record, and a call may take. One object, handed to whoever needs it.

A claim is safe from others for lease + call + the remote look-up's lag: a call that begins within the lease has ended,
and can be found, before anybody else may claim the record.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.runtime.breaker import Looks


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. lease: renewed while working; call: the deadline of one remote call, connecting to last byte.

    patience: the share of every planned wait (between tries, between looks, until giving up) that is really waited.
    """

    lease: float = 30.0
    call: float = 20.0
    patience: float = 1.0

    def hold(self, lag: float) -> float:
        """After how long another worker may claim what this one claimed; lag is the remote look-up's."""
        return self.lease + self.call + lag

    @property
    def renew(self) -> float:
        """How often a lease is renewed while working."""
        return self.lease / 3

    @property
    def looks(self) -> Looks:
        """When to look whether a system that is away is back."""
        usual = Looks()
        return Looks(usual.first * self.patience, usual.last * self.patience)
