"""The Celery app that both ends of the queue are made from."""

from __future__ import annotations

import ssl

from celery import Celery

from facetrail.store import broker_url
from facetrail.wire import QUEUE

#: Seconds after which a connection that has gone silent is given up.
SOCKET_TIMEOUT_S = 20.0


def celery_app(url: str, *, key_prefix: str) -> Celery:
    """An app that speaks msgpack only, on one queue, without results."""
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
        broker_connection_timeout=5,
        broker_transport_options={
            "global_keyprefix": key_prefix,
            "socket_timeout": SOCKET_TIMEOUT_S,
            "socket_connect_timeout": 5.0,
            "socket_keepalive": True,
        },
    )
    return app
