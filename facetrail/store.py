"""Redis: connections and the names of all keys.

Keys that one Lua script uses share a hash tag, which here is the whole name of the key the
script writes to for the world: Redis Cluster then keeps them in one slot.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from facetrail.errors import BadSettings, RedisAway
from facetrail.wire import QUEUE

CONNECT_TIMEOUT_S = 5.0
#: Longer than any blocking read, so that a dead connection is noticed and a quiet one kept. A
#: Redis that accepts and stays silent costs it once for each try and step of the handshake.
READ_TIMEOUT_S = 4.0
#: Of a script that goes through all events, which are as many as the settings say.
LONG_TIMEOUT_S = 300.0


def connect(url: str | None) -> redis.Redis:
    """A client that answers bytes and tries twice. Raises BadSettings; connects later.

    url: without options after a `?`, which the queue would read differently.
    """
    if not url:
        raise BadSettings(
            "FACETRAIL_REDIS_URL is not set: name a Redis, such as "
            "redis://localhost:6379/0, or use `facetrail up`, which starts one"
        )
    try:
        if urlsplit(url).query:
            raise ValueError("options")
        return redis.Redis.from_url(
            url,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=READ_TIMEOUT_S,
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=1),
            health_check_interval=15,
        )
    except ValueError:
        # Without the parser's own words: they may hold a piece of the password.
        raise BadSettings(
            "FACETRAIL_REDIS_URL can't be used: expected redis://HOST:PORT/DB, rediss:// or "
            "unix:///PATH, without options, and %-signs for what is special in a password"
        ) from None


@contextmanager
def patient(client: redis.Redis) -> Iterator[redis.Redis]:
    """A client of the same Redis that waits for a long script."""
    kwargs = {**client.get_connection_kwargs(), "socket_timeout": LONG_TIMEOUT_S}
    pool = redis.ConnectionPool(client.connection_pool.connection_class, **kwargs)
    try:
        yield redis.Redis(connection_pool=pool)
    finally:
        pool.disconnect()


def away(client: redis.Redis, error: Exception) -> RedisAway:
    """The sentence for a Redis that does not answer; without its password."""
    return RedisAway(
        f"Redis at {where(client)} does not answer ({_cause(error)}): start it, or name "
        "another in FACETRAIL_REDIS_URL"
    )


@contextmanager
def answered(client: redis.Redis) -> Iterator[None]:
    """Turns redis-py's connection errors into RedisAway."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise away(client, error) from error


def checked(client: redis.Redis) -> redis.Redis:
    """The client, once Redis has answered. Raises RedisAway."""
    with answered(client):
        client.ping()
    return client


def waited_for(client: redis.Redis, stop: threading.Event, *, wait_s: float = 10.0) -> None:
    """Returns once Redis answers: a role may start a little before it. Raises RedisAway."""
    deadline = time.monotonic() + wait_s
    while not stop.is_set():
        try:
            client.ping()
            return
        except (redis.ConnectionError, redis.TimeoutError) as error:
            if time.monotonic() > deadline:
                raise away(client, error) from error
            stop.wait(0.5)


def where(client: redis.Redis) -> str:
    """Host and port, or the socket's path."""
    kwargs = client.get_connection_kwargs()
    return str(kwargs.get("path") or f"{kwargs.get('host')}:{kwargs.get('port', 6379)}")


def broker_url(url: str) -> str:
    """The same Redis in the words of kombu, which calls a socket redis+socket."""
    return "redis+socket://" + url.removeprefix("unix://") if _is_socket(url) else url


def _is_socket(url: str) -> bool:
    return urlsplit(url).scheme == "unix"


def _cause(error: Exception) -> str:
    return str(error).rstrip(".").splitlines()[0] if str(error) else type(error).__name__


