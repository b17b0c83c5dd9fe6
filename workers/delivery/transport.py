"""kombu's Redis transport, but for how messages are taken, held and given back.

As it comes, a message is in no place but the worker's memory between BRPOP and the write that
follows, and is lost if the worker dies then; what a dead worker held waits for a time-out that
live but slow work runs into as well; one entry that is no message ends the worker.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
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
from workers.delivery.held import Held, Words

#: Messages taken in one step.
AT_ONCE = 8
#: Before the next try where Redis takes no writes now.
PAUSE_S = 0.2

log = structlog.get_logger(__name__)


def always() -> bool:
    return True


def new_tag() -> str:
    return secrets.token_hex(8)


def pause(error: redis.ResponseError) -> None:
    """Redis takes no writes now."""
    log.warning("Redis gives no message now", error=str(error))
    time.sleep(PAUSE_S)


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
    #: The place into which a message is put that is waited for,
    _awaited = ""
    #: or those of the messages that were asked for; none while one is waited for.
    _tags: Sequence[str] = ()
    _is_busy = False
    _is_refused = False

    @cached_property
    def held(self) -> Held:
        client = redis.Redis(connection_pool=self.pool)
        return Held(client, Keys(self.global_keyprefix), patience_s=self.visibility_timeout)

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Asks for messages: for all that are wanted where there were some a moment ago."""
        if not self.is_working():
            return  # others have them sooner; the next tick tries again
        connection = self.client.connection
        try:
            if connection._sock is not self._socket:
                # What the lost connection may still be given, nobody works at: another place.
                self.held.load()
                self._socket, self._awaited = connection._sock, new_tag()
            words = self._words(timeout or self.brpop_timeout)
        except redis.ResponseError as error:
            if not is_away(error):
                raise
            pause(error)  # the next tick tries again
            return
        self._in_poll, self._brpop_sent_at = connection, time.monotonic()
        connection.send_command(*words)

    def _words(self, timeout_s: float) -> Words:
        self._tags = [new_tag() for _ in range(self._wanted())] if self._is_busy else ()
        if self._tags:
            return self.held.taking(self._tags)
        return self.held.waiting(self._awaited, timeout_s)

    def _wanted(self) -> int:
        room = self.qos.can_consume_max_estimate()
        return AT_ONCE if room is None else min(room, AT_ONCE)

    def _brpop_read(self, **options: object) -> bool:
        try:
            answer = self.client.parse_response(self.client.connection, "", **options)
        except redis.exceptions.NoScriptError:
            self.held.load()
            raise Empty from None
        except redis.ResponseError as error:
            if not is_away(error):
                raise
            # A full Redis gives nothing to who waits, and is not emptied by waiting: to who takes.
            self._is_busy = self._is_refused = not self._tags
            if self._tags:
                pause(error)
            raise Empty from None
        except self.connection_errors:
            self.client.connection.disconnect()
            raise
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()
        found = self._found(answer)
        self._is_busy = bool(found)
        if not found:
            if self._is_refused:
                time.sleep(PAUSE_S)  # full, and with nothing to give
            raise Empty
        self._is_refused = False
        for tag, raw in found:
            self._hand_over(tag, raw)
        return True

    def _found(self, answer: Any) -> list[tuple[str, bytes]]:
        """Messages that are held now, and their tags."""
        if self._tags:
            return list(zip(self._tags, answer, strict=False))
        if answer is None:
            return []
        tag, self._awaited = self._awaited, new_tag()
        return [(tag, answer)]

    def _hand_over(self, tag: str, raw: bytes) -> None:
        if not self.active_queues or not self.is_working():
            # It came while the worker left, or hangs: others have it sooner.
            self.held.give_back([tag])
            return
        try:
            message = opened(raw)
        except BadMessage as error:
            self._set_aside(tag, str(error), raw)
            return
        message["properties"]["delivery_tag"] = tag
        self.connection._deliver(message, self.active_queues[0])

    def _set_aside(self, tag: str, reason: str, raw: bytes) -> None:
        try:
            self.held.set_aside(tag, reason, raw)
        except redis.ResponseError as error:
            if not is_away(error):
                raise
            pause(error)  # held by nobody, it comes again

    def close(self) -> None:
        held = self.__dict__.get("held")
        try:
            super().close()
        finally:
            if held is not None:
                # Else what is finished comes again, and changes nothing.
                with suppress(redis.RedisError):
                    held.flush()

    def _restore(self, message: Any, leftmost: bool = False) -> None:
        self.held.give_back([message.delivery_tag])


class Transport(stock.Transport):
    Channel = Channel
