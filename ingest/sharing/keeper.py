"""Takes, renews and gives back the leases of this host's cameras."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import redis
import structlog

from facetrail.store import Keys
from ingest.sharing.hosts import Host, hosts, leave, say
from ingest.sharing.leases import LEASE_S, RENEW_S, Leases
from ingest.sharing.share import fair_share, given

#: A camera that stayed free for so long, in seconds, is taken whatever our share is: perhaps
#: only our camera file names it.
OVERDUE_S = 3 * RENEW_S
#: One that we gave to a less loaded host is left to it for so long; it takes it when overdue.
LEFT_S = OVERDUE_S + 2 * RENEW_S
#: An owner that has not said for so long that it lives reads nothing: other hosts shall.
OWNER_S = 3.0
#: A camera is given only after so many rounds in which that seemed right: what others say of
#: themselves is a round old.
UNEVEN_ROUNDS = 2

log = structlog.get_logger(__name__)


class Keeper(threading.Thread):
    """Keeps the leases, in a thread of its own: a Redis that is silent holds up nobody else.

    Its owner says which cameras are wanted, which have a process (`reading`), and when it lived
    last, by the monotonic clock (`alive_at`), by setting these; `may_read` says which cameras it
    may read. A lease is freed only when nobody reads the camera any more. alone: whether no other
    host was there when Redis was last heard. spare_cores: what this machine has for cameras,
    asked once a round.
    """

    def __init__(
        self,
        client: redis.Redis,
        keys: Keys,
        name: str,
        *,
        spare_cores: Callable[[], float],
        lease_s: float = LEASE_S,
    ) -> None:
        super().__init__(name="keeper", daemon=True)
        self.wanted: Sequence[str] = ()
        self.reading: frozenset[str] = frozenset()
        self.alive_at = time.monotonic()
        self._client = client
        self._keys = keys
        self._name = name
        self._spare_cores = spare_cores
        self._leases = Leases(client, keys, name, lease_s=lease_s)
        self._held: dict[str, float] = {}  # until when, by the monotonic clock
        self._giving: dict[str, bool] = {}  # whether to leave it to others for a while
        self._granted: Mapping[str, float] = {}
        self._free_since: dict[str, float] = {}
        self._left: dict[str, float] = {}
        self._uneven_rounds = 0
        self.alone = True
        self._acquainted = False
        self._stop_asked = threading.Event()

    def may_read(self, now: float) -> frozenset[str]:
        """The cameras to read. now: a monotonic clock's.

        A lease that could not be renewed in time allows nothing: another host may have it. But
        where no other host was there when Redis was last heard, the cameras stay read.
        """
        granted, alone = self._granted, self.alone
        return frozenset(name for name, until in granted.items() if alone or now < until)

    def run(self) -> None:
        while not self._stop_asked.is_set():
            try:
                if time.monotonic() - self.alive_at < OWNER_S:
                    self.step(time.monotonic())
                else:
                    log.error("reading hangs: this host's cameras are left to others")
            except redis.RedisError as error:
                self._acquainted = False
                log.warning("leases are not renewed", cause=type(error).__name__)
            self._stop_asked.wait(RENEW_S)

    def stop(self) -> None:
        """Frees all leases; to be called when nothing is read any more."""
        self._stop_asked.set()
        if self.ident is not None:
            self.join()
        try:
            self._leases.free(*self._held)
            leave(self._client, self._keys, self._name)
        except redis.RedisError as error:
            log.warning("leases run out by themselves", cause=type(error).__name__)

    def step(self, now: float) -> None:
        """One exchange with Redis. Raises RedisError; then nothing has changed for the owner."""
        us = Host(
            name=self._name,
            cores=self._spare_cores(),
            cameras=tuple(self._granted),
            wants=frozenset(self.wanted),
        )
        # Before the leases: a dead host is gone when its cameras are free.
        say(self._client, self._keys, us, lease_s=self._leases.lease_s)
        others = [host for host in hosts(self._client, self._keys) if host.name != self._name]
        self.alone = not others
        self._renew(now)
        self._free_what_is_given(now)
        self._give_what_is_not_wanted()
        self._take_and_give(now, us, others)
        self._grant()
        # Hosts that start together first see each other, or the first one would take all.
        self._acquainted = True

    def _renew(self, now: float) -> None:
        ours = self._leases.take(*self._held)
        for name in self._held.keys() - ours:
            log.warning("another host reads the camera", camera=name)
            self._giving.pop(name, None)
        self._held = dict.fromkeys(ours, now + self._leases.lease_s)
        self._grant()

    def _grant(self) -> None:
        """Tells the owner what it may read."""
        self._granted = {n: until for n, until in self._held.items() if n not in self._giving}

    def _free_what_is_given(self, now: float) -> None:
        """What was given up a round ago, so that the owner knows, and is read no more."""
        done = {name: left for name, left in self._giving.items() if name not in self.reading}
        self._leases.free(*done)
        for name, left in done.items():
            del self._held[name], self._giving[name]
            if left:
                self._left[name] = now + LEFT_S

    def _give_what_is_not_wanted(self) -> None:
        for name in self._held.keys() - set(self.wanted) - self._giving.keys():
            self._giving[name] = False

    def _take_and_give(self, now: float, us: Host, others: Sequence[Host]) -> None:
        free = self._leases.free_ones([name for name in self.wanted if name not in self._held])
        self._free_since = {name: self._free_since.get(name, now) for name in free}
        self._left = {name: until for name, until in self._left.items() if until > now}
        if not self._acquainted:
            return
        room = fair_share(len(self.wanted), us, others) - len(self._held) + len(self._giving)
        for name in random.sample(free, len(free)):
            overdue = now - self._free_since[name] > OVERDUE_S
            if (room > 0 or overdue) and name not in self._left:
                room -= self._took(name, now)
        away = [] if free or self._giving else given(us, others)
        self._uneven_rounds = self._uneven_rounds + 1 if away else 0
        if self._uneven_rounds > UNEVEN_ROUNDS:
            for name in away:
                log.info("camera is left to a less loaded host", camera=name)
                self._giving[name] = True

    def _took(self, name: str, now: float) -> bool:
        if not self._leases.take(name):
            return False
        log.info("camera taken", camera=name)
        self._held[name] = now + self._leases.lease_s
        return True
