"""The Celery app that both ends of the queue are made from."""

from __future__ import annotations

import ssl

from celery import Celery

from facetrail.store import broker_url
from facetrail.wire import QUEUE

#: How often a worker looks for messages that were taken and not finished, in seconds.
RESTORE_EVERY_S = 1
#: Longest that the look itself may take, in seconds.
LOCK_S = 10
#: Seconds after which a connection that has gone silent is given up.
SOCKET_TIMEOUT_S = 20.0


def celery_app(url: str, *, key_prefix: str, redelivery_s: int) -> Celery:
    """An app that speaks msgpack only, on one queue, without results.

    redelivery_s: a message taken and not acknowledged for so long is given to another worker.
    """
    app = Celery("facetrail", broker=broker_url(url), set_as_current=False)
    if url.startswith("rediss://"):
        # Kombu would encrypt and not ask who is there.
        app.conf.broker_use_ssl = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    app.conf.update(
        accept_content=["msgpack"],
        task_serializer="msgpack",
        event_serializer="msgpack",
        result_serializer="msgpack",
        task_ignore_result=True,
        task_default_queue=QUEUE,
        # Acknowledged when done: a worker that dies gives its messages back.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # The commands of remote control would be a way into a worker, and nobody sends them.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=5,
        broker_transport_options={
            "global_keyprefix": key_prefix,
            "visibility_timeout": redelivery_s,
            # As they come, these two let a lost message wait for 100 s more.
            "unacked_restore_interval": RESTORE_EVERY_S,
            "unacked_restore_throttle": 1,
            # A worker killed while it looks leaves a lock, which by default holds for 5 minutes.
            "unacked_mutex_expire": LOCK_S,
            "socket_timeout": SOCKET_TIMEOUT_S,
            "socket_connect_timeout": 5.0,
            "socket_keepalive": True,
        },
    )
    return app
