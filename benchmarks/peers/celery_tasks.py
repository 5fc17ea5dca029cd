"""The tasks, as `celery --app benchmarks.peers.celery_tasks` wants them: a module that makes its app when imported."""

from __future__ import annotations

from celery import Celery
from kombu import Queue

from benchmarks.contender import QUORUM
from benchmarks.peers.celery_contender import THREADS
from benchmarks.peers.job import SETTLE, STORE, pool, settling, storing
from shared.settings import load

settings = load()
app = Celery("bench", broker=settings.broker())
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_serializer="json",
    task_default_delivery_mode="persistent",
    task_default_queue_type="quorum",
    task_queues=[Queue(name, durable=True, queue_arguments=dict(QUORUM)) for name in ("celery.store", "celery.settle")],
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=8,
    worker_send_task_events=False,
    worker_enable_remote_control=False,
)
sessions = pool(settings.database(), THREADS)


@app.task(name="store")  # type: ignore[untyped-decorator]
def store(text: str) -> None:
    """Stage 1."""
    with sessions.connection() as conn:
        conn.execute(STORE, storing(text.encode()))
    settle.apply_async((text,), queue="celery.settle")


@app.task(name="settle")  # type: ignore[untyped-decorator]
def settle(text: str) -> None:
    """Stage 2."""
    with sessions.connection() as conn:
        conn.execute(SETTLE, settling(text.encode()))
