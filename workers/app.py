"""The Celery app of a worker, and how it is run."""

from __future__ import annotations

from collections.abc import Callable

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

from facetrail.broker import celery_app
from facetrail.settings import Settings
from facetrail.wire import QUEUE

#: How often a consumer says that it lives, and looks for what dead ones left, in seconds.
SWEEP_EVERY_S = 1
#: What kombu calls our way of taking messages; it reads the name out of the address of a socket.
OURS = "facetrail"


def worker_app(settings: Settings, *, is_working: Callable[[], bool]) -> Celery:
    """The app of the queue, with what only a worker needs.

    is_working: whether what was taken is still worked at; if not, it is given to another worker
    after `redelivery_s`, as that of a dead one is.
    """
    app = celery_app(settings.redis_url or "", key_prefix=settings.key_prefix)
    TRANSPORT_ALIASES[OURS] = "workers.delivery.transport:Transport"
    app.conf.update(
        broker_url=app.conf.broker_url.replace("redis+socket:", f"{OURS}+socket:", 1),
        broker_transport=OURS,
        # Acknowledged when done: a worker that dies gives its messages back.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # The commands of remote control would be a way into a worker, and nobody sends them.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,
    )
    app.conf.broker_transport_options |= {
        "visibility_timeout": settings.redelivery_s,
        "unacked_restore_interval": SWEEP_EVERY_S,
        "is_working": is_working,
    }
    return app


def serve(app: Celery, name: str | None, *, pool: str, concurrency: int, prefetch: int) -> int:
    """Runs Celery's worker in this process; the exit status.

    name: None for Celery's own. prefetch: messages held for each that the pool works at.
    """
    worker = app.Worker(
        hostname=name,
        pool=pool,
        concurrency=concurrency,
        prefetch_multiplier=prefetch,
        queues=[QUEUE],
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    return int(worker.exitcode or 0)
