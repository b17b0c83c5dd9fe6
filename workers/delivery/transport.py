"""kombu's Redis transport, but for how messages are taken, held and given back.

As it comes, a message is in no place but the worker's memory between BRPOP and the write that
follows, and is lost if the worker dies then; what a dead worker held waits for a time-out that
live but slow work runs into as well; one entry that is no message ends the worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from queue import Empty
from typing import Any

import redis
import structlog
from kombu.transport import redis as stock
from kombu.transport import virtual

from facetrail.errors import BadMessage
from facetrail.store import Keys
from workers.away import is_away
from workers.delivery.envelope import opened
from workers.delivery.held import Held
from workers.delivery.rejected import set_aside

#: Before the next try where Redis takes no writes now.
PAUSE_S = 0.2

log = structlog.get_logger(__name__)


def always() -> bool:
    return True


class QoS(stock.QoS):
    """Who holds what, in `Held`."""

    def append(self, message: Any, delivery_tag: str) -> None:
        virtual.QoS.append(self, message, delivery_tag)  # Redis has it already

    def ack(self, delivery_tag: str) -> None:
        self.channel.held.done(delivery_tag)
        virtual.QoS.ack(self, delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if requeue:
            self.channel.held.give_back([delivery_tag])
        else:
            self.channel.held.done(delivery_tag)
        virtual.QoS.ack(self, delivery_tag)

    def restore_unacked(self, client: object = None) -> None:
        self._flush()
        self.channel.held.give_back(list(self._delivered))
        self._delivered.clear()

    def restore_visible(self, *_: object, **__: object) -> None:
        """What is called each second. Work that has come to a halt is not said to be alive."""
        own = [tag for tag in list(self._delivered) if tag not in self._dirty]
        try:
            self.channel.held.sweep(own if self.channel.is_working() else ())
        except redis.ResponseError as error:
            if not is_away(error):
                raise
            log.warning("nothing swept", what="messages", error=str(error))


class Channel(stock.Channel):
    """Takes from the one queue of chips."""

    QoS = QoS
    #: Whether what it delivered is still worked at.
    is_working: Callable[[], bool] = staticmethod(always)
    from_transport_options: Any = (
        *stock.Channel.from_transport_options,
        "is_working",
    )

    _in_poll: Any
    _brpop_sent_at: Any
    _socket: object = None
    _take_words: tuple[object, ...] = ()

    @cached_property
    def held(self) -> Held:
        client = redis.Redis(connection_pool=self.pool)
        return Held(client, Keys(self.global_keyprefix), patience_s=self.visibility_timeout)

    def _brpop_start(self, timeout: float | None = None) -> None:
        connection = self.client.connection
        if connection._sock is not self._socket:
            # What the lost connection may still be given is nobody's: another name from now on.
            self._socket, self._take_words = connection._sock, tuple(self.held.join())
        self._in_poll, self._brpop_sent_at = connection, time.monotonic()
        connection.send_command(*self._take_words, timeout or self.brpop_timeout)

    def _brpop_read(self, **options: object) -> bool:
        try:
            raw = self.client.parse_response(self.client.connection, "BLMOVE", **options)
            tag = self.held.claim() if raw is not None else None
        except redis.ResponseError as error:
            if not is_away(error):
                raise
            tag, raw = self._take_anyway(error)
        except self.connection_errors:
            self.client.connection.disconnect()
            raise
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()
        if tag is None:
            raise Empty
        self._hand_over(tag, raw)
        return True

    def _take_anyway(self, error: redis.ResponseError) -> tuple[str, bytes] | tuple[None, None]:
        """A full Redis gives no message by BLMOVE, and is not emptied by waiting."""
        try:
            if found := self.held.take():
                return found
        except redis.ResponseError as again:
            if not is_away(again):
                raise
            error = again
        log.warning("Redis gives no message now", error=str(error))
        time.sleep(PAUSE_S)
        return None, None

    def _hand_over(self, tag: str, raw: bytes) -> None:
        if not self.active_queues:  # it came while the worker left
            self.held.give_back([tag])
            return
        try:
            message = opened(raw)
        except BadMessage as error:
            keys = Keys(self.global_keyprefix)
            set_aside(redis.Redis(connection_pool=self.pool), keys, str(error), raw, kind="queued")
            self.held.done(tag)
            return
        message["properties"]["delivery_tag"] = tag
        self.connection._deliver(message, self.active_queues[0])

    def _restore(self, message: Any, leftmost: bool = False) -> None:
        self.held.give_back([message.delivery_tag])

    def close(self) -> None:
        held = self.__dict__.get("held")
        super().close()
        if held is not None:
            held.leave()


class Transport(stock.Transport):
    Channel = Channel