@dataclass(frozen=True, slots=True)
class Keys:
    """Every key of ours in Redis. docs/redis.md lists type, owner and life time."""

    prefix: str = "facetrail:"

    @property
    def queue(self) -> str:
        """List of Celery's messages."""
        return f"{self.prefix}{QUEUE}"

    def held(self, tag: str) -> str:
        """List: the one message that a worker has taken and not finished, in the place of a tag."""
        return f"{self.prefix}held:{tag}"

    @property
    def held_since(self) -> str:
        """Sorted set: tags of places by when a worker last said that it is at them."""
        return f"{self.prefix}held_since"

    @property
    def deaths(self) -> str:
        """Hash: SHA-1 of a message to how often its worker ended while it was held."""
        return f"{self.prefix}deaths"

    @property
    def events(self) -> str:
        """Stream of events; also the start of the pub/sub channels."""
        return f"{self.prefix}events"

    @property
    def events_aside(self) -> str:
        """Stream: the events while they are written anew, within one script."""
        return f"{self.prefix}events:aside:{{{self.events}}}"

    def channel(self, camera: str) -> str:
        return f"{self.events}:{camera}"

    def published(self, event_id: str) -> str:
        return f"{self.prefix}published:{{{self.events}}}:{event_id}"

    def camera_state(self, camera: str) -> str:
        """The type of the event that was last said of whether the camera is there."""
        return f"{self.prefix}camera_state:{{{self.events}}}:{camera}"

    def vote(self, track: str) -> str:
        return f"{self.prefix}vote:{{{self.events}}}:{track}"

    def counted(self, track: str) -> str:
        """Bits of the chips of a track that were counted."""
        return f"{self.prefix}counted:{{{self.events}}}:{track}"

    @property
    def open_tracks(self) -> str:
        """Sorted set: open tracks by when a worker last heard of them."""
        return f"{self.prefix}open:{{{self.events}}}"

    @property
    def closing_tracks(self) -> str:
        """Sorted set: ended tracks by when their vote closes whatever comes."""
        return f"{self.prefix}closing:{{{self.events}}}"

    @property
    def sightings(self) -> str:
        """Hash: name of a sighting to its JSON."""
        return f"{self.prefix}sightings:{{{self.events}}}"

    @property
    def sighting_encodings(self) -> str:
        """Hash: name of a sighting to the encoding of its best shot."""
        return f"{self.prefix}sightings:encodings:{{{self.events}}}"

    @property
    def sighting_ends(self) -> str:
        """Sorted set: names of sightings by when they are dropped."""
        return f"{self.prefix}sightings:ends:{{{self.events}}}"

    def sightings_of(self, owner: str) -> str:
        """Sorted set: names of a person's or a stranger's sightings by when they were kept."""
        return f"{self.prefix}sightings:of:{{{self.events}}}:{owner}"

    def seen(self, owner: str) -> str:
        """Sorted set: sequences of a person's or a stranger's events, by their milliseconds."""
        return f"{self.prefix}seen:{{{self.events}}}:{owner}"

    @property
    def strangers_log(self) -> str:
        """Stream: strangers whose encodings changed."""
        return f"{self.prefix}strangers:log:{{{self.events}}}"

    @property
    def strangers_given(self) -> str:
        """How many ids strangers were given."""
        return f"{self.prefix}strangers:given:{{{self.events}}}"

    def named_stranger(self, stranger: str) -> str:
        """The person a stranger has turned out to be."""
        return f"{self.prefix}strangers:named:{{{self.events}}}:{stranger}"

    def merged(self, person: str) -> str:
        """JSON of the person, as events have it, whose photos and past somebody's have become."""
        return f"{self.prefix}merged:{{{self.events}}}:{person}"

    def formerly(self, person: str) -> str:
        """Set: ids of people who were merged into a person."""
        return f"{self.prefix}formerly:{{{self.events}}}:{person}"

    def erased(self, person: str) -> str:
        """Stands for a day after a person was erased: nothing is said of them any more."""
        return f"{self.prefix}erased:{{{self.events}}}:{person}"

    @property
    def gallery_log(self) -> str:
        return f"{self.prefix}gallery:log"

    @property
    def gallery_people(self) -> str:
        """Hash: person's id to a JSON of what people call them."""
        return f"{self.prefix}gallery:people:{{{self.gallery_log}}}"

    @property
    def gallery_names(self) -> str:
        """Hash: casefolded name to person's id."""
        return f"{self.prefix}gallery:names:{{{self.gallery_log}}}"

    @property
    def gallery_encoder(self) -> str:
        return f"{self.prefix}gallery:encoder:{{{self.gallery_log}}}"

    def gallery_photos(self, person: str) -> str:
        """Hash: photo's SHA-256 to its chip."""
        return f"{self.prefix}gallery:photos:{{{self.gallery_log}}}:{person}"

    def gallery_rows(self, rows: str) -> str:
        """4096 records of encodings, one after the other. rows: encoder's id, and which string."""
        return f"{self.prefix}gallery:rows:{{{self.gallery_log}}}:{rows}"

    @property
    def gallery_free(self) -> str:
        """List of the slots that are free again."""
        return f"{self.prefix}gallery:free:{{{self.gallery_log}}}"

    @property
    def gallery_slots(self) -> str:
        """How many slots were ever taken."""
        return f"{self.prefix}gallery:slots:{{{self.gallery_log}}}"

    @property
    def gallery_rules(self) -> str:
        """Hash: person's id to a JSON of when they count, and whether they are reported."""
        return f"{self.prefix}gallery:rules:{{{self.gallery_log}}}"

    @property
    def gallery_erasing(self) -> str:
        """Set: ids of people who were removed, and of whom events and pictures may be left."""
        return f"{self.prefix}gallery:erasing:{{{self.gallery_log}}}"

    @property
    def gallery_merging(self) -> str:
        """Set: `from into`, of people who were merged and whose past may not be yet."""
        return f"{self.prefix}gallery:merging:{{{self.gallery_log}}}"

    @property
    def gallery_returned(self) -> str:
        """Set: ids of people who were imported, and may have been erased or merged before."""
        return f"{self.prefix}gallery:returned:{{{self.gallery_log}}}"

    @property
    def gallery_unwritten(self) -> str:
        """Set: files of Redis that must be written anew, since somebody was erased; and since when.

        `aof:` or `rdb:` and a position of the log.
        """
        return f"{self.prefix}gallery:unwritten:{{{self.gallery_log}}}"

    @property
    def gallery_finishing(self) -> str:
        """Lock of whoever ends what was begun."""
        return f"{self.prefix}gallery:finishing:{{{self.gallery_log}}}"

    @property
    def gallery_next_encoder(self) -> str:
        """The encoder that the gallery is being moved to."""
        return f"{self.prefix}gallery:next_encoder:{{{self.gallery_log}}}"

    @property
    def gallery_next_encoder_by(self) -> str:
        """Who moves the gallery."""
        return f"{self.gallery_next_encoder}:by"

    def gallery_import(self, part: str) -> str:
        """Hashes of people who are about to be imported. part: of which import, and what."""
        return f"{self.prefix}gallery:import:{{{self.gallery_log}}}:{part}"

    @property
    def gallery_digests(self) -> str:
        """Hash: photo's SHA-256 to the person it is enrolled for, and its slot."""
        return f"{self.prefix}gallery:digests:{{{self.gallery_log}}}"

    def encoder(self, encoder_id: str) -> str:
        """JSON: the threshold and margin that hold in place of the encoder's own."""
        return f"{self.prefix}encoder:{{{self.gallery_log}}}:{encoder_id}"

    def lease(self, camera: str) -> str:
        return f"{self.prefix}camera:{camera}"

    def camera_status(self, camera: str) -> str:
        """JSON of what a camera's process says of itself."""
        return f"{self.prefix}camera_status:{camera}"

    def host(self, name: str) -> str:
        """JSON of what an ingest process carries."""
        return f"{self.prefix}host:{name}"

    @property
    def hosts(self) -> str:
        """Set: names of ingest processes; those whose own key is gone have ended."""
        return f"{self.prefix}hosts"

    def snapshot(self, name: str) -> str:
        return f"{self.prefix}snapshot:{{{self.events}}}:{name}"

    def applied(self, worker: str) -> str:
        """A worker's applied position in the gallery's log."""
        return f"{self.prefix}worker:{worker}:applied"

    def worker_status(self, worker: str) -> str:
        """JSON of what a worker says of itself."""
        return f"{self.prefix}worker:{worker}:status"

    @property
    def workers(self) -> str:
        """Set: names of workers; those whose applied position is gone have ended."""
        return f"{self.prefix}workers"

    @property
    def rejected(self) -> str:
        return f"{self.prefix}rejected"

    @property
    def counters(self) -> str:
        """Hash: chips recognised; and those dropped and skipped, by reason."""
        return f"{self.prefix}counters:{{{self.events}}}"
