"""Says whether a camera is there: camera_online, camera_offline."""

from __future__ import annotations

import threading
import time
from collections import deque

import redis
import structlog
from msgspec.structs import replace

from facetrail.events import PUBLISH_LUA, REMEMBERED_S, EventType, MatchEvent, iso
from facetrail.store import Keys
from ingest.camera import NOT_OPENED

#: Changes kept while Redis is away; then the oldest go.
MOST_WAITING = 100
PAUSE_S = 1.0
#: How long the state of a camera is remembered that does not change, in seconds: 30 days.
KEPT_S = 30 * 86_400

_ANNOUNCE = (
    PUBLISH_LUA
    + """
if redis.call('GET', KEYS[3]) == ARGV[1] then
  return false
end
redis.call('SET', KEYS[3], ARGV[1], 'EX', ARGV[2])
return publish(KEYS[1], KEYS[2], unpack(ARGV, 3))
"""
)

log = structlog.get_logger(__name__)


def state_of(camera: str, lost: str | None) -> MatchEvent:
    """The event of a camera that is there from now on, or not any more. lost: why not."""
    now = time.time_ns()
    kind: EventType = "camera_online" if lost is None else "camera_offline"
    return MatchEvent(
        id=f"{camera}/{kind}/{now}",
        type=kind,
        camera=camera,
        captured_at=iso(now),
        published_at=iso(now),
        cause=lost,
    )


def announce(client: redis.Redis, keys: Keys, event: MatchEvent, *, history: int) -> bool:
    """Publishes a camera's state, unless it is the one said last, by whomever. Raises RedisError.

    A process that dies while its camera is offline, or starts anew while it is there, has
    nothing new to say.
    """
    script = client.register_script(_ANNOUNCE)
    places = [keys.events, keys.published(event.id), keys.camera_state(event.camera)]
    about = [event.type, KEPT_S, keys.channel(event.camera), event.json(), history, REMEMBERED_S]
    return bool(script(keys=places, args=about))


class Announcer(threading.Thread):
    """Publishes each change of one camera's state once and in order.

    In a thread of its own, since a Redis that is away must not keep anyone from looking.
    """

    def __init__(self, client: redis.Redis, keys: Keys, camera: str, *, history: int) -> None:
        super().__init__(name="announcer", daemon=True)
        self._client = client
        self._keys = keys
        self._camera = camera
        self._history = history
        self._online: bool | None = None
        self._waiting: deque[MatchEvent] = deque(maxlen=MOST_WAITING)
        self._woken = threading.Event()
        self._stop_asked = threading.Event()

    def say(self, lost: str | None) -> None:
        """lost: None where frames come, else why they don't. Returns at once."""
        online = lost is None
        if online == self._online or lost == NOT_OPENED:
            return
        self._online = online
        event = state_of(self._camera, lost)
        self._waiting.append(event)
        self._woken.set()
        log.info(event.type.replace("_", " "), camera=self._camera, cause=lost)

    def run(self) -> None:
        while self._waiting or not self._stop_asked.is_set():
            if self._waiting:
                event = self._waiting.popleft()
                while not self._published(event) and not self._stop_asked.wait(PAUSE_S):
                    pass
            else:
                self._woken.wait()
                self._woken.clear()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Ends once what waits is published, as far as Redis takes it at once."""
        self._stop_asked.set()
        self._woken.set()
        self.join(timeout_s)

    def _published(self, event: MatchEvent) -> bool:
        """False if Redis did not take it."""
        now = replace(event, published_at=iso(time.time_ns()))
        try:
            announce(self._client, self._keys, now, history=self._history)
        except redis.RedisError as error:
            log.warning("camera's state not announced yet", cause=type(error).__name__)
            return False
        return True
