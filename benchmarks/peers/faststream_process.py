"""FastStream on aio-pika: coroutines, two processes. `python -m benchmarks.peers.faststream_process`."""

from __future__ import annotations

import asyncio

from faststream import AckPolicy, FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitMessage, RabbitQueue

from benchmarks.peers.faststream_contender import SESSIONS
from benchmarks.peers.job import EVENT, NEXT, SETTLE, STORE, async_pool, settling, storing
from shared.settings import load

PREFETCH = 100


async def _raw(message: RabbitMessage) -> bytes:
    return bytes(message.body)


async def run() -> None:
    """Run until a signal."""
    settings = load()
    broker = RabbitBroker(
        settings.broker(), logger=None, default_channel=Channel(prefetch_count=PREFETCH, publisher_confirms=True)
    )
    sessions = async_pool(settings.database(), SESSIONS)
    await sessions.open(wait=True)

    def queue(name: str) -> RabbitQueue:
        return RabbitQueue(name, durable=True, queue_type=QueueType.QUORUM, declare=False)

    @broker.subscriber(queue(EVENT), ack_policy=AckPolicy.NACK_ON_ERROR, decoder=_raw)
    async def store(body: bytes) -> None:
        async with sessions.connection() as conn:
            await conn.execute(STORE, storing(body))
        await broker.publish(body, NEXT, persist=True)

    @broker.subscriber(queue(NEXT), ack_policy=AckPolicy.NACK_ON_ERROR, decoder=_raw)
    async def settle(body: bytes) -> None:
        async with sessions.connection() as conn:
            await conn.execute(SETTLE, settling(body))

    await FastStream(broker, logger=None).run()


if __name__ == "__main__":
    asyncio.run(run())
