"""Wake-ups that this process's own work loop hears at once, besides all the others."""

from __future__ import annotations

from collections.abc import Sequence

from shared.broker.delivery import Fate, Message, Publisher
from shared.runtime.bell import Bell


class WakesHere(Publisher):
    """A publisher around another one. A lone change of stock does not travel over the broker a second time."""

    def __init__(self, publisher: Publisher, stage: str, bell: Bell) -> None:
        self._publisher, self._stage, self._bell = publisher, stage, bell

    def publish(self, messages: Sequence[Message], deadline: float = 10.0) -> list[Fate]:
        """As the other one does."""
        return self._publisher.publish(messages, deadline)

    def wake(self, stage: str, interfaces: Sequence[str]) -> None:
        """Ring here, then tell everybody else."""
        if stage == self._stage:
            self._bell.ring(*interfaces)
        self._publisher.wake(stage, interfaces)

    def close(self) -> None:
        """Close the other one."""
        self._publisher.close()
